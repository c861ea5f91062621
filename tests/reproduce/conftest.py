"""A few neurons of the tiny cell, a made-up response surface that knows a drug's actions, and recorded populations."""

from collections.abc import Callable

import numpy as np
import pytest

from ketune.afferents import place_synapses
from ketune.population import VirtualNeuron
from ketune.reproduce import PopulationCounts, PredictedPopulation
from ketune.surface import ACTIONS, Surface
from ketune.tuning import sample_counts

ORIENTATION_DEG = (0.0, 30.0, 60.0, 90.0, 120.0, 150.0, float("nan"))
WINDOW_S = 0.5
TURN = np.array([0.7, -1.2, 0.3])


def neuron(seed: int) -> VirtualNeuron:
    values = {
        "peak_rate_hz": 4.0 + seed, "background_rate_hz": 0.3, "preferred_basal_deg": 70.0 + 10 * seed,
        "preferred_apical_deg": 100.0, "spread_basal_deg": 15.0, "spread_apical_deg": 20.0, "ampa_nS": 0.6,
        "nmda_nS": 0.8, "pv_nS": 1.0, "sst_nS": 1.2, "gain_sd": 0.3,
    }  # fmt: skip
    return VirtualNeuron(values, placement_seed=30 + seed)


@pytest.fixture(scope="session")
def neurons():
    return [neuron(i) for i in range(3)]


@pytest.fixture(scope="session")
def layouts(tiny_cell, neurons):
    return [
        place_synapses(tiny_cell, seed=n.placement_seed, excitatory_per_um=0.5, n_pv=20, n_sst=40)
        for n in neurons
    ]


@pytest.fixture(scope="session")
def acting_surface(made_up_surface):
    """The made-up surface, on which every action lowers or raises excitation."""
    first, bias = made_up_surface.weights[0]
    rows = np.outer([0.3, -0.4, 0.2, 0.9, -0.6, 0.2, -0.3], [1.0, 0.6, -0.2]).astype(np.float32)
    first = np.concatenate([first[:-1], rows, first[-1:]])
    own, n = made_up_surface, len(ACTIONS)

    def widened(x, value):
        return np.concatenate([x[:-1], np.full(n, value), x[-1:]])

    return Surface(
        [(first, bias), *own.weights[1:]],
        widened(own.centre, 0.0),
        widened(own.scale, 1.0),
        widened(own.low, -3.0),
        widened(own.high, 3.0),
        own.error,
    )


@pytest.fixture(scope="session")
def population(acting_surface, tiny_cell, neurons, layouts):
    return PredictedPopulation(
        acting_surface, tiny_cell, neurons, layouts, ORIENTATION_DEG, WINDOW_S, turn=TURN
    )


def synthetic_population(
    seed: int,
    n: int = 48,
    *,
    peak_hz: float = 10.0,
    sigma_deg: float = 18.0,
    floor: float = 0.1,
    fano: float = 1.4,
    blank_hz: float = 1.0,
    window_s: float = 0.5,
    rate: float = 1.0,
    width: float = 1.0,
    shift_sd_deg: float = 0.0,
    fano_ratio: float = 1.0,
    raised_floor: float = 0.0,
    blank_ratio: float = 1.0,
) -> PopulationCounts:
    """Counts of known tuning, by the plain formula and not the package's own curve; from `rate` on, the drug."""
    generator = np.random.default_rng([seed, 77])
    preferred = generator.uniform(0, 180, n)
    shifted = preferred + shift_sd_deg * generator.standard_normal(n)
    sizes = np.exp(generator.normal(0, [[0.4], [0.2], [0.15], [0.5]], (4, n)))
    tested = np.append(np.arange(9) * 22.5, np.nan)
    theta, found = tested[:-1], []
    for drug, po in ((0, preferred), (1, shifted)):
        d = (theta - po[:, None] + 90) % 180 - 90
        sigma = sigma_deg * sizes[1] * (width if drug else 1.0)
        low = floor + drug * raised_floor
        tuned = low + (1 - low) * np.exp(-(d**2) / (2 * sigma[:, None] ** 2))
        mean = window_s * peak_hz * sizes[0][:, None] * (rate if drug else 1.0) * tuned
        blank = window_s * blank_hz * sizes[3] * (blank_ratio if drug else 1.0)
        dispersion = np.maximum(fano * sizes[2] * (fano_ratio if drug else 1.0), 0.1)
        counts = sample_counts(np.c_[mean, blank], dispersion[:, None], 25, generator)
        found.append(np.moveaxis(counts, 0, -1))
    return PopulationCounts(*found, tested, window_s)


@pytest.fixture
def recorded_population() -> Callable[..., PopulationCounts]:
    return synthetic_population
