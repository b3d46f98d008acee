"""What is on sale, and is the service up."""

from brandday.bootstrap import campaigns_handler as lambda_handler

__all__ = ["lambda_handler"]
