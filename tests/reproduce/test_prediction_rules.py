"""Values of neurons against rules and windows of the table, a user's included; changes of known curves."""

import numpy as np
import pytest
from pydantic import TypeAdapter

from ketune import evidence
from ketune.biology import naka_rushton
from ketune.errors import InputError
from ketune.evidence import Target
from ketune.reproduce._prediction_changes import (
    changes,
    peak_ratio,
    preferred_change_deg,
    selectivity_ratio,
    width_change,
)
from ketune.reproduce._prediction_effort import spread_over_disparity
from ketune.reproduce._prediction_rules import Measurement, interval, judged
from ketune.reproduce._prediction_words import AMPA_LEFT, GAIN_RATIO, NMDA_LEFT, QUANTITIES, check_rules
from ketune.reproduce._predictions_block import CONTRAST, _contrast_fit, halving_loss


def target(name):
    return next(t for t in evidence.reported_effects().target if t.id == name)


def with_rule(name, rule, windows=()):
    row = target(name).model_dump() | {"rule": rule, "window": list(windows)}
    return TypeAdapter(Target).validate_python(row)


def block(nmda, ampa, own=None):
    measured = {
        NMDA_LEFT: [Measurement(NMDA_LEFT, np.array(nmda, float), range(len(nmda)))],
        AMPA_LEFT: [Measurement(AMPA_LEFT, np.array(ampa, float), range(len(ampa)))],
    }
    return judged(own or target("T8"), measured, [], seed=1)


def test_quantities_are_those_of_the_shipped_rules():
    check_rules(t for t in evidence.reported_effects().target if t.id in QUANTITIES)


def test_the_window_of_the_table_decides():
    met, (nmda, ampa) = block([0.3, 0.5, 0.7], [0.1, 0.1, 0.1])
    assert (met, nmda.met, ampa.met) == (True, True, True)
    assert nmda.value == pytest.approx(0.5)
    assert (nmda.low, nmda.high, nmda.ours) == (0.25, 0.8, True)
    met, (nmda, ampa) = block([0.0, 0.1, 0.9], [0.1, 0.1, 0.1])
    assert (met, nmda.met, ampa.met) == (False, False, True)


def test_a_users_window_decides_instead():
    row = target("T8")
    windows = [w.model_dump() for w in row.window]
    windows[0] |= {"low": 0.05, "high": 0.2, "ours": False, "source": row.source}
    own = with_rule("T8", row.rule.model_dump(), windows)
    met, (nmda, _) = block([0.0, 0.1, 0.9], [0.1, 0.1, 0.1], own)
    assert met is True
    assert (nmda.low, nmda.high, nmda.ours) == (0.05, 0.2, False)


def test_an_interval_across_an_end_of_the_window_is_not_settled():
    _, (nmda, ampa) = block([0.3, 0.7, 0.75, 0.9, 0.95], [0.1] * 5)
    assert (nmda.met, nmda.settled, ampa.settled) == (True, False, True)
    assert block([0.4, 0.5, 0.5, 0.5, 0.6], [0.1] * 5)[1][0].settled is True
    assert block([0.0] * 5, [0.0] * 5)[1][1].settled is True


def test_too_few_values_are_undecided_and_a_failure_still_fails():
    nan = float("nan")
    assert block([nan, nan, 0.5], [0.1, 0.1, 0.1])[0] is None
    met, (nmda, _) = block([nan, nan, nan], [0.5, 0.5, 0.5])
    assert met is False
    assert (nmda.value, nmda.interval, nmda.n, nmda.values) == (None, None, 0, (None, None, None))


def test_sizes_of_changes_do_not_cancel():
    quantity = QUANTITIES["T10"][0]
    own = with_rule(
        "T10",
        {"kind": "range", "quantities": [quantity], "ours": True},
        [target("T10").window[0].model_dump()],
    )
    for size, wanted in ((4.0, True), (9.0, False)):
        values = np.array([-size, size, -size, size])
        measured = {quantity: [Measurement(quantity, values, range(4), "deg", of_absolute=True)]}
        met, (row,) = judged(own, measured, [], seed=1)
        assert met is wanted
        assert row.value == pytest.approx(size)


def test_one_neuron_reaches_a_window_only_with_the_interval_of_its_trials():
    quantity = QUANTITIES["T11"][0]

    def reached(values, sure):
        one = Measurement(quantity, np.array(values), range(3), sure=np.array(sure))
        return judged(target("T11"), {quantity: [one]}, [], seed=1)[0]

    assert reached([0.2, 1.0, np.nan], [0.1, 0.1, 0.0]) is True
    assert reached([0.2, 1.0, np.nan], [0.1, 0.5, 0.0]) is False
    assert reached([np.nan] * 3, [0.0] * 3) is None


