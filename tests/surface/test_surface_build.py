"""Building a surface: batches, the choice of trials, and going on after an interruption."""

import numpy as np
import pytest
from scipy import stats

from ketune.surface import SurfaceEffort, build_surface
from ketune.surface import _build as build
from ketune.surface._surface import network

EFFORT = SurfaceEffort(trials=1024, placements=2)


def some_mean(inputs, points):
    return 8.0 * inputs[:, -1] * inputs[:, 0] * inputs[:, 5]


def regression(z, log_window, counts, how, *, seed):
    """In the place of training, which takes seconds to compile: as sensitive to every trial."""
    slope, *_ = np.linalg.lstsq(z, np.log(counts + 0.5) - log_window, rcond=None)
    return [(np.stack([slope, 0 * slope], axis=1), np.array([how.steps * 1e-5, seed * 0.1]))]


@pytest.fixture
def cheap(monkeypatch, poisson_cell, engine_of):
    """Building without simulation; gives the stand-in for the cell."""
    cell = poisson_cell(some_mean)
    monkeypatch.setattr(build, "create", lambda cell, *_, **__: engine_of(cell))
    monkeypatch.setattr(build, "describe", lambda engine: "none")
    monkeypatch.setattr(build, "simulate_points", cell)
    monkeypatch.setattr(network, "train", regression)
    return cell


def test_goes_on_where_it_was(cheap, tiny_cell, tmp_path):
    whole = build_surface(tiny_cell, EFFORT, seed=4)
    assert cheap.runs == [0, 256, 512, 768]
    cheap.runs, cheap.fail_at = [], 2
    with pytest.raises(KeyboardInterrupt):
        build_surface(tiny_cell, EFFORT, seed=4, kept=tmp_path)
    assert sorted(f.name for f in tmp_path.iterdir()) == ["trials-0.npz", "trials-1.npz"]
    cheap.runs, cheap.fail_at = [], None
    resumed = build_surface(tiny_cell, EFFORT, seed=4, kept=tmp_path)
    assert cheap.runs == [512, 768]
    for a, b in zip(whole.weights, resumed.weights, strict=True):
        np.testing.assert_array_equal(a[0], b[0])
    np.testing.assert_array_equal(whole.centre, resumed.centre)
    assert resumed.made == {
        "cell": tiny_cell.name,
        "seed": 4,
        "trials": 1024,
        "placements": 2,
        "engine": "none",
    }


def test_later_trials_are_where_the_cell_responds(made_up_surface, tiny_cell, tiny_layout, engine_of):
    engine, window_s = engine_of(tiny_cell), 0.5
    apical = tiny_cell.table.region == "apical"

    def log_rates(surface):
        rng = np.random.default_rng(8)
        points = build._points(rng, SurfaceEffort(placements=1), surface, [tiny_layout], engine, window_s)
        assert len(points) == 256
        assert len({id(p) for p in points}) == 256
        inputs = np.array([build.inputs_of(p, tiny_layout, apical, window_s) for p in points])
        return np.log(np.asarray(made_up_surface.moments(np.log(inputs))[0]) / window_s)

    even = stats.uniform(np.log(0.3), np.log(70.0 / 0.3))
    before, after = (stats.kstest(log_rates(s), even.cdf).statistic for s in (None, made_up_surface))
    assert after < 0.6 * before
