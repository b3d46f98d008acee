"""Fakes of the ports: they keep their state in memory and follow the same rules as the real adapters."""
