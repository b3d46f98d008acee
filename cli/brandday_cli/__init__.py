"""The operator's command `brandday`."""
