"""A population's predicted counts against the response surface at each trial's own inputs."""

from dataclasses import replace

import numpy as np
import pytest

from ketune._jax import jax, jnp
from ketune.afferents import Drive
from ketune.errors import InputError
from ketune.fitting import drive_at
from ketune.inference._density import GAIN, GAIN_SHARE
from ketune.reproduce import POPULATION_ACTIONS, PredictedPopulation
from ketune.reproduce._predicted import population_moments
from ketune.surface import CellActions
from ketune.surface._design import DesignPoint
from ketune.surface._trials import inputs_of

DOSED = {
    "nmda_basal": 0.2, "nmda_apical": 0.1, "pv": 0.5, "sst": 0.6, "hcn_shift_mV": 8.0, "hcn_block": 0.3,
    "nav_block": 0.05, "kv_block": 0.2, "kv_shift_mV": 2.0, "tonic_gaba_gain": 1.2, "recurrent_drive": 0.8,
    "retuning_deg": 0.0, "gain_noise": 0.5,
}  # fmt: skip


def trial_by_trial(population, surface, cell, neurons, layouts, actions):
    """The same means from the inputs of single trials, one at a time."""
    apical = cell.table.region == "apical"
    a = {name: actions.get(name, action.none) for name, action in POPULATION_ACTIONS.items()}
    found = np.empty((len(neurons), len(population.orientation_deg), len(GAIN)))
    for i, (neuron, layout) in enumerate(zip(neurons, layouts, strict=True)):
        values = dict(neuron.values)
        values["peak_rate_hz"] *= a["recurrent_drive"]
        values["gain_sd"] *= a["gain_noise"]
        values["nmda_nS"] *= a["nmda_basal"]
        drive = replace(drive_at(values, Drive()), pv_drive=a["pv"], sst_drive=a["sst"])
        on_cell = {n: a[n] for n in a if n in CellActions.__dataclass_fields__}
        cell_actions = CellActions(nmda_tilt=a["nmda_apical"] / a["nmda_basal"], **on_cell)
        strengths = {n: values[n] for n in ("ampa_nS", "nmda_nS", "pv_nS", "sst_nS")}
        for k, orientation in enumerate(population.orientation_deg):
            for g, deviate in enumerate(GAIN):
                point = DesignPoint(drive, strengths, orientation, deviate, 0, cell_actions)
                inputs = inputs_of(point, layout, apical, population.window_s)
                found[i, k, g] = surface.moments(np.log(inputs))[0]
    return found


@pytest.mark.parametrize("actions", [{}, DOSED], ids=["control", "dosed"])
def test_counts_are_those_of_single_trials(population, acting_surface, tiny_cell, neurons, layouts, actions):
    expected = trial_by_trial(population, acting_surface, tiny_cell, neurons, layouts, actions)
    moments = population.moments(actions)
    np.testing.assert_allclose(moments.at_gain, expected, rtol=1e-5)
    np.testing.assert_allclose(moments.mean, expected @ GAIN_SHARE, rtol=1e-5)


def test_the_fano_factor_holds_the_gain(population):
    moments = population.moments({})
    second = (moments.dispersion * moments.at_gain + moments.at_gain**2) @ GAIN_SHARE
    np.testing.assert_allclose(moments.fano, (second - moments.mean**2) / moments.mean, rtol=1e-6)


def test_retuning_turns_the_apical_preference(acting_surface, tiny_cell, population, neurons, layouts):
    """Against neurons whose apical trees prefer other orientations from the start."""
    turn = np.array([0.7, -1.2, 0.3])
    turned = [
        replace(n, values={**n.values, "preferred_apical_deg": n.values["preferred_apical_deg"] + 20 * t})
        for n, t in zip(neurons, turn, strict=True)
    ]
    other = PredictedPopulation(
        acting_surface, tiny_cell, turned, layouts, population.orientation_deg, 0.5, turn=0 * turn
    )
    found = population.moments({"retuning_deg": 20.0}).mean
    np.testing.assert_allclose(found, other.moments({}).mean, rtol=0.01)
    assert np.abs(np.log(found / population.moments({}).mean)).max() > 0.05


def test_gradient_in_every_action(population):
    at = {name: jnp.asarray(DOSED[name] + (5.0 if name == "retuning_deg" else 0.0)) for name in DOSED}

    @jax.jit
    def total(values):
        moments = population_moments(population.arrays, values)
        return jnp.sum(moments.mean * moments.fano)

    slope = jax.grad(total)(at)
    for name, value in at.items():
        h = 1e-4 * max(1.0, abs(float(value)))
        difference = (total(at | {name: value + h}) - total(at | {name: value - h})) / (2 * h)
        assert float(slope[name]) == pytest.approx(float(difference), rel=2e-2, abs=2e-2), name


def test_a_surface_without_actions_is_refused(made_up_surface, tiny_cell, neurons, layouts):
    with pytest.raises(InputError, match="actions"):
        PredictedPopulation(made_up_surface, tiny_cell, neurons, layouts, (0.0, 90.0), 0.5, turn=np.zeros(3))
