"""Quantities as a person writes them ("10 mg/ml", "30 min"), turned into plain numbers in a stated unit.

Inside the package numbers carry no unit object; names end in their unit where it is not obvious.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import Any

from ketune.errors import InputError

_NUMBER_THEN_UNIT = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(.*?)\s*")
# Only plain units reach the parser: no arithmetic, so a hostile or mistyped text costs nothing.
_UNIT_TEXT = re.compile(r"(?:1/)?[A-Za-zµμ%°]+(?:\^?-?\d)?(?:\s*[*/·]\s*[A-Za-zµμ]+(?:\^?-?\d)?)*")
_EXPONENT = re.compile(r"(?<=[A-Za-zµμ])\^?(-?\d)")

_EXAMPLES = {
    "concentration": "5 uM",
    "time": "30 min",
    "length": "300 um",
    "voltage": "-60 mV",
    "angle": "22.5 deg",
    "temperature": "37 degC",
    "rate": "2 Hz",
    "current": "40 nA",
    "volume": "50 nl",
    "area": "1 mm^2",
}


@lru_cache(maxsize=1)
def _registry() -> Any:
    import pint

    return pint.UnitRegistry()


def _split(text: str, what: str, example: str) -> tuple[float, str]:
    match = _NUMBER_THEN_UNIT.fullmatch(str(text))
    if match is None:
        raise InputError(f"{what} '{text}': not a number with a unit; write for example '{example}'")
    number, unit = float(match[1]), match[2]
    if not math.isfinite(number):
        raise InputError(f"{what} '{text}': the number is too large; write for example '{example}'")
    if not unit:
        raise InputError(f"{what} '{text}' has no unit; write for example '{example}'")
    return number, unit


def _unit(unit: str, text: str, what: str, example: str) -> Any:
    import pint

    if _UNIT_TEXT.fullmatch(unit) is None:
        raise InputError(f"{what} '{text}': unit '{unit}' is not understood; write for example '{example}'")
    try:
        return _registry().parse_units(_EXPONENT.sub(r"**\1", unit.replace("·", "*")))
    except (pint.errors.PintError, AttributeError, ValueError, TypeError):
        raise InputError(f"{what} '{text}': unknown unit '{unit}'; write for example '{example}'") from None


def _example(unit: str) -> str:
    dimension = str(_registry().parse_units(_EXPONENT.sub(r"**\1", unit)).dimensionality)
    for name, example in _EXAMPLES.items():
        if dimension == str(_registry().get_dimensionality(_dimension_text(name))):
            return example
    return f"1 {unit}"


def _dimension_text(name: str) -> str:
    return {
        "concentration": "mol/l",
        "time": "s",
        "length": "m",
        "voltage": "V",
        "angle": "deg",
        "temperature": "K",
        "rate": "Hz",
        "current": "A",
        "volume": "m**3",
        "area": "m**2",
    }[name]


def parse(text: str, unit: str, what: str = "value", *, signed: bool = False) -> float:
    """Read a quantity and give its value in ``unit``.

    Args:
        text: number and unit, "30 min", "300um", "1.28 s".
        unit: the unit of the answer, which also fixes the dimension that is accepted.
        what: the option or key that the text came from; it opens the error message.
        signed: whether a value below zero is meaningful.

    Raises:
        InputError: no number, no unit, unknown unit, other dimension, or negative where that has no meaning.
    """
    import pint

    example = _example(unit)
    number, given = _split(text, what, example)
    found = _unit(given, text, what, example)
    try:
        value = float(_registry().Quantity(number, found).to(_EXPONENT.sub(r"**\1", unit)).magnitude)
    except pint.DimensionalityError:
        raise InputError(
            f"{what} '{text}': '{given}' does not measure what is needed here; "
            f"write a quantity such as '{example}'"
        ) from None
    return _checked(value, text, what, signed)


def parse_concentration(text: str, molar_mass_g_mol: float | None = None, what: str = "--dose") -> float:
    """Read a concentration, molar ("5 uM") or by mass ("10 mg/ml"), and give it in µM.

    Args:
        text: number and unit.
        molar_mass_g_mol: molar mass of what was weighed (the salt, for a solution made from the salt);
            without it a concentration by mass cannot be converted and is refused.
        what: the option or key that the text came from.

    Raises:
        InputError: as ``parse``; also for a dose per body weight or an amount, which are no concentrations.
    """
    example = "10 mg/ml"
    number, given = _split(text, what, example)
    found = _unit(given, text, what, example)
    quantity = _registry().Quantity(number, found)
    if quantity.check("[substance]/[length]**3"):
        value = float(quantity.to("umol/l").magnitude)
    elif quantity.check("[mass]/[length]**3"):
        if molar_mass_g_mol is None:
            raise InputError(f"{what} '{text}': no molar mass is known to convert it; write it as '5 uM'")
        value = float(quantity.to("g/l").magnitude) / molar_mass_g_mol * 1e6
    else:
        raise InputError(
            f"{what} '{text}': '{given}' is not a concentration; write for example '{example}' or '5 uM'"
        )
    return _checked(value, text, what, signed=False)


def parse_dose_per_weight(text: str, molar_mass_g_mol: float | None = None, what: str = "--dose") -> float:
    """Read a dose per body weight, by mass ("30 mg/kg") or molar ("100 umol/kg"), and give it in mg/kg.

    Args:
        text: number and unit; the unit is a mass or an amount over a mass.
        molar_mass_g_mol: molar mass of what was weighed; without it a molar dose is refused.
        what: the option or key that the text came from.

    Raises:
        InputError: as ``parse``; also for a concentration or anything else that is no dose per body weight.
    """
    example = "30 mg/kg"
    number, given = _split(text, what, example)
    above, slash, below = given.partition("/")
    # By its dimension alone mg/kg could not be told from a percentage or an angle.
    ratio = _registry().Quantity(number, _unit(above, text, what, example)) if slash and below else None
    weight = _registry().Quantity(1.0, _unit(below, text, what, example)) if slash and below else None
    if ratio is None or weight is None or not weight.check("[mass]"):
        raise InputError(
            f"{what} '{text}': '{given}' is not a dose per body weight; write for example '{example}'"
        )
    kg = float(weight.to("kg").magnitude)
    if ratio.check("[mass]"):
        value = float(ratio.to("mg").magnitude) / kg
    elif ratio.check("[substance]"):
        if molar_mass_g_mol is None:
            raise InputError(
                f"{what} '{text}': no molar mass is known to convert it; write it as '{example}'"
            )
        value = float(ratio.to("mmol").magnitude) * molar_mass_g_mol / kg
    else:
        raise InputError(
            f"{what} '{text}': '{given}' is not a dose per body weight; write for example '{example}'"
        )
    return _checked(value, text, what, signed=False)


def _checked(value: float, text: str, what: str, signed: bool) -> float:
    if not math.isfinite(value):
        raise InputError(f"{what} '{text}': the number is too large")
    if value < 0 and not signed:
        raise InputError(f"{what} '{text}' is negative; give a value of zero or more")
    return value
