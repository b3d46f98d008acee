"""Follows the entry table: what was left half done is finished, and what was won becomes a reward."""

from brandday.bootstrap.lottery_functions import entry_projector

lambda_handler = entry_projector()
