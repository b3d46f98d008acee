"""What the gates of campaigns refuse, and the lists that operators keep."""

from brandday.bootstrap.operator_functions import risk

lambda_handler = risk()
