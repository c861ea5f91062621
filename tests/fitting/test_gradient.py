"""The gradient contract: the whole log-likelihood against finite differences of the same estimator."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

from ketune.afferents import Drive, Grating
from ketune.events import Events
from ketune.fitting import NAMES, PARAMETERS, Hazard
from ketune.fitting._calibrate import Calibration
from ketune.fitting._correction import Correction
from ketune.fitting._parameters import coordinates_of
from ketune.fitting._silent import SilentTwin
from ketune.fitting._surrogate import Surrogate

# One orientation of every kind: near the preferred one, away from it, and a blank.
GRATING = Grating((80.0, 130.0, float("nan")), window_ms=60.0, warm_up_ms=30.0)
TRIALS = 3
VALUES = {
    "peak_rate_hz": 12.0, "background_rate_hz": 2.0, "preferred_basal_deg": 85.0, "preferred_apical_deg": 102.0,
    "spread_basal_deg": 20.0, "spread_apical_deg": 25.0, "ampa_nS": 0.6, "nmda_nS": 0.6, "pv_nS": 1.0, "sst_nS": 1.0,
    "gain_sd": 0.3,
}  # fmt: skip
U = coordinates_of(VALUES)
# Central differences over these are exact to about 1e-6: the estimator is smooth, and its voltage is float64.
STEP = np.array([0.02 if p.scale == "orientation" else 1e-3 for p in PARAMETERS])


def surrogate_on(twin, layout):
    rng = np.random.default_rng(0)
    return Surrogate(
        twin,
        layout,
        Drive(),
        GRATING,
        [rng.poisson(mean, n) for mean, n in ((3.0, 14), (2.0, 9), (1.0, 6))],
        window_ms=90.0,  # the recording's window is longer than the simulated one
        calibration=Calibration(Hazard(-66.0, 3.0, 6.0, 2.0), 0.9, 1.0, 10),
        trials=TRIALS,
        seed=3,
        correction=Correction(
            np.array([1.2, 0.9, 1.0]), np.array([1.6, 0.7, 1.0]), np.array([0.9, 1.2, 1.1]), window_ratio=0.6
        ),
    )


def differences(surrogate, features):
    def log_likelihood(u):
        return sum(law.log_likelihood for law in surrogate._laws(surrogate._expected([u], features)[0]))

    steps = np.diag(STEP)
    return np.array([log_likelihood(U + s) - log_likelihood(U - s) for s in steps]) / (2 * STEP)


@pytest.fixture(scope="module")
def exact(tiny_cell, tiny_layout):
    """The likelihood of the whole cell in float64, its features and its gradient in reverse mode."""
    twin = SilentTwin(tiny_cell, Drive(), warm_up_ms=GRATING.warm_up_ms, dtype=jnp.float64)
    surrogate = surrogate_on(twin, tiny_layout)
    features = surrogate.features(U)
    return surrogate, features, surrogate.gradient(U, features)


@pytest.fixture(scope="module")
def plain_cell(tiny_cell):
    """Leak and synapses only: compiles in a few seconds."""
    kept = ("leak", "ampa", "nmda", "gaba_pv", "gaba_sst")
    return replace(tiny_cell, placements=tuple(p for p in tiny_cell.placements if p.label in kept))


@pytest.mark.slow
def test_reverse_mode_agrees_with_central_differences_for_every_parameter(exact):
    surrogate, features, gradient = exact
    wanted = differences(surrogate, features)
    # Every parameter matters here, so that each agreement says something.
    assert np.all(np.abs(wanted * STEP) > 1e-6), dict(zip(NAMES, wanted, strict=True))
    for name, found, want in zip(NAMES, gradient, wanted, strict=True):
        assert found == pytest.approx(want, rel=1e-3), name


@pytest.mark.slow
def test_differences_over_the_lanes_agree_with_reverse_mode_to_the_order_of_their_step(exact):
    """The gradient that comes with the information matrix: forward differences, wrong in the first order."""
    surrogate, _, gradient = exact
    found = surrogate.derivatives(U, information=True)
    assert found.gradient == pytest.approx(gradient, rel=0.1, abs=0.02 * np.abs(gradient).max())
    information = found.information
    np.testing.assert_allclose(information, information.T, rtol=1e-9, atol=1e-9)
    assert np.linalg.eigvalsh(information).min() > -1e-9 * np.trace(information)
    np.testing.assert_allclose(
        surrogate.derivatives(U, information=False).gradient, gradient, rtol=1e-12, atol=1e-12
    )


@pytest.fixture(scope="module")
def plain(plain_cell, tiny_layout):
    """Builds the likelihood of the plain cell, its expected counts and its gradient."""

    def build(**options):
        twin = SilentTwin(plain_cell, Drive(), warm_up_ms=GRATING.warm_up_ms, **options)
        surrogate = surrogate_on(twin, tiny_layout)
        features = surrogate.features(U)
        return surrogate._expected([U], features)[0], surrogate.gradient(U, features)

    return build


@pytest.fixture(scope="module")
def plain_exact(plain):
    return plain(dtype=jnp.float64)


@pytest.mark.slow
def test_both_engines_give_the_same_likelihood_and_gradient(plain, plain_exact):
    expected, gradient = plain(dtype=jnp.float64, engine="xla")
    np.testing.assert_allclose(expected, plain_exact[0], rtol=1e-9)
    np.testing.assert_allclose(gradient, plain_exact[1], rtol=1e-9, atol=1e-12)


@pytest.mark.slow
def test_single_precision_is_close_enough_to_climb_with(plain, plain_exact):
    expected, gradient = plain()
    assert expected == pytest.approx(plain_exact[0], rel=1e-4)
    assert gradient == pytest.approx(plain_exact[1], rel=0.01, abs=1e-3 * np.abs(plain_exact[1]).max())


def test_more_lanes_than_a_block_are_the_same_lanes(plain_cell, tiny_layout):
    """Blocks of lanes run side by side; each lane's count depends on its own events alone."""
    twin = SilentTwin(plain_cell, Drive(), warm_up_ms=GRATING.warm_up_ms)
    surrogate = surrogate_on(twin, tiny_layout)
    features = surrogate.features(U)
    once, of_stream = features.events, features.of_stream
    n = len(once.step)
    four = replace(
        features,
        events=Events.stack([once] * 4),
        index={k: _in_stack(once, i) for k, i in features.index.items()},
        of_stream={
            k: {name: np.tile(x[: len(features.index[k])], 4) for name, x in f.items()}
            for k, f in of_stream.items()
        },
    )
    assert n * 4 == len(four.events.step)
    counts = twin.counts([U, U + 0.1], four, surrogate.hazard)
    assert counts.shape == (2, 36)
    # Lanes of the same events lie in different places of different blocks.
    np.testing.assert_allclose(counts[:, 9:], np.tile(counts[:, :9], 3), rtol=1e-5)
    assert np.all(counts[1] != counts[0])
    assert len(np.unique(counts[0, :9])) == 9


def _in_stack(once, index):
    """Where some events lie after four copies of them all were stacked, copy after copy."""
    numbered = [replace(once, weight=np.arange(len(once.step)) + i * len(once.step)) for i in range(4)]
    place = np.argsort(Events.stack(numbered).weight)
    return np.concatenate([place[index + i * len(once.step)] for i in range(4)])
