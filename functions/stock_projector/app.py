"""Follows the stock table: summaries, and a timer for every hold."""

from brandday.bootstrap.sale_functions import stock_projector

lambda_handler = stock_projector()
