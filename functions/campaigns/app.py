"""What is on sale, and is the service up."""

from brandday.bootstrap import campaigns

lambda_handler = campaigns()
