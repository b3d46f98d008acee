"""Hands rewards over to partners."""

from brandday.bootstrap.reward_functions import fulfilment_worker

lambda_handler = fulfilment_worker()
