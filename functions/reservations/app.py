"""Claims on stock, from the tap to the payment."""

from brandday.bootstrap import reservations_handler as lambda_handler

__all__ = ["lambda_handler"]
