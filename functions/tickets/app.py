"""Entry tickets and challenges: the desk of protected campaigns."""

from brandday.bootstrap.sale_functions import tickets

lambda_handler = tickets()
