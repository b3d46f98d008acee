"""The wall clock and the source of randomness; the only places where the outside world's time and luck come
in.
"""

import secrets
import time


def now_ms() -> int:
    """Now, in epoch milliseconds."""
    return time.time_ns() // 1_000_000


def random_bytes(count: int) -> bytes:
    """`count` bytes nobody can guess."""
    return secrets.token_bytes(count)