def test_intervals_against_one():
    rng = np.random.default_rng(3)
    near, below = 1 + 0.1 * rng.standard_normal(12), 0.5 + 0.1 * rng.standard_normal(12)

    def met(kind, *values):
        own = with_rule("T12", {"kind": kind, "quantities": [GAIN_RATIO], "level": 0.95, "ours": True})
        measured = {GAIN_RATIO: [Measurement("x", v, range(12)) for v in values]}
        return judged(own, measured, [], seed=1)[0]

    assert met("ratio below one", below) is True
    assert met("ratio below one", near) is False
    assert met("ratio above one", below) is False
    assert met("ratio includes one", near) is True
    assert met("ratio not one", near) is False
    assert met("ratio not one", near, below) is True
    assert met("ratio below one", near, below) is False
    assert met("ratio below one", np.full(12, np.nan)) is None


def test_rules_that_cannot_be_applied_are_refused():
    with pytest.raises(InputError, match=r"target 'T9'.*'another' is not predicted; use 'subthreshold"):
        check_rules(
            [
                with_rule(
                    "T9", {"kind": "ratio below one", "quantities": ["another"], "level": 0.95, "ours": True}
                )
            ]
        )
    falls = {
        "kind": "paired decrease",
        "alpha": 0.05,
        "least_share": 0.6,
        "lost_tuning_fails": True,
        "ours": True,
    }
    with pytest.raises(InputError, match=r"target 'T9'.*'paired decrease' cannot be judged"):
        check_rules([with_rule("T9", falls)])


def test_the_interval_holds_the_median_of_the_population():
    rng = np.random.default_rng(5)
    held = [
        lo <= 0 <= hi
        for lo, hi in (interval(rng.standard_normal(12), level=0.95, seed=1) for _ in range(200))
    ]
    assert 0.9 < np.mean(held) <= 1.0
    assert interval(np.array([1.0, 2.0]), level=0.95, seed=1) is None


THETA = np.arange(0.0, 180.0, 15.0)


def curve(preferred, sigma, peak=12.0, n=200, seed=1):
    d = (THETA - preferred + 90) % 180 - 90
    mean = 0.3 + peak * np.exp(-(d**2) / (2 * sigma**2))
    return np.random.default_rng(seed).poisson(mean[:, None], (len(THETA), n))


def test_nothing_changed_is_no_change():
    counts = np.stack([curve(40, 18), curve(100, 25, seed=2)])
    statistics = (preferred_change_deg, width_change, selectivity_ratio, peak_ratio)
    for (value, half), wanted in zip(changes(THETA, counts, counts, statistics), (0, 0, 1, 1), strict=True):
        np.testing.assert_allclose(value, wanted, atol=1e-9)
        np.testing.assert_allclose(half, 0, atol=1e-9)


def test_known_changes_are_measured_within_their_intervals():
    before, after = curve(40, 18)[None], curve(50, 24, seed=3)[None]
    (turned, a), (wider, b) = changes(THETA, before, after, (preferred_change_deg, width_change))
    assert turned[0] == pytest.approx(10, abs=a[0])
    assert wider[0] == pytest.approx(24 / 18 - 1, abs=b[0])
    assert 0.1 < a[0] < 2
    assert 0.01 < b[0] < 0.15


def test_silent_and_untuned_neurons_have_no_value():
    silent, flat = np.zeros((1, 12, 16), int), np.random.default_rng(1).poisson(3.0, (1, 12, 16))
    tuned = curve(40, 18, n=16)[None]
    for after in (silent, flat):
        ((value, half),) = changes(THETA, tuned, after, (preferred_change_deg,))
        assert np.isnan(value[0])
        assert half[0] == np.inf
    assert np.isnan(changes(THETA, tuned, silent, (selectivity_ratio,))[0][0][0])
    one_spike = silent.copy()
    one_spike[0, 3, 0] = 1
    assert np.isnan(changes(THETA, tuned, one_spike, (selectivity_ratio,))[0][0][0])


def test_the_loss_that_halves_the_response_is_read_between_those_tried():
    assert halving_loss({0.1: np.array([0.8, 0.8]), 0.2: np.array([0.3, 0.5])}) == pytest.approx(0.175)
    assert halving_loss({0.1: np.array([0.9]), 1.0: np.array([0.6])}) is None
    assert halving_loss({0.1: np.array([np.nan]), 1.0: np.array([np.nan])}) is None


def test_a_contrast_response_is_read_off_its_curve():
    largest, slope, c50, exponent = _contrast_fit(naka_rushton(np.array(CONTRAST), 20.0, 0.2, 2.5))
    np.testing.assert_allclose([largest, c50, exponent], [20.0, 0.2, 2.5], rtol=1e-3)
    at = 0.2 + np.array([-1e-5, 1e-5])
    assert slope == pytest.approx(np.diff(naka_rushton(at, 20.0, 0.2, 2.5))[0] / 2e-5, rel=1e-2)
    np.testing.assert_array_equal(_contrast_fit(np.zeros(len(CONTRAST)))[:2], 0)
    assert np.isnan(_contrast_fit(np.zeros(len(CONTRAST)))[2:]).all()
    assert np.isnan(_contrast_fit(np.array(CONTRAST) ** 2)).all()


def test_neurons_are_spread_over_disparity(neurons):
    order = np.argsort([abs(n.disparity_deg) for n in neurons])
    assert spread_over_disparity(neurons, 2) == tuple(sorted((int(order[0]), int(order[-1]))))
    assert spread_over_disparity(neurons, 9) == (0, 1, 2)
