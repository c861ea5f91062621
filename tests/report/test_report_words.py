"""What is said: numbers as text, verdicts, and the lines for the terminal."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_example import apply_document, fit_document

from ketune import report
from ketune.report import _words as w
from ketune.report._fit_figures import _thin
from ketune.report._results import Application, Change, Fit, ParameterPart, Result
from ketune.report._tables import reported_rows
from ketune.report._verdict import verdict

finite = st.floats(-1e9, 1e9, allow_nan=False).filter(lambda x: x == 0 or abs(x) > 1e-12)


def parsed(text: str) -> float:
    text = text.replace("\N{MINUS SIGN}", "-")
    if " × 10" in text:
        mantissa, _, exponent = text.partition(" × 10")
        return float(mantissa) * 10 ** int(exponent.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")))
    return float(text)


@given(finite, st.integers(2, 5))
def test_numbers_are_what_they_say(value: float, digits: int) -> None:
    assert parsed(w.number(value, digits)) == pytest.approx(
        value, rel=0.5001 * 10 ** -(1 if abs(value) < 1e-4 else digits - 1)
    )


@given(finite, st.floats(1e-6, 1e6))
def test_value_and_error_end_at_the_same_digit(value: float, error: float) -> None:
    text = w.with_error(value, error, "mV")
    number, plus_minus, deviation, unit = (
        text.split("\N{NO-BREAK SPACE}") if "× 10" not in text else ("", "±", "", "mV")
    )
    assert (plus_minus, unit) == ("±", "mV")
    if number and value and abs(value) > 1e-3 and error > 1e-3:
        assert len(number.partition(".")[2]) == len(deviation.partition(".")[2])
        assert abs(parsed(number) - value) <= 0.051 * max(error, abs(value))


@pytest.mark.parametrize("missing", [None, math.nan, math.inf])
def test_missing_numbers_say_so(missing: float | None) -> None:
    assert w.number(missing) == w.percent(missing) == "not available"
    assert w.number(missing, reason="no blank condition") == "not available (no blank condition)"
    assert w.with_error(1.5, missing) == "1.50 (error not available)"


def test_phrases() -> None:
    assert w.number(-0.0001, 2, "uM") == "−0.00010\N{NO-BREAK SPACE}µM"
    assert w.exact(22.5, "deg") == "22.5°"
    assert w.signed(8.0, "deg") == "+8.0°"
    assert w.percent(1.234) == "123\N{NO-BREAK SPACE}%"
    assert w.listed(["a", "b", "c"]) == "a, b and c"
    assert w.counted(1, "trial") == "1 trial"
    assert w.trials([24, 26, 25]) == "24 to 26"
    assert w.p_value(0.0002) == "p < 0.001"


def test_kept_range_of_an_orientation_goes_around_the_circle() -> None:
    parameter = ParameterPart(value=2.0, unit="deg", low=0.0, high=180.0)
    assert w.kept_span(parameter, [2.0, 175.0, 9.0]) == "175 to 9.00"
    assert w.kept_span(parameter, [2.0, 85.0, 95.0]) == "any orientation"
    assert w.kept_span(parameter, []) == "not available"


def change(**options: Any) -> Change:
    given = {"quantity": "gosi", "unit": "ratio", "best": 0.79, "low": 0.66, "high": 0.9, "determined": True}
    return Change(**{**given, **options})


def test_changes_in_words() -> None:
    assert w.change_in_words(change()) == "fell to 0.79 of its value (0.66 to 0.90)"
    assert w.change_in_words(change(best=1.45, low=1.1, high=2.0)).startswith("rose to 1.45 of its value")
    assert w.change_in_words(change(best=1.004)).startswith("did not change (")
    assert w.change_in_words(change(determined=False, high=1.2)).startswith("not determined by these data")
    assert w.change_in_words(change(best=0.85, found="no change")).startswith("did not change beyond")
    moved = change(quantity="preferred_deg", unit="deg", best=-8.0, low=-13.0, high=-1.2)
    assert w.change_in_words(moved) == "moved by −8.0° (−13 to −1.2°)"
    assert w.change_in_words(change(best=None)) == "not available"


def test_no_verdict_on_what_the_data_do_not_determine() -> None:
    assert change(agrees=True).agrees_with_report is True
    assert change(agrees=True, determined=False).agrees_with_report is None


AGAINST = [
    ({"reported": "decreases", "found": "decrease", "agrees": True}, "same direction as reported"),
    ({"reported": "decreases", "found": "increase", "agrees": False}, "other direction than reported"),
    (
        {"reported": "decreases", "found": "no change", "agrees": False},
        "the model shows no change, though one was reported",
    ),
    (
        {"reported": "no change", "found": "decrease", "agrees": False},
        "the model shows a change, though none was reported",
    ),
    (
        {"unit": "deg", "reported": "changes", "found": "no change", "agrees": False},
        "the model shows no shift, though one was reported",
    ),
    # A result may not say what was found.
    ({"reported": "decreases", "agrees": False}, "not as reported"),
    ({"reported": "decreases", "determined": False, "agrees": None}, "no verdict"),
]


@pytest.mark.parametrize(("options", "words"), AGAINST)
def test_a_missing_change_is_not_called_another_direction(options: dict[str, Any], words: str) -> None:
    assert w.against_report(change(**options)) == words


def test_verdict_against_reports_tells_no_shift_from_the_other_direction() -> None:
    applied = apply_document()
    moved, selectivity, fano, spontaneous, _ = applied["changes"]
    moved |= {"best": -0.03, "low": -0.9, "high": 0.5, "found": "no change", "agrees": False}
    fano |= {"best": 2.2, "low": 1.6, "high": 3.4, "found": "increase", "agrees": False}
    none = {**selectivity, "quantity": "osi_fit", "best": 0.95, "found": "no change", "agrees": False}
    applied["changes"].append(none)
    spontaneous |= {"determined": True, "found": "decrease", "agrees": False}
    mark, text = sentences(fit_document(), applied)["Against reports"]
    assert mark == "no"
    assert text == (
        "Same direction as reported: gOSI (K2); "
        "the model shows no shift, though one was reported: preferred orientation (K1); "
        "other direction than reported: Fano factor (K3); "
        "the model shows a change, though none was reported: spontaneous rate (K4); "
        "the model shows no change, though one was reported: OSI (fit) (K2). "
        "Only directions were reported; no published size was retrieved."
    )
    rows, _ = reported_rows(Application.model_validate(applied))
    told = {row.quantity: (row.agreement, row.mark) for row in rows}
    assert told[w.quantity("preferred_deg")] == ("the model shows no shift, though one was reported", "no")
    assert told[w.quantity("fano")] == ("other direction than reported", "no")
    assert told[w.quantity("gosi")] == ("same direction as reported", "yes")


def sentences(fit: dict[str, Any], applied: dict[str, Any] | None = None) -> dict[str, tuple[str, str]]:
    applications = () if applied is None else (Application.model_validate(applied),)
    result = Result(Path("x"), Fit.model_validate(fit), applications, tuple("ab"[: len(applications)]))
    return {s.about: (s.mark, s.text.replace("\N{NO-BREAK SPACE}", " ")) for s in verdict(result)}


def test_verdict_on_a_good_fit() -> None:
    said = sentences(fit_document(), apply_document())
    mark, text = said["May it be used?"]
    assert mark == "yes"
    assert text.startswith(
        "Yes. In 200 fresh spiking trials per orientation the model matches the held-out half"
    )
    assert "0.974 ± 0.011" in text
    assert "gOSI) fell to 0.79 of its value (0.66 to 0.90)" in said["Ketamine in the model"][1]
    assert "illustration" not in said["Ketamine in the model"][1]
    mark, text = said["How sure?"]
    assert mark == "open"
    assert "all 9 parameter sets" in text
    assert "response at the preferred orientation: not determined by these data" in text
    assert said["Against reports"][0] == "open"
    assert said["Checked in NEURON"] == (
        "yes",
        "80 trials run again in NEURON with the same synaptic events: identical spike counts.",
    )


def test_verdict_on_fits_that_may_not_be_used() -> None:
    out = sentences(fit_document(status="out_of_reach"), apply_document())
    assert out["May it be used?"][0] == "no"
    assert "out of reach" in out["May it be used?"][1]
    assert "no parameter set within the bounds reaches 106 Hz" in out["May it be used?"][1]
    assert "read this as an illustration" in out["Ketamine in the model"][1]

    stopped = sentences({**fit_document(), "status": "stopped", "message": "time limit"})
    assert stopped["May it be used?"] == ("no", "No. The fit stopped before it converged (time limit).")
    assert stopped["Drug"][1] == "No drug was applied to this fit."

    missed = fit_document()
    missed["check"] = {**missed["check"], "passed": False, "fano_ratio_median": 0.5}
    mark, text = sentences(missed)["May it be used?"]
    assert mark == "no"
    assert (
        "misses the held-out half of the recording: median Fano ratio, model over recording 0.500 ± 0.070"
        in text
    )
    assert "correlation" not in text


def test_verdict_on_a_fit_to_all_trials_is_no_independent_test() -> None:
    document = fit_document()
    document["recording"]["split"] = "all"
    assert sentences(document)["May it be used?"][1].endswith("That is no independent test.")


def test_differences_in_neuron_are_not_hidden() -> None:
    document = fit_document()
    document["replay"] = {
        "n": 16,
        "identical": False,
        "largest_count_difference": 2,
        "problems": ["one run timed out"],
    }
    mark, text = sentences(document, apply_document())["Checked in NEURON"]
    assert mark == "no"
    assert text.endswith("same synaptic events: spike counts differ by up to 2 (one run timed out).")


def test_one_kept_set_has_no_spread() -> None:
    applied = apply_document()
    applied["kept"] = applied["kept"][:1]
    assert sentences(fit_document(), applied)["How sure?"][0] == "open"


def test_summary_is_short_and_plain(examples: list[Path]) -> None:
    lines = report.summary_lines(examples[:2])
    assert 8 <= len(lines) <= 12
    assert all(line.isascii() for line in lines)
    assert lines[0] == (
        "SYNTHETIC good: converged, may be used; correlation 0.974, error 7.1 % of the range, Fano ratio 1.08"
    )
    assert len(report.summary_lines(examples * 3)) <= 2 * 9


@settings(max_examples=30)
@given(st.integers(10, 20_000), st.integers(0, 2**31))
def test_thinned_traces_keep_their_extremes_and_order(n: int, seed: int) -> None:
    time = np.arange(n, dtype=float)
    values = np.random.default_rng(seed).normal(size=n)
    t, v = _thin(time, values, bins=100)
    assert len(t) <= max(200, 4 * 100)
    assert np.all(np.diff(t) >= 0)
    assert np.array_equal(v, values[t.astype(int)])
    whole = n // max(n // 100, 1) * max(n // 100, 1)
    assert v.max() >= values[:whole].max()
    assert v.min() <= values[:whole].min()
