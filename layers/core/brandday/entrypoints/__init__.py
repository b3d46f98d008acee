"""Where requests and records come in: parse, call one use case, answer."""
