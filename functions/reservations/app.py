"""Claims on stock, from the tap to the payment."""

from brandday.bootstrap.sale_functions import reservations

lambda_handler = reservations()
