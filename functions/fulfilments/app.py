"""What partners report about rewards, and what operators do about them."""

from brandday.bootstrap.reward_functions import fulfilments

lambda_handler = fulfilments()
