"""What a shopper has won or bought, and where it should go."""

from brandday.bootstrap.reward_functions import rewards

lambda_handler = rewards()
