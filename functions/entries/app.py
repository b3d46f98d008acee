"""Entries of lotteries: a try at one's luck, and what came of it."""

from brandday.bootstrap.lottery_functions import entries

lambda_handler = entries()
