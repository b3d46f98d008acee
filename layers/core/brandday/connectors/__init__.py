"""Where rewards leave to: one file for each kind of destination."""
