"""Follows the stock table: what was paid for becomes a reward."""

from brandday.bootstrap.reward_functions import reward_issuer

lambda_handler = reward_issuer()
