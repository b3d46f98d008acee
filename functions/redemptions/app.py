"""What orders do with codes: lock, redeem, roll back, scan."""

from brandday.bootstrap import redemptions

lambda_handler = redemptions()
