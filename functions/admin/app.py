"""What operators do to campaigns."""

from brandday.bootstrap import admin_handler as lambda_handler

__all__ = ["lambda_handler"]
