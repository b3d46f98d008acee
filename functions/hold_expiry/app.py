"""Puts the units of a hold that is due back on sale."""

from brandday.bootstrap.sale_functions import hold_expiry

lambda_handler = hold_expiry()
