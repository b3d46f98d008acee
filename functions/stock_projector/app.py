"""Follows the stock table: summaries, and a timer for every hold."""

from brandday.bootstrap import stock_projector_handler as lambda_handler

__all__ = ["lambda_handler"]
