"""Measure every claim, one after the other: `python -m benchmarks`."""

from benchmarks import cost, draw, oversold, refusals


def main() -> None:
    """Run each benchmark with its defaults."""
    cost.main()
    oversold.main()
    refusals.main()
    draw.main()


if __name__ == "__main__":
    main()
