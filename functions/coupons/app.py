"""Coupons of shoppers: taken, looked at, checked against a cart, shown at a till."""

from brandday.bootstrap.coupon_functions import coupons

lambda_handler = coupons()
