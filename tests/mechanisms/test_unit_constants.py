"""Constants of UNITS blocks against what NEURON's own translator (nocmodl of NEURON 9.0) writes for them."""

from __future__ import annotations

import jax.numpy as jnp
import pytest
from mechanism_text import Translate

from ketune.mechanisms import TranslationError
from ketune.mechanisms._units import unit_constant

OWN = {"mV": "millivolt", "mM": "millimolar", "molar": "1/liter", "S": "siemens"}


@pytest.mark.parametrize(
    ("source", "target", "value"),
    [
        ("faraday", "coulomb", float.fromhex("0x1.78e555060882cp+16")),
        ("k-mole", "joule/degC", float.fromhex("0x1.0a1013e8990bep+3")),
        ("faraday", "10000 coulomb", 9.648533212331003),
        ("faraday", "kilocoulombs", 96.48533212331001),
        ("pi", "1", 3.141592653589793),
        ("mV", "volt", 1e-3),
        ("mM", "molar", 1e-3),
        ("volt", "mV", 1e3),
        ("1/ms", "1/s", 1e3),
        ("mV", "joule/coulomb", 1e-3),
        ("S/cm2", "mho/m2", 1e4),
        ("mV/ohm", "milliamp", 1.0),
    ],
)
def test_known_units(source: str, target: str, value: float) -> None:
    assert unit_constant(source, target, {**OWN, "ms": "millisecond"}) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("mV", "ms"),
        ("faraday", "joule"),
        ("1", "mV"),
        ("parrot", "1"),
        ("mV", "parrot"),
        ("mV2", "mV"),
        ("a", "a"),
    ],
)
def test_unknown_or_different_units(source: str, target: str) -> None:
    assert unit_constant(source, target, {**OWN, "a": "b", "b": "a"}) is None


def test_constant_in_a_file(translate: Translate) -> None:
    m = translate(
        "UNITS { F = (faraday) (coulomb) two = 2 (mV) third = (pi) (1) }\nBREAKPOINT { i = F*v + two + third }"
    )
    value = float(m.current(jnp.asarray(1.0), {}, {}))
    assert value == pytest.approx(float.fromhex("0x1.78e555060882cp+16") + 2 + 3.141592653589793, rel=1e-15)


def test_constant_that_cannot_be(translate: Translate) -> None:
    with pytest.raises(
        TranslationError, match=r"^probe\.mod:4: F: \(faraday\) cannot be expressed in \(volt\)"
    ):
        translate("UNITS {\n F = (faraday) (volt) }\nBREAKPOINT { i = F*v }")
