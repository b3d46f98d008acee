"""Entry tickets and challenges: the desk of protected campaigns."""

from brandday.bootstrap import tickets

lambda_handler = tickets()
