"""What is on sale, and is the service up."""

from brandday.bootstrap.sale_functions import campaigns

lambda_handler = campaigns()
