"""Expected spikes of a dosed neuron against finite differences in the numbers of the drug, through everything."""

from functools import partial

import jax.numpy as jnp
import numpy as np
import pytest

from ketune.afferents import Drive, Grating, candidates
from ketune.fitting import Hazard
from ketune.fitting._parameters import coordinates_of, drive_at, values_of
from ketune.fitting._silent import SilentTwin
from ketune.pharmacology import effect_fields, load_drug

GRATING = Grating((80.0, 130.0), window_ms=60.0, warm_up_ms=30.0)
VALUES = {
    "peak_rate_hz": 12.0, "background_rate_hz": 2.0, "preferred_basal_deg": 85.0, "preferred_apical_deg": 102.0,
    "spread_basal_deg": 20.0, "spread_apical_deg": 25.0, "ampa_nS": 0.6, "nmda_nS": 0.6, "pv_nS": 1.0, "sst_nS": 1.0,
    "gain_sd": 0.3,
}  # fmt: skip
U = coordinates_of(VALUES)
HAZARD = Hazard(-66.0, 3.0, 6.0, 2.0)
KETAMINE = load_drug()
NAMES = (
    "nmda.affinity_scale", "nmda.delta", "nmda.hill", "nmda.mg", "nmda.k_mg_2A", "pyramid.fraction_2A",
    "interneuron.fraction_2D", "interneuron.kappa", "interneuron.drive_exponent", "pv.nmda_share", "sst.nmda_share",
    "hcn1.ec50", "hcn1.dv_max", "hcn1.rho_max", "gabatonic.gain_per_100uM",
)  # fmt: skip


@pytest.mark.slow
def test_slope_of_expected_spikes_in_every_number_of_the_drug(tiny_cell, tiny_layout):
    twin = SilentTwin(tiny_cell, Drive(), warm_up_ms=GRATING.warm_up_ms, dtype=jnp.float64)
    soft = candidates(
        tiny_layout,
        GRATING,
        drive_at(values_of(U), Drive()),
        trials=range(3),
        seed=3,
        dt_ms=twin.dt_ms,
        softness=0.1,
    )
    features = twin.features(soft)
    n = tiny_cell.table.n
    c, v = np.linspace(2.0, 40.0, n), np.linspace(-70.0, -40.0, n)
    base = KETAMINE.values()

    def effect(values, xp=jnp):
        return effect_fields(
            KETAMINE, base | values, xp.asarray(c), v=xp.asarray(v), interneuron_c=2.0, xp=xp
        )

    cotangent = np.random.default_rng(2).uniform(0.5, 1.5, features.events.n_lanes)
    slopes_at = partial(twin.drug_gradient, U, features, HAZARD, effect=effect, cotangent=cotangent)
    at = {name: base[name] for name in NAMES}
    counts, slope = slopes_at(numbers=at)
    assert counts.shape == (6,)
    assert np.all(counts > 0.1)
    for name in NAMES:
        h = 1e-3 * base[name]
        up, down = (slopes_at(numbers=at | {name: base[name] + s * h})[0] @ cotangent for s in (1, -1))
        assert slope[name] == pytest.approx((up - down) / (2 * h), rel=1e-3, abs=1e-8), name
        assert slope[name] != 0.0, name
