"""The tape as a JAX function: gradients of readouts that JAX knows, through simulations that it does not."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ketune.afferents import Drive, Grating, hard_events, place_synapses
from ketune.cell_model import build_cell
from ketune.engines import create
from ketune.engines.jax_function import voltage_function
from ketune.errors import InputError
from ketune.morphology import SMALL_MORPHOLOGY, read_morphology

DT = 0.1
WRT = ("ampa", "gmax"), ("km", "gbar")


@cache
def problem(choice):
    cell = build_cell(None, read_morphology(SMALL_MORPHOLOGY))
    grating = Grating((90.0,), window_ms=15.0, warm_up_ms=5.0)
    events = hard_events(place_synapses(cell, seed=2), grating, Drive(), trials=range(3), seed=4, dt_ms=DT)
    return create(cell, choice, dt_ms=DT, dtype=np.float64), events


def values(engine):
    return {key: engine.twin.cell.placement(key[0]).parameters[key[1]] for key in WRT}


@jax.jit
def readout(v):
    return jnp.mean(jax.nn.softplus(v[20:, 0] + 70.0))


@pytest.mark.parametrize("choice", ["native", "xla"])
def test_gradient_of_a_readout_agrees_with_finite_differences(choice):
    engine, events = problem(choice)
    voltage = voltage_function(engine, events)
    at = values(engine)

    def loss(scale, weight):
        return readout(voltage({key: x * s for (key, x), s in zip(at.items(), scale, strict=True)}, weight))

    scale, weight = jnp.ones(2), jnp.asarray(events.weight)
    value, (by_scale, by_weight) = jax.value_and_grad(loss, argnums=(0, 1))(scale, weight)
    direction = np.random.default_rng(0).uniform(-1, 1, len(weight))
    h = 1e-4
    for found, change in (
        *((by_scale[k], (h * jnp.eye(2)[k], 0.0)) for k in range(2)),
        (by_weight @ direction, (0.0, h * direction)),
    ):
        up, down = (float(loss(scale + s * change[0], weight + s * change[1])) for s in (1, -1))
        assert found == pytest.approx((up - down) / (2 * h), rel=1e-6)
    assert value == pytest.approx(float(readout(engine.run(events).v_mV)), abs=1e-9)


def test_inside_a_compiled_function_it_is_refused_in_one_line():
    engine, events = problem("xla")
    voltage = voltage_function(engine, events)
    with pytest.raises(InputError, match="outside JAX"):
        jax.jit(lambda w: voltage(values(engine), w))(events.weight)
