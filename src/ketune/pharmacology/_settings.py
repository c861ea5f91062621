"""Numbers of a drug that a user sets by hand: "hcn1.ec50=67 uM"."""

from __future__ import annotations

from collections.abc import Iterable

from ketune.errors import InputError
from ketune.pharmacology._drug import Drug
from ketune.pharmacology._schema import KEYS
from ketune.units import parse


def read_settings(drug: Drug, texts: Iterable[str]) -> dict[str, float]:
    """Overrides by dotted name, each in the unit of the drug file.

    Raises
    ------
    InputError
        Not NAME=VALUE, an unknown name, a missing or wrong unit, or an impossible value.
    """
    out: dict[str, float] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not value:
            raise InputError(
                f"--set '{text}': write NAME=VALUE, such as 'hcn1.ec50=67 uM' or 'pv.nmda_share=0.3'"
            )
        drug.require(name)
        unit = KEYS[name].unit
        if unit != "1":
            out[name] = parse(value, unit, f"--set {name}", signed=True)
            continue
        try:
            out[name] = float(value)
        except ValueError:
            raise InputError(f"--set {name}: '{value}' is not a number; this parameter has no unit") from None
    drug.values(out)
    return out
