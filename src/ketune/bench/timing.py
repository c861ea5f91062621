"""Paired timing: contenders take turns, because the speed of a machine drifts; the median over the rounds counts."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from statistics import median
from typing import TypeVar

from ketune.progress import Task

Key = TypeVar("Key", bound=Hashable)


def interleaved(runs: Mapping[Key, Callable[[], float]], rounds: int, task: Task) -> dict[Key, float]:
    """The median speed of each, every one run once in each round."""
    speeds: dict[Key, list[float]] = {key: [] for key in runs}
    for _ in range(rounds):
        for key, run in runs.items():
            speeds[key].append(run())
            task.advance()
    return {key: median(values) for key, values in speeds.items()}
