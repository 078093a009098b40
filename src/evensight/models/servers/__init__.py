"""Asking a model over HTTP, at a server that speaks OpenAI's chat completions."""
