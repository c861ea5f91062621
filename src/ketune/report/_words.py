"""Numbers and short phrases in words: significant digits, units, signs, and what is said where there is nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable

from ketune.report._results import Change, Number, ParameterPart

NOT_AVAILABLE = "not available"
NOT_RECORDED = "not recorded"
_NBSP = "\N{NO-BREAK SPACE}"

QUANTITIES = {
    "gosi": "global orientation selectivity (gOSI)",
    "osi_fit": "orientation selectivity index (OSI, fitted curve)",
    "osi_points": "orientation selectivity index (OSI, raw points)",
    "preferred_deg": "preferred orientation",
    "fano": "Fano factor",
    "spontaneous": "spontaneous rate",
    "spontaneous_rate_hz": "spontaneous rate",
    "peak_rate": "response at the preferred orientation",
    "peak_rate_hz": "response at the preferred orientation",
    "hwhm_deg": "half width at half height",
    "orthogonal_rate_hz": "response at the orthogonal orientation",
}
SHORT = {
    "gosi": "gOSI",
    "osi_fit": "OSI (fit)",
    "osi_points": "OSI (points)",
    "preferred_deg": "preferred orientation",
    "fano": "Fano factor",
    "spontaneous": "spontaneous rate",
    "peak_rate": "peak response",
}


def number(value: Number, digits: int = 3, unit: str = "", reason: str = "") -> str:
    """A number with that many significant digits and a true minus sign, or why there is none."""
    if value is None or not math.isfinite(value):
        return f"{NOT_AVAILABLE} ({reason})" if reason else NOT_AVAILABLE
    return _decimal(value, _places(value, digits)) + _unit(unit)


def with_error(value: Number, error: Number, unit: str = "", reason: str = "") -> str:
    """value ± error, both to the second digit of the error."""
    if value is None or not math.isfinite(value):
        return number(value, reason=reason)
    if error is None or not math.isfinite(error):
        return f"{number(value, unit=unit)} (error {NOT_AVAILABLE})"
    # An error far above the value must not take the value's digits away.
    places = max(_places(error, 2), _places(value, 2)) if error > 0 else _places(value, 3)
    return f"{_decimal(value, places)}{_NBSP}±{_NBSP}{_decimal(error, places)}{_unit(unit)}"


def percent(value: Number, digits: int = 2) -> str:
    """A fraction as a percentage; whole per cents are never rounded away."""
    if value is None or not math.isfinite(value):
        return NOT_AVAILABLE
    return _decimal(100 * value, max(_places(100 * value, digits), 0)) + _unit("%")


def exact(value: Number, unit: str = "") -> str:
    """A number that somebody chose, such as an orientation or a bound, as it was chosen."""
    return NOT_AVAILABLE if value is None else f"{value:.6g}".replace("-", "−") + _unit(unit)


def signed(value: Number, unit: str = "", digits: int = 2) -> str:
    """A number with its sign."""
    text = number(value, digits, unit)
    return f"+{text}" if value is not None and value > 0 else text


def span(low: Number, high: Number, digits: int = 2, unit: str = "") -> str:
    """low to high."""
    if low is None or high is None:
        return NOT_AVAILABLE
    return f"{number(low, digits)} to {number(high, digits)}{_unit(unit)}"


def p_value(value: Number) -> str:
    """p = 0.02, or p < 0.001."""
    if value is None:
        return f"p {NOT_AVAILABLE}"
    return "p < 0.001" if value < 0.001 else f"p = {number(value, 2)}"


def unit(name: str) -> str:
    """A unit as it follows its number."""
    return _unit(name)


def listed(items: Iterable[str]) -> str:
    """a, b and c."""
    words = list(items)
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def counted(n: int, one: str, many: str | None = None) -> str:
    """1 trial, 2 trials."""
    return f"{n} {one if n == 1 else many or one + 's'}"


def doubtful(n: int) -> str:
    """How many numbers of a drug model are doubtful."""
    are = "is a placeholder or an assumption" if n == 1 else "are placeholders or assumptions"
    return f"{counted(n, 'number')} of the drug model {are}"


def trials(counts: int | Iterable[int]) -> str:
    """Number of trials an orientation: 200, or 24 to 26."""
    values = [counts] if isinstance(counts, int) else list(counts)
    low, high = min(values, default=0), max(values, default=0)
    return str(low) if low == high else f"{low} to {high}"


def quantity(name: str) -> str:
    """The reader's name of a quantity."""
    return QUANTITIES.get(name, name.replace("_", " "))


