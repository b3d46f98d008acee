"""Seals lists of entrants, holds draws at their time, hands the prizes to winners and reserves."""

from brandday.bootstrap.lottery_functions import draw_holder

lambda_handler = draw_holder()
