"""Safety net: expires holds whose timer was lost, rebuilds summaries, prunes old records."""

from brandday.bootstrap import stock_sweeper

lambda_handler = stock_sweeper()
