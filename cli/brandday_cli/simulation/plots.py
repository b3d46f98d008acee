"""Simulated days drawn over time, as SVG or PNG."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")  # files only: no window, no display

from matplotlib import pyplot as plt

from brandday_cli.simulation.run import Outcome

_PANELS = (
    ("requests a second", 0),
    ("units taken a second", 1),
    ("throttles a second", 2),
    ("write units a second", 3),
    ("read units a second", 4),
)


def draw(outcomes: Sequence[Outcome], file: Path) -> None:
    """Draw one line for each outcome: requests, sales, throttles and units over the seconds of the day."""
    mpl.rcParams["svg.hashsalt"] = "brandday"  # the same day gives the same file
    figure, axes = plt.subplots(len(_PANELS), 1, sharex=True, figsize=(9, 11), layout="constrained")
    for axis, (title, column) in zip(axes, _PANELS, strict=True):
        for outcome in outcomes:
            axis.step(
                range(len(outcome.timeline)),
                [second[column] for second in outcome.timeline],
                where="post",
                label=outcome.design,
            )
        axis.set_title(title, loc="left", fontsize="medium")
        axis.set_yscale("symlog")
        axis.set_ylim(bottom=0)
        axis.grid(visible=True, alpha=0.3)
    axes[0].legend(loc="upper right")
    axes[-1].set_xlabel("seconds since the opening")
    first = outcomes[0]
    figure.suptitle(f"{first.shoppers:,} shoppers for {first.stock:,} units")
    figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)
    plt.close(figure)
