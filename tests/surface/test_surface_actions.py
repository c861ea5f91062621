"""A drug's actions on the cell as inputs of a response surface."""

from dataclasses import replace

import numpy as np
import pytest

from ketune._jax import jnp
from ketune.afferents import Drive
from ketune.pharmacology import NEUTRAL, DrugEffect, apply_effect
from ketune.surface import (
    ACTIONS,
    INPUTS,
    INPUTS_AND_ACTIONS,
    CellActions,
    Surface,
    SurfaceError,
    action_overrides,
    log_actions,
)
from ketune.surface._design import DesignPoint, random_points
from ketune.surface._trials import inputs_of

STRENGTHS = {("ampa", "gmax"): 3e-4, ("nmda", "gmax"): 5e-4}
KETAMINE = CellActions(0.7, 9.0, 0.36, 0.05, 0.27, 2.8, 1.25)


def test_no_drug_is_zero_in_every_logarithm():
    np.testing.assert_array_equal(np.log(CellActions().inputs()), np.zeros(len(ACTIONS)))
    np.testing.assert_array_equal(log_actions({}), np.zeros(len(ACTIONS)))


@pytest.mark.parametrize("xp", [np, jnp])
def test_logarithms_are_those_of_the_inputs(xp):
    values = {name: getattr(KETAMINE, name) for name in ACTIONS}
    np.testing.assert_allclose(log_actions(values, xp), np.log(KETAMINE.inputs()), rtol=1e-12)


def test_lanes_are_what_the_pharmacology_sets(tiny_cell):
    """Against `apply_effect`, which doses fitted neurons, with the same actions on every compartment."""
    n = tiny_cell.table.n
    base = {key: np.array([[value, 2 * value]]) for key, value in STRENGTHS.items()}
    found = action_overrides(tiny_cell, [CellActions(), KETAMINE], base)
    own = tiny_cell.with_parameters({key: 2 * value for key, value in STRENGTHS.items()})
    fields = {name: np.full(n, value) for name, value in NEUTRAL.items()}
    fields |= {name: np.full(n, getattr(KETAMINE, name)) for name in ACTIONS if name != "nmda_tilt"}
    fields["nmda_gain"] = np.where(tiny_cell.table.region == "apical", KETAMINE.nmda_tilt, 1.0)
    for name in NEUTRAL:
        if name.endswith("_drive") or name.startswith(("pv_", "sst_", "vip_")):
            fields[name] = NEUTRAL[name]
    expected, _ = apply_effect(own, DrugEffect(label="ketamine", time_min=30.0, **fields))
    assert set(expected) <= set(found)
    for key, value in expected.items():
        np.testing.assert_allclose(found[key][:, 1], value, rtol=1e-12, err_msg=str(key))
    np.testing.assert_array_equal(found["ampa", "gmax"], base["ampa", "gmax"])
    for (label, name), value in found.items():
        if name != "gmax":
            np.testing.assert_array_equal(value[:, 0], tiny_cell.placement(label).parameters[name])


def test_the_window_stays_the_last_input(tiny_cell, tiny_layout):
    apical = tiny_cell.table.region == "apical"
    point = DesignPoint(Drive(), {"ampa_nS": 0.3, "nmda_nS": 0.5, "pv_nS": 1.0, "sst_nS": 1.0}, 45.0, 0.3, 0)
    plain, dosed = (inputs_of(p, tiny_layout, apical, 0.7) for p in (point, replace(point, actions=KETAMINE)))
    assert (len(plain), len(dosed)) == (len(INPUTS), len(INPUTS_AND_ACTIONS))
    np.testing.assert_array_equal(dosed[[*range(9), -1]], plain)
    np.testing.assert_array_equal(dosed[9:-1], KETAMINE.inputs())
    assert INPUTS_AND_ACTIONS[9:-1] == ACTIONS


def test_random_actions_cover_no_drug_and_strong_ones():
    points = random_points(400, np.random.default_rng(3), placements=4, actions=True)
    inputs = np.array([p.actions.inputs() for p in points])
    assert np.all(inputs > 0)
    still = (inputs == 1.0).mean(axis=0)
    assert np.all((still > 0.2) & (still < 0.4))
    assert np.all(np.log(inputs).std(axis=0) > 0.05)
    assert all(p.actions is None for p in random_points(3, np.random.default_rng(3), placements=4))


def test_a_surface_with_actions_is_read_as_it_was_written(tmp_path):
    rng, n = np.random.default_rng(1), len(INPUTS_AND_ACTIONS)
    layers = [(rng.normal(size=(a, b)), rng.normal(size=b)) for a, b in ((n, 4), (4, 4), (4, 2))]
    surface = Surface(layers, np.zeros(n), np.ones(n), np.full(n, -2.0), np.full(n, 2.0), SurfaceError())
    surface.save(tmp_path / "surface.npz")
    again = Surface.load(tmp_path / "surface.npz")
    assert again.inputs == INPUTS_AND_ACTIONS
    x = rng.normal(size=(5, n))
    for a, b in zip(surface.moments(x), again.moments(x), strict=True):
        np.testing.assert_array_equal(a, b)
