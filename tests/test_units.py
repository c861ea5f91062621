"""Quantities as a person writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ketune import units
from ketune.errors import InputError


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("30 min", "min", 30.0),
        ("30 min", "s", 1800.0),
        ("0.5 h", "min", 30.0),
        ("1.28 s", "ms", 1280.0),
        ("300um", "um", 300.0),
        ("0.3 mm", "um", 300.0),
        ("300 µm", "um", 300.0),  # micro sign
        ("300 μm", "um", 300.0),  # Greek mu
        ("1e-3 S/cm2", "mS/cm^2", 1.0),
        ("1e-3 S/cm^2", "mS/cm2", 1.0),
        ("0.25 ul/mm^2", "um", 250.0),
        ("180 deg", "rad", 3.141592653589793),
        ("+5 mV", "mV", 5.0),
        (".5 ms", "us", 500.0),
        ("62 1/V", "1/mV", 0.062),
    ],
)
def test_parse(text, unit, value):
    assert units.parse(text, unit) == pytest.approx(value, rel=1e-12)


@given(st.floats(min_value=0, max_value=1e9))
def test_minutes_are_sixty_seconds(x):
    assert units.parse(f"{x!r} min", "s") == pytest.approx(60 * x, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "unit", "says"),
    [
        ("30", "min", "no unit"),
        ("min", "min", "not a number"),
        ("", "min", "not a number"),
        ("30 minz", "min", "unknown unit 'minz'"),
        ("30 m", "min", "does not measure"),
        ("30 min", "um", "300 um"),
        ("-5 min", "min", "negative"),
        ("nan min", "min", "not a number"),
        ("1e999 min", "min", "too large"),
        ("9**9**9 s", "s", "not understood"),
        ("3 s; import os", "s", "not understood"),
        ("1 2 s", "s", "not understood"),
    ],
)
def test_refusal_is_one_line_that_names_option_text_and_remedy(text, unit, says):
    with pytest.raises(InputError) as caught:
        units.parse(text, unit, "--at")
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("--at")
    assert text in message
    assert says in message


def test_signed_quantities_where_they_mean_something():
    assert units.parse("-60 mV", "mV", signed=True) == -60.0


@pytest.mark.parametrize(
    ("text", "molar_mass", "uM"),
    [
        # 10 mg/ml is 36.5 mM of the hydrochloride and 42.1 mM of the base.
        ("10 mg/ml", 274.19, 36471.06),
        ("10 mg/ml", 237.73, 42064.53),
        ("10mg/mL", 274.19, 36471.06),
        ("237.73 ng/ml", 237.73, 1.0),
        ("10 g/l", 274.19, 36471.06),
        ("5 uM", None, 5.0),
        ("5 µM", None, 5.0),
        ("36.5 mM", None, 36500.0),
        ("1 mol/l", None, 1e6),
        ("0 mg/ml", 274.19, 0.0),
    ],
)
def test_concentration(text, molar_mass, uM):
    assert units.parse_concentration(text, molar_mass) == pytest.approx(uM, rel=1e-6)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("10", "no unit"),
        ("10 mg/kg", "not a concentration"),
        ("10 mg", "not a concentration"),
        ("10 min", "not a concentration"),
        ("-10 mg/ml", "negative"),
        ("ten mg/ml", "not a number"),
        ("10 zg/foo", "unknown unit"),
    ],
)
def test_concentration_refusal_is_one_line(text, says):
    with pytest.raises(InputError) as caught:
        units.parse_concentration(text, 274.19)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("--dose")
    assert says in str(caught.value)


def test_mass_without_molar_mass_is_refused():
    with pytest.raises(InputError, match="molar mass"):
        units.parse_concentration("10 mg/ml")


@pytest.mark.parametrize(
    ("text", "mg_kg"),
    [("30 mg/kg", 30.0), ("0.03 g/kg", 30.0), ("5 µg/g", 5.0), ("100 umol/kg", 27.419), ("3e4 ug/kg", 30.0)],
)
def test_dose_per_body_weight(text: str, mg_kg: float) -> None:
    assert units.parse_dose_per_weight(text, 274.19) == pytest.approx(mg_kg)


@pytest.mark.parametrize(
    "text", ["30", "30 mg", "30 mg/ml", "3 %", "30 kg", "30 deg", "30 mg/kg/h", "-1 mg/kg", "x mg/kg"]
)
def test_what_is_no_dose_per_body_weight(text: str) -> None:
    with pytest.raises(InputError) as caught:
        units.parse_dose_per_weight(text, 274.19)
    assert "\n" not in str(caught.value)
    assert text in str(caught.value)


def test_molar_dose_per_body_weight_needs_a_molar_mass() -> None:
    with pytest.raises(InputError, match="no molar mass"):
        units.parse_dose_per_weight("100 umol/kg")
