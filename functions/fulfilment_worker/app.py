"""Hands rewards over to partners."""

from brandday.bootstrap import fulfilment_worker

lambda_handler = fulfilment_worker()
