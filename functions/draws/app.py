"""What lotteries have promised, and the receipts that show whether it was kept; public."""

from brandday.bootstrap.lottery_functions import draws

lambda_handler = draws()
