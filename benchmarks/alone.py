"""A measurement in a process of its own: where nothing else has taken memory, and nothing is remembered."""

import math
import multiprocessing
import resource
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import linear_regression

_STATUS = Path("/proc/self/status")


def alone[**Given, Found](do: Callable[Given, Found], *args: Given.args, **options: Given.kwargs) -> Found:
    """Do it in a new process, and return what came of it."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(do, args, options)


def peak_mb() -> float:
    """Return the most memory that this process has had so far, in MB.

    On Linux from /proc (`VmHWM`, proc_pid_status(5)): `ru_maxrss` of getrusage(2) survives an execve(2), so that a
    process begins with the most that the one had which started it, and seems to need nothing.
    """
    if _STATUS.exists():
        lines = _STATUS.read_text(encoding="ascii", errors="replace").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1024 * 1024 if sys.platform == "darwin" else 1024)


def exponent(took: Mapping[int, float]) -> float:
    """Return the slope of what was taken over the size, both as powers of ten: 1 is linear, 0 is flat."""
    sizes = sorted(took)
    return linear_regression([math.log10(size) for size in sizes], [math.log10(took[size]) for size in sizes]).slope
