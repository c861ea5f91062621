"""A cell: parameters that can be replaced, and a resting potential that is one."""

from functools import cache

import numpy as np
import pytest

from ketune.cell_model import build_cell, default_cell
from ketune.engines.jax_engine import JaxEngine
from ketune.errors import InputError
from ketune.events import Events
from ketune.morphology import SMALL_MORPHOLOGY, read_morphology


@cache
def cell():
    return build_cell(morphology=read_morphology(SMALL_MORPHOLOGY))


def drift(a_cell, duration_ms=60.0, dt_ms=0.1):
    """Largest change of any voltage without input (mV)."""
    none = Events.none(n_lanes=1, n_steps=round(duration_ms / dt_ms), dt_ms=dt_ms)
    v = JaxEngine(a_cell, dt_ms=dt_ms, dtype=np.float64).run(none, record=range(a_cell.table.n)).v_mV
    return np.max(np.abs(v - a_cell.v_init_mV))


def test_a_balanced_cell_rests_everywhere():
    assert drift(cell()) < 1e-6


@pytest.mark.slow
def test_the_default_cell_rests_everywhere():
    assert drift(default_cell(), duration_ms=30.0) < 1e-6


def test_balancing_is_what_makes_it_rest():
    moved = cell().with_parameters({("km", "gbar"): 3 * cell().placement("km").parameters["gbar"]})
    assert drift(moved) > 0.1
    assert drift(moved.rest_balanced()) < 1e-6


def test_a_leak_that_cannot_balance_is_named():
    leaky = cell().with_parameters({("gabatonic", "g"): 0.01, ("gabatonic", "e"): 0.0})
    with pytest.raises(
        InputError, match=r"compartment \d+ \(\w+\) would need a leak reversal of -\d+ mV"
    ) as error:
        leaky.rest_balanced()
    assert "\n" not in str(error.value)


def test_replaced_parameters():
    n = len(cell().placement("hcn1").compartments)
    changed = cell().with_parameters({("hcn1", "gbar"): np.arange(n) * 1e-5, ("nmda", "block"): 0.5})
    np.testing.assert_array_equal(changed.placement("hcn1").parameters["gbar"], np.arange(n) * 1e-5)
    assert set(changed.placement("nmda").parameters["block"]) == {0.5}
    assert set(cell().placement("nmda").parameters["block"]) == {0.0}
    assert changed.placement("kv").parameters["gbar"] is cell().placement("kv").parameters["gbar"]


@pytest.mark.parametrize("key", [("hcn1", "nosuch"), ("nosuch", "gbar")])
def test_a_parameter_that_does_not_exist(key):
    with pytest.raises(InputError, match=r"no parameter '\w+\.\w+' to set"):
        cell().with_parameters({key: 1.0})


def test_a_placement_that_does_not_exist():
    with pytest.raises(InputError, match="no placement 'glycine'; it has leak, nav"):
        cell().placement("glycine")
