"""Coupons of shoppers: taken, looked at, checked against a cart, shown at a till."""

from brandday.bootstrap import coupons

lambda_handler = coupons()
