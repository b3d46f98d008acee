"""Safety net: expires holds whose timer was lost, rebuilds summaries, prunes old records."""

from brandday.bootstrap import stock_sweeper_handler as lambda_handler

__all__ = ["lambda_handler"]
