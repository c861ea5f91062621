"""A drug as data: every number with its unit, range, source and confidence, read from TOML and checked."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from ketune.errors import InputError

Confidence = Literal["R", "R*", "MH", "ML", "D", "ASSUMP"]
Spread = Literal["fixed", "lognormal", "normal", "uniform"]

CONFIDENCE_MEANING: dict[str, str] = {
    "R": "read in an abstract, legend, table page or source file of the named paper",
    "R*": "read through a secondary source",
    "MH": "recalled with high confidence",
    "ML": "recalled with low confidence: a placeholder until the paper is opened",
    "D": "derived by arithmetic from cited values",
    "ASSUMP": "a modelling assumption with no measurement behind it",
}

# What the model reads from a drug file, and in which unit. A file must give exactly these.
UNITS: dict[str, str] = {
    "molar_mass.salt": "g/mol",
    "molar_mass.base": "g/mol",
    **{f"nmda.k_{s}": "uM" for s in ("2A", "2B", "2C", "2D")},
    **{f"nmda.k_mg_{s}": "mM" for s in ("2A", "2B", "2C", "2D")},
    "nmda.affinity_scale": "1",
    "nmda.hill": "1",
    "nmda.delta": "1",
    "nmda.mg_slope": "1/mV",
    "nmda.mg": "mM",
    "pyramid.fraction_2A": "1",
    "pyramid.v_bar": "mV",
    "interneuron.fraction_2D": "1",
    "interneuron.kappa": "1",
    "interneuron.v_bar": "mV",
    "pv.nmda_share": "1",
    "sst.nmda_share": "1",
    "hcn1.ec50": "uM",
    "hcn1.dv_max": "mV",
    "hcn1.rho_max": "1",
    "nav.ic50": "uM",
    "kv.block_max": "1",
    "kv.ec50": "uM",
    "kv.hill": "1",
    "kv.dv_max": "mV",
    "kv.dv_ec50": "uM",
    "cal.ic50": "uM",
    "gabatonic.gain_per_100uM": "1",
    "topical.reservoir": "ul/mm^2",
    "topical.diffusion": "um^2/s",
    "topical.retention": "1",
    "topical.clearance": "1/s",
    "topical.lateral_distance": "um",
    "topical.paper_minutes": "min",
    "topical.soma_depth": "um",
}

_FRACTIONS = frozenset(
    {
        "pyramid.fraction_2A",
        "interneuron.fraction_2D",
        "pv.nmda_share",
        "sst.nmda_share",
        "hcn1.rho_max",
        "kv.block_max",
        "nmda.delta",
    }
)
_SIGNED = frozenset({"pyramid.v_bar", "interneuron.v_bar"})
_MAY_BE_ZERO = _FRACTIONS | {"hcn1.dv_max", "gabatonic.gain_per_100uM", "topical.lateral_distance", "nmda.mg"}

_Z95 = 1.959963984540054  # standard normal quantile of 0.975


class Quantity(BaseModel):
    """One number of a drug, with what is known about it.

    ``low`` and ``high`` are taken as the 2.5 % and 97.5 % points; ``stress`` holds values beyond them that
    a claim resting on this number must also survive; ``confidence`` are tags of ``CONFIDENCE_MEANING``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    value: float
    unit: str
    low: float
    high: float
    spread: Spread
    confidence: tuple[Confidence, ...]
    source: str
    meaning: str = ""
    stress: tuple[float, ...] = ()

    @model_validator(mode="after")
    def _ordered(self) -> Quantity:
        if not self.low <= self.value <= self.high:
            raise ValueError(f"value {self.value:g} lies outside its range {self.low:g} to {self.high:g}")
        if not self.confidence or not self.source:
            raise ValueError("a value needs a source and at least one confidence tag")
        if self.spread == "lognormal" and self.low <= 0:
            raise ValueError("a lognormal spread needs a range above zero")
        return self

    def describe(self) -> str:
        """Value, range, stress values, confidence and source on one line."""
        unit = "" if self.unit == "1" else f" {self.unit}"
        spread = f"95 % range {self.low:g} to {self.high:g}"
        stress = "".join(f", stress test {value:g}" for value in self.stress)
        tags = "; ".join(f"{tag}: {CONFIDENCE_MEANING[tag]}" for tag in self.confidence)
        return f"{self.value:g}{unit} ({spread}{stress}; {tags}; {self.source})"

    @property
    def placeholder(self) -> bool:
        """Whether the number is a low-confidence recollection (ML) that must be shown as such."""
        return "ML" in self.confidence

    @property
    def assumed(self) -> bool:
        """Whether the number rests on an assumption rather than on a measurement."""
        return "ASSUMP" in self.confidence


