"""Synapses with short-term plasticity in the native engine, against the twin under XLA."""

from dataclasses import replace

import numpy as np
import pytest

from ketune._compiled import compiler
from ketune.cell import Cell, Placement
from ketune.engines import describe
from ketune.engines.jax_engine import JaxEngine
from ketune.engines.native_engine import NativeEngine
from ketune.errors import InputError
from ketune.events import Events
from ketune.verify_cases import DT_ms, mechanism_case

pytestmark = pytest.mark.skipif(compiler() is None, reason="needs a C++ compiler")

DURATION_ms = 200.0
OPTIONS = {"dt_ms": DT_ms, "dtype": np.float64}


def both(cell, events, **options):
    """Under XLA and in the kernel, every compartment."""
    runs = []
    for kind in (JaxEngine, NativeEngine):
        engine = kind(cell, **OPTIONS)
        runs.append(engine.run(events, record=range(cell.table.n), stride=10, **options))
        assert describe(engine)["name"] == ("native" if kind is NativeEngine else "xla")
    return runs


@pytest.mark.parametrize("name", ["AMPA_STP", "NMDA_STP", "GABAA_STP"])
def test_depression_and_facilitation(name):
    case = mechanism_case(name, DURATION_ms)
    states = [(name, x) for x in case.cell.placement(name).mechanism.states]
    expected, found = both(
        case.cell, case.events, overrides=case.overrides, injected_nA=case.injected_nA, variables=states
    )
    np.testing.assert_allclose(found.v_mV, expected.v_mV, rtol=0, atol=1e-6)
    for key in states:
        assert expected.variables[key].any()
        np.testing.assert_allclose(found.variables[key], expected.variables[key], rtol=1e-9, atol=1e-12)


def test_connections_of_their_own_and_plasticity_that_differs_between_lanes():
    """More lanes than a vector has, each with another release probability; several connections on a compartment."""
    case = mechanism_case("AMPA_STP", DURATION_ms)
    n_lanes = 11
    one = case.events.select([0])
    rng = np.random.default_rng(3)
    source = rng.integers(4, size=len(one.step)).astype(np.int32)
    one = replace(one, connection=source, weight=0.3 + 0.4 * source)
    events = Events.stack([one] * n_lanes)
    key = ("AMPA_STP", "U")
    release = np.linspace(0.05, 0.9, n_lanes)[None, :]
    expected, found = both(case.cell, events, overrides={key: release})
    np.testing.assert_allclose(found.v_mV, expected.v_mV, rtol=0, atol=1e-6)
    assert np.ptp(expected.v_mV[:, 0].max(axis=0)) > 0.5


def test_plastic_and_plain_synapses_hear_one_port():
    """The plain one gets the weights as they are."""
    case = mechanism_case("AMPA_STP", DURATION_ms)
    plain = mechanism_case("GABAA", 1.0).cell.placement("GABAA")
    cell: Cell = case.cell
    cell = replace(
        cell,
        placements=(
            *cell.placements,
            Placement("inhibition", plain.mechanism, plain.compartments, plain.parameters),
        ),
        ports={"train": ("AMPA_STP", "inhibition"), "other": ("inhibition",)},
    )
    expected, found = both(cell, case.events)
    np.testing.assert_allclose(found.v_mV, expected.v_mV, rtol=0, atol=1e-6)


def test_a_tape_is_refused():
    case = mechanism_case("AMPA_STP", 1.0)
    with pytest.raises(InputError, match="AMPA_STP tells its connections apart"):
        NativeEngine(case.cell, **OPTIONS).tape(case.events, wrt=[])
