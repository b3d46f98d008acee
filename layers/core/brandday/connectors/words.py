"""What a destination says, made fit to be kept and shown."""

MAX_WORDS = 300


def clean(text: str) -> str:
    """Return `text` on one line: what cannot be printed becomes a space, and it is cut at 300 characters."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(printable.split())[:MAX_WORDS]
