"""Paired timing: contenders take turns, because the speed of a machine drifts; the median over the rounds counts."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from statistics import median
from typing import TypeVar

from ketune.progress import Task

Key = TypeVar("Key", bound=Hashable)


def interleaved(runs: Mapping[Key, Callable[[], float]], rounds: int, task: Task) -> dict[Key, list[float]]:
    """The speed of each in every round, in which every one runs once."""
    speeds: dict[Key, list[float]] = {key: [] for key in runs}
    for _ in range(rounds):
        for key, run in runs.items():
            speeds[key].append(run())
            task.advance()
    return speeds


def ratio(above: Sequence[float], below: Sequence[float]) -> float:
    """The median over rounds: within a round the machine is the same."""
    return median(a / b for a, b in zip(above, below, strict=True))