class Drug(BaseModel):
    """A drug: name and all parameters by dotted name ("hcn1.ec50"), see ``UNITS``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    description: str
    reference_potential_mV: float
    thermal_voltage_mV: float
    parameters: dict[str, Quantity]

    @model_validator(mode="after")
    def _complete(self) -> Drug:
        missing = sorted(UNITS.keys() - self.parameters.keys())
        extra = sorted(self.parameters.keys() - UNITS.keys())
        if missing or extra:
            raise ValueError(f"missing parameters {missing}, unknown parameters {extra}")
        for name, quantity in self.parameters.items():
            if quantity.unit != UNITS[name]:
                raise ValueError(f"{name} must be given in {UNITS[name]}, not {quantity.unit}")
            for number in (quantity.low, quantity.value, quantity.high):
                _check_bounds(name, number)
        return self

    def values(self, overrides: Mapping[str, float] | None = None) -> dict[str, float]:
        """All parameter values, with ``overrides`` in place of the defaults.

        Raises:
            InputError: an override has an unknown name, is not finite, or lies outside what is physically
                possible.
        """
        out = {name: quantity.value for name, quantity in self.parameters.items()}
        for name, number in (overrides or {}).items():
            self.require(name)
            try:
                _check_bounds(name, float(number))
            except ValueError as error:
                raise InputError(f"drug {self.name}: {error}") from None
            out[name] = float(number)
        return out

    def require(self, name: str) -> Quantity:
        """The parameter of that name.

        Raises:
            InputError: there is none.
        """
        if name not in self.parameters:
            known = ", ".join(sorted(self.parameters))
            raise InputError(f"drug {self.name}: unknown parameter '{name}'; known: {known}")
        return self.parameters[name]

    def cautions(self) -> tuple[str, ...]:
        """One line for each parameter that is a placeholder or an assumption, placeholders first.

        Whatever shows a result of the drug to a user shows these lines too.
        """
        doubtful = self.placeholders() | self.assumptions()  # a key in both keeps its first place
        return tuple(f"{name} = {quantity.describe()}" for name, quantity in doubtful.items())

    def placeholders(self) -> dict[str, Quantity]:
        """The parameters that are low-confidence recollections; reports must show them with tag and range."""
        return {name: q for name, q in self.parameters.items() if q.placeholder}

    def assumptions(self) -> dict[str, Quantity]:
        """The parameters that rest on an assumption; reports must show them with tag and range."""
        return {name: q for name, q in self.parameters.items() if q.assumed}


def _check_bounds(name: str, number: float) -> None:
    if not np.isfinite(number):
        raise ValueError(f"{name} = {number:g} is not a finite number")
    if name in _SIGNED:
        return
    if number < 0 or (number == 0 and name not in _MAY_BE_ZERO):
        raise ValueError(
            f"{name} = {number:g} must be {'zero or more' if name in _MAY_BE_ZERO else 'positive'}"
        )
    if name in _FRACTIONS and number > 1:
        raise ValueError(f"{name} = {number:g} is a fraction and must be at most 1")


def known_drugs() -> tuple[str, ...]:
    """Names that ``load_drug`` accepts."""
    folder = resources.files("ketune.pharmacology") / "drugs"
    return tuple(sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml")))


@lru_cache(maxsize=16)
def load_drug(name: str = "ketamine") -> Drug:
    """Read a shipped drug by name.

    Raises:
        InputError: no such drug (the message lists the known ones).
    """
    known = known_drugs()
    key = str(name).strip().lower()
    if key not in known:
        raise InputError(f"unknown drug '{name}'; known: {', '.join(known)}")
    text = (resources.files("ketune.pharmacology") / "drugs" / f"{key}.toml").read_text(encoding="utf-8")
    return parse_drug(text, source=f"{key}.toml")


def parse_drug(text: str, source: str = "drug file") -> Drug:
    """Read a drug from TOML text; ``source`` opens the error message.

    Raises:
        InputError: not TOML, or a parameter is missing, unknown, in another unit or outside its range.
    """
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{source}: not valid TOML ({error})") from None
    top = {key: value for key, value in raw.items() if not isinstance(value, dict)}
    parameters = {
        f"{group}.{key}": quantity
        for group, table in raw.items()
        if isinstance(table, dict)
        for key, quantity in table.items()
    }
    try:
        return Drug(**top, parameters=parameters)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if part != "parameters")
        message = " ".join(str(first["msg"]).removeprefix("Value error, ").split())
        raise InputError(f"{source}: {where + ': ' if where else ''}{message}") from None


def sample_parameters(
    drug: Drug, n: int, seed: int, names: tuple[str, ...] | None = None
) -> list[dict[str, float]]:
    """Draw ``n`` sets of the uncertain parameters, each to be given as ``overrides``.

    "lognormal" and "normal" are two-piece laws: the default is the median, ``low`` and ``high`` the 2.5 %
    and 97.5 % points, whatever the skew; draws are cut at what is physically possible. "uniform" fills the
    range. Parameters are drawn independently, although affinity, depth and subunit shares trade off in
    reality.

    Args:
        drug: the drug.
        n: number of sets.
        seed: seed; a parameter's draws do not depend on which others are asked for.
        names: parameters to draw; default all that are not "fixed".

    Raises:
        InputError: unknown name.
    """
    chosen = names or tuple(k for k, q in drug.parameters.items() if q.spread != "fixed")
    for name in chosen:
        drug.require(name)
    order = sorted(drug.parameters)
    columns = {
        name: _draw(name, drug.parameters[name], np.random.default_rng([seed, order.index(name)]), n)
        for name in chosen
    }
    return [{name: float(column[i]) for name, column in columns.items()} for i in range(n)]


def _draw(name: str, q: Quantity, rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    if q.spread == "fixed":
        return np.full(n, q.value)
    if q.spread == "uniform":
        return rng.uniform(q.low, q.high, n)
    z = rng.standard_normal(n) / _Z95
    if q.spread == "lognormal":
        return q.value * np.where(z < 0, (q.low / q.value) ** -z, (q.high / q.value) ** z)
    draw = q.value + np.where(z < 0, (q.value - q.low) * z, (q.high - q.value) * z)
    if name in _SIGNED:
        return draw
    return np.clip(draw, 0.0 if name in _MAY_BE_ZERO else 0.01 * q.value, 1.0 if name in _FRACTIONS else None)
