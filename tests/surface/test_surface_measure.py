"""The measured error of a surface is the one that was put in."""

import numpy as np
import pytest

from ketune.surface import _measure, measured

REPEATS, PLACEMENTS = _measure._REPEATS, _measure._PLACEMENTS


@pytest.fixture
def compared(monkeypatch, tiny_cell, made_up_surface, poisson_cell, engine_of):
    def run(by_placement, by_drive, seed=1):
        rng = np.random.default_rng(17)
        placement = by_placement * rng.standard_normal(10_000)
        drive = by_drive * rng.standard_normal(1000)
        seen = [0]

        def mean(inputs, points):
            group = (seen[0] + np.arange(len(points))) // REPEATS
            seen[0] += len(points)
            shifted = inputs.copy()
            shifted[:, :5] *= np.exp(placement[group] + drive[group // PLACEMENTS])[:, None]
            return np.asarray(made_up_surface.moments(np.log(shifted))[0])

        monkeypatch.setattr(_measure, "create", lambda cell, *_, **__: engine_of(cell))
        monkeypatch.setattr(_measure, "simulate_points", poisson_cell(mean))
        return measured(made_up_surface, tiny_cell, seed=seed)

    return run


def test_a_perfect_surface_has_no_error(compared, made_up_surface):
    surface = compared(0.0, 0.0)
    assert surface.error.location_sd < 0.06
    assert surface.error.surface_sd < 0.04
    assert surface.weights is made_up_surface.weights
    for low, high, ratio, error in surface.error.bias:
        assert low < high
        assert 0 < error < 0.1
        assert abs(ratio - 1) < 4 * error


def test_differences_between_placements_are_found(compared):
    error = compared(0.25, 0.0).error
    assert error.location_sd == pytest.approx(0.25, rel=0.3)
    assert error.surface_sd < 0.1


def test_error_of_all_placements_is_found(compared):
    error = compared(0.0, 0.25).error
    assert error.surface_sd == pytest.approx(0.25, rel=0.4)
    assert error.location_sd < 0.09
