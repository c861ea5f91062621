"""How many cores a computation may use."""

from __future__ import annotations

import os


def available_cores() -> int:
    """``$KETUNE_THREADS``, else the cores that the system lets this process run on.

    Raises
    ------
    InputError
        The variable is no whole number above 0.
    """
    wanted = os.environ.get("KETUNE_THREADS")
    if not wanted:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not wanted.isdecimal() or int(wanted) < 1:
        from ketune.errors import InputError

        raise InputError(f"KETUNE_THREADS: '{wanted}' is no number of threads; give 1 or more, or unset it")
    return int(wanted)
