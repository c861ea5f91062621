"""The averaged scheme against single trains of events: NMDA5.mod in NEURON, and matrix exponentials event by event."""

import importlib.util
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from ketune.pharmacology import kinetic_block, markov_block

SCRIPTS = Path(__file__).parents[2] / "docs" / "scripts"
VT_mV = 26.7267  # NEURON's RT/F at 37 degC; the drug file rounds it


@cache
def script():
    """docs/scripts/nmda_block.py."""
    spec = importlib.util.spec_from_file_location("nmda_block", SCRIPTS / "nmda_block.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def averaged(level, receptor, rate_hz, duration_s):
    c = np.full((2, 1), receptor.ket)
    at = ([0.0, duration_s / 60.0], c, receptor.v, rate_hz, receptor.drug(), {"2A": 1.0})
    return float(level(*at, substeps=1, thermal_mV=VT_mV)[-1, 0])


@pytest.mark.neuron
@pytest.mark.parametrize(("kind", "rate"), [("poisson", 8.0), ("regular", 2.0)])
def test_neuron_goes_through_a_train_as_the_matrices_do(kind, rate):
    s = script()
    end = 6e3
    train = (
        s.poisson_train(rate, end, np.random.default_rng(3))
        if kind == "poisson"
        else s.regular_train(rate, end)
    )
    receptors = [s.Receptor(-40.0, 4.0), s.Receptor(-40.0, 100.0), s.Receptor(-40.0, 4.0, faster=20.0)]
    got = s.in_neuron(receptors, train, end)
    for k, receptor in enumerate(receptors):
        expected = s.EventByEvent(receptor).run(train, end)
        np.testing.assert_allclose(got[:, k], expected, atol=4e-3)  # of NEURON's step of 0.025 ms
        np.testing.assert_allclose(s.bound(got[:, k]), s.bound(expected), atol=2e-3)
        assert s.bound(expected)[-1] > 0.2


@pytest.mark.slow
@pytest.mark.neuron
@pytest.mark.parametrize(
    ("v", "ket", "rate", "duration_s"),
    [(-66.0, 4.0, 4.0, 200.0), (-30.0, 1.0, 4.0, 200.0), (-40.0, 20.0, 0.5, 600.0)],
)
def test_neuron_averages_to_the_level(v, ket, rate, duration_s):
    """Block before the events of a long Poisson train is its mean over time; drug and escape 20 times faster."""
    s = script()
    receptor, end = s.Receptor(v, ket, faster=20.0), duration_s * 1e3
    train = s.poisson_train(rate, end, np.random.default_rng(8))
    block = s.bound(s.in_neuron([receptor], train, end))[:, 0]
    parts = np.array([part.mean() for part in np.array_split(block[40:-1], 12)])
    error = parts.std(ddof=1) / np.sqrt(parts.size)
    assert error < 0.01
    for level in (kinetic_block, markov_block):
        assert parts.mean() == pytest.approx(averaged(level, receptor, rate, 1e4), abs=4 * error)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("c", "v", "rate", "duration_s", "n"),
    [
        (4.0, -66.0, 0.1, 300.0, 40),
        (4.0, -66.0, 2.0, 20.0, 40),
        (100.0, -20.0, 0.1, 20.0, 200),
        (30.0, -40.0, 8.0, 0.5, 150),
    ],
)
def test_trains_average_to_the_levels(c, v, rate, duration_s, n):
    """Onset from none, at the drug's own rates."""
    s = script()
    receptor = s.Receptor(v, c)
    mean, error = s.mean_of_trains(receptor, rate, duration_s, n, seed=1)
    assert error < 0.03
    assert mean == pytest.approx(averaged(markov_block, receptor, rate, duration_s), abs=4 * error)
    assert mean == pytest.approx(averaged(kinetic_block, receptor, rate, duration_s), abs=0.01 + 4 * error)


def test_regular_events_block_a_little_more():
    s = script()
    c, v, r = s.grid()
    more = [
        s.regular_block(*at) - s.settled(*at)["markov"][0]
        for at in zip(c, v, r, strict=True)
        if at[1] == -80.0
    ]
    assert min(more) > -1e-4
    assert max(more) == pytest.approx(0.0073, abs=2e-4)
