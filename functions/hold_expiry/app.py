"""Puts the units of a hold that is due back on sale."""

from brandday.bootstrap import hold_expiry

lambda_handler = hold_expiry()
