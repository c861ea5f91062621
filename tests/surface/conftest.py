"""A spiking cell that costs nothing: its counts are Poisson about a mean that a test chooses."""

from types import SimpleNamespace

import numpy as np
import pytest

from ketune.surface import Trials
from ketune.surface._trials import inputs_of


class PoissonCell:
    """Stands in for ``simulate_points``: ``mean(inputs, points)`` spikes, and a record of the runs."""

    def __init__(self, mean):
        self.mean, self.runs, self.fail_at = mean, [], None

    def __call__(
        self, engine, layouts, points, *, window_s, shorter_s=(), seed, first_trial=0, on_advance=None
    ):
        if len(self.runs) == self.fail_at:
            raise KeyboardInterrupt
        self.runs.append(first_trial)
        rng = np.random.default_rng([seed, first_trial])
        apical = engine.twin.cell.table.region == "apical"
        results = []
        for seconds in (window_s, *shorter_s):
            inputs = np.array([inputs_of(p, layouts[p.placement], apical, seconds) for p in points])
            placement = np.array([p.placement for p in points])
            results.append(Trials(inputs, rng.poisson(self.mean(inputs, points)), placement))
        return results


@pytest.fixture
def poisson_cell():
    return PoissonCell


@pytest.fixture
def engine_of():
    """What a surface asks of an engine, without one."""

    def made(cell, dt_ms=0.1):
        return SimpleNamespace(twin=SimpleNamespace(cell=cell, dt_ms=dt_ms))

    return made
