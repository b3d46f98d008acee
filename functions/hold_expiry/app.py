"""Puts the units of a hold that is due back on sale."""

from brandday.bootstrap import hold_expiry_handler as lambda_handler

__all__ = ["lambda_handler"]
