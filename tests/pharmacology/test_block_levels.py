"""Three levels of NMDA block: against each other, against SciPy, and in the limits that are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from ketune._jax import jax, jnp
from ketune.errors import InputError
from ketune.pharmacology import (
    block_levels,
    equilibrium_block,
    kinetic_block,
    load_drug,
    markov_block,
    mean_open_probability,
    nmda_block,
)
from ketune.pharmacology._block import REFERENCE_mV, THERMAL_mV
from ketune.pharmacology._gating import excess_open_time_s, mean_gating, scheme

KETAMINE = load_drug("ketamine")
RATES = ("nmda.k_on", "nmda.k_esc")
P = KETAMINE.values()
NAIVE = {name: value for name, value in KETAMINE.values().items() if name not in RATES}
PYRAMID = {"2A": 0.6, "2B": 0.4}
INTERNEURON = {"2A": 0.51, "2B": 0.34, "2D": 0.15}
CONCENTRATIONS_uM = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
VOLTAGES_mV = (-80.0, -70.0, -60.0, -50.0, -40.0, -30.0, -20.0)
RATES_HZ = (0.1, 0.5, 2.0, 8.0)
LONG_MIN = 1e4
COURSES = (kinetic_block, markov_block)


def grid():
    c, v, r = np.meshgrid(CONCENTRATIONS_uM, VOLTAGES_mV, RATES_HZ, indexing="ij")
    return c.ravel(), v.ravel(), r.ravel()


def settled(level, c, v, r, p=P, shares=PYRAMID, **kwargs):
    return level([0.0, LONG_MIN], np.array([c, c]), v, r, p, shares, substeps=1, **kwargs)[-1]


def test_constants_are_those_of_the_drug():
    assert (REFERENCE_mV, THERMAL_mV) == (KETAMINE.reference_potential_mV, KETAMINE.thermal_voltage_mV)


@pytest.mark.parametrize("shares", [PYRAMID, INTERNEURON, {"2A": 1.0}, {"2B": 1.0}, {"2C": 1.0}, {"2D": 1.0}])
def test_levels_agree_on_the_grid(shares):
    """0.1 to 100 uM, -80 to -20 mV, 0.1 to 8 Hz per synapse; bound receptors and lost conductance."""
    c, v, r = grid()
    equilibrium = equilibrium_block(c, v, r, P, shares)
    kinetic, markov = (settled(level, c, v, r, shares=shares) for level in COURSES)
    conductance = settled(markov_block, c, v, r, shares=shares, measure="conductance")
    values = np.array([equilibrium, kinetic, markov, conductance])
    assert np.ptp(values, axis=0).max() < 0.03
    # what the law leaves out of the scheme
    np.testing.assert_allclose(equilibrium, markov, atol=2e-4)
    np.testing.assert_allclose(kinetic, equilibrium, atol=1e-6)


@pytest.mark.parametrize("name", ["ketamine", "ketamine-s", "ketamine-r", "memantine", "mk-801"])
def test_levels_agree_for_every_drug_whose_rates_are_known(name):
    drug = load_drug(name)
    c, v, r = grid()
    p = drug.values()
    equilibrium = equilibrium_block(c, v, r, p, PYRAMID)
    np.testing.assert_allclose(
        settled(kinetic_block, c, v, r, p), equilibrium, atol=1e-3
    )  # MK-801 takes days
    np.testing.assert_allclose(settled(markov_block, c, v, r, p), equilibrium, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "c"), [("d-apv", 20.0), ("ifenprodil", 1.0), ("norketamine", 5.0), ("hydroxynorketamine", 40.0)]
)
def test_equilibrium_of_a_drug_without_rates_is_that_of_its_law(name, c):
    drug = load_drug(name)
    v = np.array([-70.0, -30.0])
    for shares in (PYRAMID, INTERNEURON):
        got = equilibrium_block(c, v, 0.5, drug.values(), shares)
        np.testing.assert_allclose(got, nmda_block(c, v, drug, shares), rtol=1e-12)
    with pytest.raises(InputError, match="no kinetics known for this drug"):
        kinetic_block([0.0, 1.0], np.full((2, 2), c), v, 0.5, drug.values(), PYRAMID)


def test_a_subunit_of_unknown_potency_alone_is_refused():
    with pytest.raises(InputError, match="no potency at GluN2B is known for this drug"):
        equilibrium_block(5.0, -60.0, 1.0, load_drug("hydroxynorketamine").values(), {"2B": 1.0})


@pytest.mark.parametrize("k_on", [0.2, 3.0, 100.0])
@pytest.mark.parametrize("k_esc", [0.0, 1.5e-3])
@pytest.mark.parametrize("scale", [0.7, 5.0])
def test_levels_agree_over_the_ranges_of_the_rates(k_on, k_esc, scale):
    c, v, r = grid()
    p = {**P, "nmda.k_on": k_on, "nmda.k_esc": k_esc, "nmda.affinity_scale": scale}
    markov = settled(markov_block, c, v, r, p, {"2A": 1.0})
    conductance = settled(markov_block, c, v, r, p, {"2A": 1.0}, measure="conductance")
    np.testing.assert_allclose(equilibrium_block(c, v, r, p, {"2A": 1.0}), markov, atol=2e-4)
    np.testing.assert_allclose(conductance, markov, atol=0.03)


def test_equilibrium_without_activity_misses_what_happens_at_low_rates():
    shares, rates = {"2A": 1.0}, np.array([0.5, 0.1])
    assert equilibrium_block(4.0, -66.0, 8.0, NAIVE, shares) == pytest.approx(0.43, abs=0.005)
    for got in (
        equilibrium_block(4.0, -66.0, rates, P, shares),
        settled(kinetic_block, np.full(2, 4.0), -66.0, rates, shares=shares),
    ):
        np.testing.assert_allclose(got, [0.38, 0.26], atol=0.006)
    c, v, r = grid()
    missed = np.abs(equilibrium_block(c, v, r, NAIVE, PYRAMID) - settled(markov_block, c, v, r))
    assert missed.max() > 0.2


@settings(max_examples=60, deadline=None)
@given(
    st.floats(0, 300),
    st.floats(-90, 20),
    st.floats(0, 30),
    st.floats(0.8, 1.0),
    st.floats(0.5, 5.0),
    st.floats(1e-3, 1e3),
)
def test_without_escape_equilibrium_is_the_law_without_rates(c, v, rate, hill, kappa, k_on):
    overrides = {"nmda.hill": hill, "nmda.affinity_scale": 1.0 / kappa}
    expected = nmda_block(c, v, KETAMINE, PYRAMID, overrides)
    no_escape = {**P, "nmda.hill": hill, "nmda.k_on": k_on, "nmda.k_esc": 0.0}
    unknown = {**NAIVE, "nmda.hill": hill}
    for p in (no_escape, unknown):
        got = equilibrium_block(c, v, rate, p, PYRAMID, kappa)
        np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-300)


def test_fast_binding_is_limited_by_the_wait_for_an_event():
    """However fast the drug, a receptor that it left has to open before it can be blocked again."""
    fast = {**P, "nmda.k_on": 1e9}
    law = equilibrium_block(4.0, -66.0, np.array(RATES_HZ), NAIVE, PYRAMID)
    po = mean_open_probability(np.array(RATES_HZ))
    wait = excess_open_time_s(np.array(RATES_HZ)) / po
    expected = law / (1.0 + P["nmda.k_esc"] * (1.0 - po) * wait)
    np.testing.assert_allclose(
        equilibrium_block(4.0, -66.0, np.array(RATES_HZ), fast, PYRAMID), expected, rtol=1e-6
    )


@settings(max_examples=60, deadline=None)
@given(st.floats(0, 1000), st.floats(-90, 20), st.floats(0, 50), st.floats(1.01, 3.0))
def test_block_is_a_share_that_grows_with_drug_and_activity(c, v, rate, factor):
    block = float(equilibrium_block(c, v, rate, P, PYRAMID))
    assert 0.0 <= block < 1.0
    assert equilibrium_block(c * factor, v, rate, P, PYRAMID) >= block
    assert equilibrium_block(c, v, rate * factor, P, PYRAMID) >= block * (1.0 - 1e-9)


def test_kinetic_level_solves_its_equation():
    """SciPy on dB/dt, with concentration linear between the times; 2A alone."""
    minutes = np.array([0.0, 1.0, 4.0, 10.0, 40.0])
    c = np.array([0.0, 6.0, 30.0, 2.0, 0.0])
    for v, rate in ((-66.0, 0.3), (-35.0, 4.0)):
        above = v + 66.0
        free = 1.0 / (1.0 + P["nmda.mg"] / (P["nmda.k_mg_2A"] * np.exp(0.062 * above)))
        k_off = 0.68 * 0.33 * np.exp(0.79 * above / 26.7)
        po, excess = float(mean_open_probability(rate)), float(excess_open_time_s(rate))

        def slope(t, b, free=free, k_off=k_off, po=po, excess=excess):
            k_in = 0.68 * np.interp(t / 60.0, minutes, c) * free
            return po / (1.0 + excess * (k_in + k_off)) * (k_in * (1.0 - b) - k_off * b) - 1.26e-3 * b * (
                1.0 - po
            )

        expected = solve_ivp(
            slope, (0.0, 2400.0), [0.1], t_eval=60.0 * minutes, rtol=1e-9, atol=1e-11, max_step=5.0
        ).y[0]
        course = (minutes, c[:, None], v, rate, P, {"2A": 1.0})
        np.testing.assert_allclose(kinetic_block(*course, start=0.1)[:, 0], expected, atol=3e-3)
        fine = kinetic_block(*course, start=0.1, substeps=2000)[:, 0]
        np.testing.assert_allclose(fine, expected, atol=1e-6)


def test_markov_level_solves_the_averaged_scheme():
    """SciPy on the ten states, kicked at a rate; a linear rise and fall of the concentration."""
    minutes, c = np.array([0.0, 0.5, 2.0]), np.array([0.0, 20.0, 5.0])
    v, rate = -50.0, 2.0
    s = scheme()
    free = 1.0 / (1.0 + P["nmda.mg"] / (P["nmda.k_mg_2A"] * np.exp(0.062 * (v + 66.0))))
    k_off = 0.68 * 0.33 * np.exp(0.79 * (v + 66.0) / 26.7)
    fixed = s.rest + rate * (s.event - np.eye(10)) + k_off * s.unbinding + 1.26e-3 * s.escape

    def slope(t, x):
        return (fixed + 0.68 * np.interp(t / 60.0, minutes, c) * free * s.binding) @ x

    first = np.concatenate([mean_gating(rate), np.zeros(5)])
    x = solve_ivp(slope, (0, 120), first, "LSODA", 60.0 * minutes, rtol=1e-9, atol=1e-12, max_step=1.0).y
    course = (minutes, c[:, None], v, rate, P, {"2A": 1.0})
    np.testing.assert_allclose(markov_block(*course, substeps=300)[:, 0], x[5:].sum(axis=0), atol=2e-5)
    lost = 1.0 - x[4] / x[[4, 9]].sum(axis=0)
    np.testing.assert_allclose(
        markov_block(*course, substeps=300, measure="conductance")[:, 0], lost, atol=2e-5
    )


def test_drug_that_binds_during_the_pulse_changes_little():
    """The kick without drug against the whole pulse with it, where binding is fastest."""
    s = scheme()
    for c, v, rate in ((100.0, -20.0, 0.1), (100.0, -20.0, 8.0), (30.0, -80.0, 0.1)):
        free = 1.0 / (1.0 + P["nmda.mg"] / (P["nmda.k_mg_2A"] * np.exp(0.062 * (v + 66.0))))
        k_off = 0.68 * 0.33 * np.exp(0.79 * (v + 66.0) / 26.7)
        rest = s.rest + 0.68 * c * free * s.binding + k_off * s.unbinding + 1.26e-3 * s.escape
        pulse, step = np.eye(10), 5e-5
        for k in range(480):
            pulse = expm((rest + s.glutamate * np.exp(-(k + 0.5) * step / 1.2e-3)) * step) @ pulse
        q = rest + rate * (expm(-0.024 * rest) @ pulse - np.eye(10))
        rows = np.vstack([q / np.abs(q).max(), np.ones(10)])
        x = np.linalg.lstsq(rows, np.eye(11)[10], rcond=None)[0]
        got = settled(markov_block, np.array([c]), v, rate, shares={"2A": 1.0})[0]
        assert got == pytest.approx(x[5:].sum(), abs=2e-4)


@pytest.mark.parametrize("level", COURSES)
def test_course_starts_where_it_is_told_and_goes_on_from_there(level):
    times, c = np.array([-3.0, 1.0, 7.0, 30.0]), np.full((4, 2), 5.0)
    start = np.array([0.0, 0.9])
    whole = level(times, c, -60.0, 1.0, P, PYRAMID, start=start)
    np.testing.assert_allclose(whole[0], start, atol=1e-12)
    assert np.all(np.diff(whole[:, 0]) > 0)
    assert np.all(np.diff(whole[:, 1]) < 0)
    # constant concentration: the cuts do not matter
    np.testing.assert_allclose(
        level(times[[0, 3]], c[:2], -60.0, 1.0, P, PYRAMID, start=start)[1], whole[3], atol=1e-12
    )
    np.testing.assert_allclose(
        level([2.0], c[:1], -60.0, 1.0, P, PYRAMID, start=start), start[None], rtol=1e-12
    )


def test_without_drug_block_leaves_at_the_rates_of_unbinding_and_escape():
    times = np.array([0.0, 5.0, 20.0])
    left = {
        level: level(times, np.zeros((3, 1)), -66.0, 1e-4, P, PYRAMID, start=0.8)[:, 0] for level in COURSES
    }
    for course in left.values():  # hardly an opening in 20 minutes: the escape alone
        np.testing.assert_allclose(course, 0.8 * np.exp(-1.26e-3 * 60.0 * times), rtol=2e-3)


def test_onset_agrees_from_the_first_second_on():
    c, v, r = grid()
    seconds = np.concatenate([[0.0], np.geomspace(1.0, 2e4, 14)])
    held = np.broadcast_to(c, (seconds.size, c.size))
    kinetic, markov = (level(seconds / 60.0, held, v, r, P, {"2A": 1.0}, substeps=1) for level in COURSES)
    assert np.abs(kinetic - markov).max() < 0.03


NAMES = tuple(
    f"nmda.{name}"
    for name in "affinity_scale k_2A k_2B delta mg k_mg_2A k_mg_2B mg_slope k_on k_esc hill".split()
)


@pytest.mark.parametrize("level", [equilibrium_block, *COURSES])
def test_derivatives_in_drug_parameters(level):
    """JAX against central differences of NumPy and SciPy; the share of 2A and kappa come last."""
    times = np.array([0.0, 0.3, 2.0, 30.0])
    c = np.array([[0.0, 0.0], [3.0, 3.0], [10.0, 4.0], [1.0, 0.5]])
    v, rate, weight = np.array([-66.0, -40.0]), np.array([0.5, 4.0]), np.arange(1.0, 9.0).reshape(4, 2)
    base = {**P, "nmda.hill": 0.9}

    def total(x, xp):
        p = {**base, **{name: x[k] for k, name in enumerate(NAMES)}}
        shares = {"2A": x[-2], "2B": 1.0 - x[-2]}
        before = () if level is equilibrium_block else (times,)
        return (weight * level(*before, xp.asarray(c), v, rate, p, shares, x[-1], xp)).sum()

    x = np.array([*(base[name] for name in NAMES), 0.6, 1.5])
    slope = np.asarray(jax.jit(jax.grad(lambda x: total(x, jnp)))(x))
    central = np.empty_like(x)
    for k in range(x.size):
        h = 1e-5 * x[k] * np.eye(x.size)[k]
        central[k] = (total(x + h, np) - total(x - h, np)) / (2e-5 * x[k])
    np.testing.assert_allclose(slope, central, rtol=1e-5)
    assert np.all(slope != 0.0)


def test_levels_side_by_side_say_where_they_differ():
    times, c = np.array([0.0, 1.0, 30.0]), np.array([[0.0, 0.0], [4.0, 4.0], [4.0, 4.0]])
    levels = block_levels(times, c, np.array([-66.0, -40.0]), np.array([0.1, 2.0]), P, PYRAMID)
    lag = next(d for d in levels.differences() if (d.one, d.other) == ("equilibrium", "markov"))
    assert (lag.time_min, lag.compartment) == (1.0, 0)  # the quiet one, soon after the drug came
    assert lag.largest == levels.equilibrium[1, 0] - levels.markov[1, 0] > 0.2
    assert lag.mean == pytest.approx(np.abs(levels.equilibrium - levels.markov)[1].mean())
    exact = next(d for d in levels.differences() if (d.one, d.other) == ("kinetic", "markov"))
    assert abs(exact.largest) < 1e-3
    np.testing.assert_array_equal(levels.of("kinetic"), levels.kinetic)
    summary = levels.summary()
    assert summary["mean_block"]["markov"][2] == pytest.approx(levels.markov[2].mean())
    with pytest.raises(InputError, match="unknown --block-model 'fast'; known: equilibrium, kinetic, markov"):
        levels.of("fast")


def test_a_drug_without_rates_has_the_equilibrium_alone():
    times, c = np.array([0.0, 1.0]), np.array([[4.0], [4.0]])
    levels = block_levels(times, c, -66.0, 1.0, NAIVE, PYRAMID)
    np.testing.assert_array_equal(levels.of("equilibrium"), levels.naive)
    assert [(d.one, d.other) for d in levels.differences()] == [("naive", "equilibrium")]
    assert levels.summary()["mean_block"]["markov"] is None
    for refused in (
        lambda: levels.of("markov"),
        lambda: kinetic_block(times, c, -66.0, 1.0, NAIVE, PYRAMID),
        lambda: markov_block(times, c, -66.0, 1.0, {**NAIVE, "nmda.k_on": 0.7}, PYRAMID),
    ):
        with pytest.raises(
            InputError, match="no kinetics known for this drug: only --block-model equilibrium"
        ):
            refused()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"times": [0.0, 0.0]}, "times: every time .* later than the one before"),
        ({"times": [0.0, np.nan]}, "times: "),
        ({"c": [[1.0], [-2.0]]}, "concentration of -2 uM is negative"),
        ({"c": [[1.0], [np.inf]]}, "concentration: every value must be a finite number of uM"),
        ({"c": [1.0, 2.0]}, r"concentration has shape \(2,\)"),
        ({"v": np.nan}, "mean potential: every value"),
        ({"v": [-60.0, -50.0]}, r"mean potential has shape \(2,\)"),
        ({"rate": -1.0}, "event rate of -1 Hz is negative"),
        ({"shares": {"2A": 0.5}}, "must be zero or more and sum to 1"),
        ({"shares": {"3A": 1.0}}, "unknown NMDA subunit '3A'"),
        ({"start": 1.2}, "block at the start: every value must lie between 0 and 1"),
    ],
)
@pytest.mark.parametrize("level", COURSES)
def test_bad_input_is_told_in_one_line(level, change, message):
    good = {
        "times": [0.0, 1.0],
        "c": [[1.0], [2.0]],
        "v": -60.0,
        "rate": 1.0,
        "shares": PYRAMID,
        "start": 0.0,
    }
    given = {**good, **change}
    with pytest.raises(InputError, match=message) as caught:
        level(given["times"], given["c"], given["v"], given["rate"], P, given["shares"], start=given["start"])
    assert "\n" not in str(caught.value)
