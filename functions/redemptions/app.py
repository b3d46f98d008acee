"""What orders do with codes: lock, redeem, roll back, scan."""

from brandday.bootstrap.coupon_functions import redemptions

lambda_handler = redemptions()