def short(name: str) -> str:
    """A short name of a quantity, for axes."""
    return SHORT.get(name, name.replace("_", " "))


def change_size(change: Change) -> str:
    """The change of the best parameter set."""
    return signed(change.best, "deg") if change.unit == "deg" else times(change.best)


def change_range(change: Change) -> str:
    """The change over the kept parameter sets."""
    if change.low is None or change.high is None:
        return NOT_AVAILABLE
    if change.unit == "deg":
        return f"{signed(change.low)} to {signed(change.high, 'deg')}"
    return f"{times(change.low)} to {times(change.high)}"


def times(ratio: Number) -> str:
    """A ratio: ×0.79."""
    return NOT_AVAILABLE if ratio is None else f"×{number(ratio, 2 if ratio < 1 else 3)}"


def to_either_side(change: Change) -> bool:
    """Whether kept sets turn an orientation both ways: they agree that it shifts, and no more."""
    if change.low is None or change.high is None:
        return False
    return change.unit == "deg" and change.found != "no change" and change.low < 0 < change.high


def change_in_words(change: Change) -> str:
    """What happened to a quantity, as the end of a sentence that began with its name."""
    if change.best is None:
        return NOT_AVAILABLE
    if not change.determined:
        spread = f"{change_size(change)} in the best set, {change_range(change)} over the kept sets"
        return f"not determined by these data ({spread})"
    if change.unit == "deg":
        if change.found == "no change":
            return f"did not move beyond the margin ({change_size(change)}; {change_range(change)})"
        if to_either_side(change):
            return f"moved, but to either side ({change_size(change)}; {change_range(change)})"
        return f"moved by {change_size(change)} ({change_range(change)})"
    if change.found == "no change":
        return f"did not change beyond the margin ({change_size(change)}; {change_range(change)})"
    if abs(change.best - 1) < 0.015:
        return f"did not change ({change_size(change)}; {change_range(change)})"
    verb = "fell" if change.best < 1 else "rose"
    range_ = span(change.low, change.high)
    return f"{verb} to {number(change.best, 2 if change.best < 1 else 3)} of its value ({range_})"


def against_report(change: Change) -> str:
    """How a change in the model stands to the reported one: a missing change is not a change the other way."""
    if change.agrees_with_report is None:
        return "no verdict"
    if change.agrees_with_report:
        return "same direction as reported"
    if change.found is None:
        return "not as reported"
    if change.found == "no change":
        what = "shift" if change.unit == "deg" else "change"
        return f"the model shows no {what}, though one was reported"
    if "no change" in change.reported.lower() or "unchanged" in change.reported.lower():
        return "the model shows a change, though none was reported"
    return "other direction than reported"


def kept_span(parameter: ParameterPart, kept: Iterable[Number]) -> str:
    """Range of a parameter over the kept sets, on the circle for an orientation."""
    values = [value for value in kept if value is not None]
    if not values:
        return NOT_AVAILABLE
    if parameter.circular and parameter.value is not None:
        centre = parameter.value
        around = [(value - centre + 90) % 180 - 90 for value in values]
        if max(around) - min(around) >= 170:
            return "any orientation"
        return span((centre + min(around)) % 180, (centre + max(around)) % 180, 3)
    return span(min(values), max(values), 3)


def plain(text: str) -> str:
    """The same text with its signs and units in characters that every terminal can show."""
    return text.translate(_PLAIN)


_PLAIN = str.maketrans(
    {"−": "-", "×": "x", "±": "+-", "µ": "u", "°": " deg", "²": "^2", _NBSP: " ", "’": "'"}
)


def _places(value: float, digits: int) -> int:
    return 0 if value == 0 else digits - 1 - math.floor(math.log10(abs(value)))


def _decimal(value: float, places: int) -> str:
    if value == 0:
        return "0"
    if abs(value) < 1e-4:
        mantissa, _, exponent = f"{value:.1e}".partition("e")
        raised = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
        return f"{mantissa} × 10{raised}".replace("-", "−")
    text = f"{round(value, places):.{max(places, 0)}f}"
    if float(text) == 0:
        text = text.removeprefix("-")
    return text.replace("-", "−")


def _unit(unit: str) -> str:
    if not unit or unit == "1":
        return ""
    if unit == "deg":
        return "°"
    for typed, printed in (("uM", "µM"), ("um", "µm"), ("ul", "µl"), ("^2", "²"), ("1/", "/")):
        unit = unit.replace(typed, printed)
    return _NBSP + unit
