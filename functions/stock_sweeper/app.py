"""Safety net: expires holds whose timer was lost, rebuilds summaries, prunes old records."""

from brandday.bootstrap.sale_functions import stock_sweeper

lambda_handler = stock_sweeper()
