"""Follows the reward table: what is ready to leave goes to the queue."""

from brandday.bootstrap import reward_dispatcher

lambda_handler = reward_dispatcher()
