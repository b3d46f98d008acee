"""What operators do to campaigns."""

from brandday.bootstrap import admin

lambda_handler = admin()
