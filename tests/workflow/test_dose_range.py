"""How doses are written."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ketune.errors import InputError
from ketune.pharmacology import load_drug, read_dose
from ketune.workflow._dose_range import dose_range
from ketune.workflow._dose_sweep import _range, with_middle_dose
from ketune.workflow._dosing import DrugRequest


def test_logarithmic_range_has_equal_ratios_and_its_ends() -> None:
    doses = dose_range("0.1uM:1mM:log12")
    assert doses.unit == "uM"
    assert len(doses.values) == 12
    assert doses.values[0] == 0.1
    assert doses.values[-1] == 1000.0
    ratios = np.diff(np.log10(doses.values))
    np.testing.assert_allclose(ratios, 4.0 / 11.0, rtol=1e-8)


def test_linear_range_may_begin_at_zero() -> None:
    assert dose_range("0 uM:50 uM:lin6").values == (0.0, 10.0, 20.0, 30.0, 40.0, 50.0)


def test_list_takes_different_units() -> None:
    assert dose_range("500 nM, 5 uM, 0.1 mM").values == pytest.approx((0.5, 5.0, 100.0))


def test_another_unit_is_read_by_its_own_reader() -> None:
    doses = dose_range(
        "1mg/kg:100mg/kg:log3", "mg/kg", lambda text: float(text.strip().removesuffix("mg/kg"))
    )
    assert doses.values == pytest.approx((1.0, 10.0, 100.0))
    assert doses.texts == ("1 mg/kg", "10 mg/kg", "100 mg/kg")


@given(st.floats(1e-3, 10.0), st.floats(1.5, 1e4), st.integers(2, 40))
def test_texts_give_the_same_doses_again(low: float, factor: float, n: int) -> None:
    doses = dose_range(f"{low:.6g}uM:{low * factor:.6g}uM:log{n}")
    assert all(b > a for a, b in zip(doses.values, doses.values[1:], strict=False))
    assert dose_range(",".join(doses.texts)).values == pytest.approx(doses.values, rel=1e-9)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not a number"),
        ("0.1uM:1mM", "not a range"),
        ("0.1uM:1mM:12", "spacing '12'"),
        ("0.1uM:1mM:log", "spacing 'log'"),
        ("0.1uM:1mM:log1", "asks for 1 dose;"),
        ("0.1uM:1mM:log100000", "2 to 100"),
        ("0uM:1mM:log5", "cannot touch zero"),
        ("1mM:0.1uM:log5", "must rise"),
        ("1uM,1uM", "must rise"),
        ("5 uM", "gives 1 dose;"),
        ("1:10:lin3", "no unit"),
        ("-1uM:1uM:lin3", "negative"),
        ("1 min:5 min:lin3", "not a concentration"),
        ("1mg/kg:5mg/kg:lin3", "not a concentration"),
    ],
)
def test_mistakes_are_told_in_one_line(text: str, says: str) -> None:
    with pytest.raises(InputError) as error:
        dose_range(text)
    message = str(error.value)
    assert says in message
    assert "--doses" in message
    assert "\n" not in message


def test_doses_of_the_base_are_those_of_a_single_dose() -> None:
    """A range by weight counts the salt, as `--dose` does, and its middle is the dose that a user would write."""
    drug = load_drug("ketamine")
    request = with_middle_dose(DrugRequest(route="ip", as_base=True), "10 mg/kg, 20 mg/kg, 40 mg/kg")
    assert request.dose == "20 mg/kg"
    one = read_dose(drug, "ip", "20 mg/kg", as_base=True)
    assert one == pytest.approx(20 * 274.19 / 237.73)
    assert _range("10 mg/kg, 20 mg/kg", drug, "ip", True).values[1] == pytest.approx(one)
