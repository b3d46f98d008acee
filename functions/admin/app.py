"""What operators do to campaigns."""

from brandday.bootstrap.operator_functions import admin

lambda_handler = admin()
