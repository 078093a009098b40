"""A set in the formats that other tools eat: a module a format, each with a `write` that fills a folder."""
