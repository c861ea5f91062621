"""A function taken apart and put together again is the same function, and so is its derivative."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ketune import mechanisms
from ketune.engines._program import program
from ketune.engines.twin import Twin
from ketune.verify_cases import DT_ms, mechanism_case

PARAMETERS = ("g", "e", "vhalf", "k", "lowest", "dt")
P = {"g": 0.7, "e": -70.0, "vhalf": -35.0, "k": 6.0, "lowest": 0.9, "dt": 0.025}


def gate(v, x, p):
    """A current, and a gate whose time constant has a lowest value."""
    steady = 1 / (1 + jnp.exp(-(v - p["vhalf"]) / p["k"]))
    tau = jnp.maximum(4.0 * jnp.exp(-(((v + 60.0) / 30.0) ** 2)), p["lowest"])
    new = steady + (x[0] - steady) * jnp.exp(-p["dt"] / tau)
    return [p["g"] * jnp.sqrt(p["k"]) * x[0] * (v - p["e"]), new, x[1]]


def taken_apart(function=gate, n=2, names=PARAMETERS):
    return program(function, n, names, np.dtype(np.float64))


def together(part):
    def function(v, x, p):
        constants = part.constants(p)
        return part.rest(v, x, part.rates(v, constants), constants)

    return function


def assert_same(part, function, v, x, p, rtol=1e-14):
    for found, expected in zip(together(part)(v, x, p), function(v, x, p), strict=True):
        np.testing.assert_allclose(found, expected, rtol=rtol, atol=1e-300)


@pytest.mark.parametrize("v", [-95.0, -60.0, -35.0, 20.0])
def test_parts_reproduce_the_function(v):
    part = taken_apart()
    assert part.n_rates >= 2
    assert part.n_constants >= 3
    assert_same(part, gate, v, [0.3, 0.6], P)


def test_and_its_derivative():
    part = taken_apart()

    def total(function):
        return lambda v, x, p: sum(w * y for w, y in zip((1.0, 2.0, 3.0), function(v, x, p), strict=True))

    arguments = (-42.0, [0.3, 0.6], P)
    found, expected = (jax.grad(total(f), argnums=(0, 1, 2))(*arguments) for f in (together(part), gate))
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_constants_know_where_they_come_from():
    """A constant changes with the parameters that it names, and with no others."""
    part = taken_apart()
    before = part.constants(P)
    assert len(before) == part.n_constants == len(part.of_parameter) == len(part.in_rates)
    for name in PARAMETERS:
        after = part.constants(P | {name: P[name] * 1.1})
        changed = [bool(a != b) for a, b in zip(before, after, strict=True)]
        assert changed == [name in origins for origins in part.of_parameter]


def test_rates_read_the_constants_that_say_so():
    part = taken_apart()
    constants = part.constants(P)
    before = np.array(part.rates(-50.0, constants))
    for j, used in enumerate(part.in_rates):
        moved = [c * 1.01 if i == j else c for i, c in enumerate(constants)]
        at = [np.array(part.rates(v, moved)) for v in (-50.0, -120.0)]
        base = [before, np.array(part.rates(-120.0, constants))]
        assert used == any(np.any(a != b) for a, b in zip(at, base, strict=True))


def test_without_some_rates():
    """These are computed in the rest, and the others stay."""
    part = taken_apart()
    for k in range(part.n_rates):
        fewer = part.without([k])
        assert_same(fewer, gate, -47.0, [0.3, 0.6], P)
    none = part.without(range(part.n_rates))
    while none.n_rates:
        none = none.without(range(none.n_rates))
    assert_same(none, gate, -47.0, [0.3, 0.6], P)
    assert not any(none.in_rates)


def test_nothing_depends_on_the_voltage():
    part = taken_apart(lambda v, x, p: [x[0] * jnp.exp(-p["dt"] / p["k"])], n=1)
    assert (part.n_constants, part.n_rates) == (1, 0)
    assert part.of_parameter == (frozenset({"dt", "k"}),)
    assert_same(part, lambda v, x, p: [x[0] * jnp.exp(-p["dt"] / p["k"])], -60.0, [0.4], P)


def test_a_condition_is_no_rate():
    """A comparison of costly numbers cannot be tabulated; it goes to the rest."""

    def function(v, x, p):
        return [jnp.where(jnp.exp(v / p["k"]) > p["lowest"], x[0], -x[0])]

    part = taken_apart(function, n=1)
    for v in (-60.0, 10.0):
        assert_same(part, function, v, [0.4], P)


def reads_nothing_that_changes(name):
    twin = Twin(mechanism_case(name, 1.0).cell, dt_ms=DT_ms)
    return not twin.ions.varying and mechanisms.load(name).merging in ("none", "linear")


PLAIN = [name for name in mechanisms.names() if reads_nothing_that_changes(name)]


@pytest.mark.parametrize("name", PLAIN)
def test_every_mechanism(name):
    mechanism = mechanisms.load(name)
    cell = mechanism_case(name, 1.0).cell
    twin = Twin(cell, dt_ms=DT_ms)
    p = {key: float(np.ravel(x)[0]) for key, x in twin.parameters()[name].items()}
    states = list(mechanism.init(jnp.asarray(-65.0), p))

    def advance(v, x, p):
        s = dict(zip(states, x, strict=True))
        new = twin.advanced(mechanism, v, s, p)
        return [mechanism.current(v, s, p), *(new.get(k, s[k]) for k in states)]

    part = program(advance, len(states), sorted(p), np.dtype(np.float64))
    x = [0.2 + 0.1 * j for j in range(len(states))]
    for v in (-90.0, -63.7, -20.0, 35.0):
        assert_same(part, advance, v, x, p, rtol=1e-12)
