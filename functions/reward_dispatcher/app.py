"""Follows the reward table: what is ready to leave goes to the queue."""

from brandday.bootstrap.reward_functions import reward_dispatcher

lambda_handler = reward_dispatcher()
