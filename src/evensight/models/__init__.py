"""Vision-language models: loading them, saying a question in their own words, and getting answers."""
