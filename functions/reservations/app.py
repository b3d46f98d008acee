"""Claims on stock, from the tap to the payment."""

from brandday.bootstrap import reservations

lambda_handler = reservations()
