"""A drug as data: every number with its unit, range, source and confidence, read from TOML and checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, model_validator

from ketune import _toml
from ketune.errors import InputError
from ketune.pharmacology._schema import KEYS, PREPARATION_KEYS, TARGET_GROUPS, check_number, law_of

Confidence = Literal["retrieved", "recalled", "derived", "assumed"]
Spread = Literal["fixed", "lognormal", "normal", "uniform"]

CONFIDENCE_MEANING: dict[str, str] = {
    "retrieved": "read in the named source",
    "recalled": "from memory of the named paper",
    "derived": "arithmetic from cited values",
    "assumed": "a modelling assumption with no measurement behind it",
}


class Quantity(BaseModel):
    """One number of a drug, with what is known about it.

    ``low`` and ``high`` are taken as the 2.5 % and 97.5 % points; ``stress`` holds values beyond them that
    a claim resting on this number must also survive; ``confidence`` are tags of ``CONFIDENCE_MEANING``;
    ``placeholder`` marks a low-confidence recollection that must be shown as such.
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
    placeholder: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> Quantity:
        if not self.low <= self.value <= self.high:
            raise ValueError(f"value {self.value:g} lies outside its range {self.low:g} to {self.high:g}")
        if not self.confidence or not self.source.strip():
            raise ValueError("a value needs a source and at least one confidence tag")
        if self.spread == "lognormal" and self.low <= 0:
            raise ValueError("a lognormal spread needs a range above zero")
        return self

    def describe(self) -> str:
        """Value, range, stress values, confidence and source on one line."""
        unit = "" if self.unit == "1" else f" {self.unit}"
        spread = f"95 % range {self.low:g} to {self.high:g}"
        stress = "".join(f", stress test {value:g}" for value in self.stress)
        doubt = "; placeholder until the paper is opened" if self.placeholder else ""
        tags = "; ".join(f"{tag}: {CONFIDENCE_MEANING[tag]}" for tag in self.confidence)
        return f"{self.value:g}{unit} ({spread}{stress}; {tags}{doubt}; {self.source})"

    @property
    def assumed(self) -> bool:
        """Whether the number rests on an assumption rather than on a measurement."""
        return "assumed" in self.confidence


class Drug(BaseModel):
    """A drug in a preparation: all numbers by dotted name ("hcn1.ec50"), and the law of every group it acts on.

    Attributes
    ----------
    parameters
        The drug's own numbers, then those of the preparation.
    laws
        By group of targets ("nmda": "open-channel"); a group that is absent has no known action.
    gaps
        What is not known of the drug, one line each, for users to see.
    synonyms
        Other names that ``load_drug`` accepts.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    description: str
    reference_potential_mV: float
    thermal_voltage_mV: float
    parameters: dict[str, Quantity]
    laws: dict[str, str]
    gaps: tuple[str, ...] = ()
    synonyms: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _checked(self) -> Drug:
        if not self.name.strip() or not self.name.isprintable():
            raise ValueError(f"name = {self.name!r}: give the drug a name, on one line")
        for name, quantity in self.parameters.items():
            if name not in KEYS:
                raise ValueError(f"unknown parameter '{name}'{_nearest(name)}")
            if quantity.unit != KEYS[name].unit:
                raise ValueError(f"{name} must be given in {KEYS[name].unit}, not {quantity.unit}")
            for number in (quantity.low, quantity.value, quantity.high):
                check_number(name, number)
        if missing := sorted(PREPARATION_KEYS.keys() - self.parameters.keys()):
            raise ValueError(f"missing parameters of the preparation {missing}")
        return self

    def _repr_html_(self) -> str:
        from ketune.report._notebook_displays import drug_html

        return drug_html(self)

    @property
    def targets(self) -> frozenset[str]:
        """What the drug acts on; an NMDA or AMPA antagonist acts on the interneurons too."""
        groups = frozenset(self.laws)
        return groups | (frozenset({"pv", "sst", "vip"}) if groups & {"nmda", "ampa"} else frozenset())

    def values(self, overrides: Mapping[str, float] | None = None) -> dict[str, float]:
        """All parameter values, with ``overrides`` in place of the defaults.

        A key that the drug does not give but its law knows (a Hill coefficient) has its neutral value.

        Raises
        ------
        InputError
            An override has an unknown name, is not finite, or lies outside what is physically possible.
        """
        out = {name: KEYS[name].neutral for name in self._neutral()}
        values: dict[str, float] = {k: float(v) for k, v in out.items() if v is not None}
        values |= {name: quantity.value for name, quantity in self.parameters.items()}
        for name, number in (overrides or {}).items():
            self.require(name)
            try:
                check_number(name, float(number))
            except ValueError as error:
                raise InputError(f"drug {self.name}: {error}") from None
            values[name] = float(number)
        return values

    def _neutral(self) -> tuple[str, ...]:
        """Keys with a neutral value, of the groups that the drug acts on."""
        return tuple(
            name for name, key in KEYS.items() if key.neutral is not None and name.split(".")[0] in self.laws
        )

    def require(self, name: str) -> Quantity | None:
        """The parameter of that name; None where it may be set but the drug does not give it.

        Raises
        ------
        InputError
            There is none.
        """
        if name in self.parameters:
            return self.parameters[name]
        if name not in self._neutral():
            known = ", ".join(sorted(self.parameters))
            raise InputError(f"drug {self.name}: unknown parameter '{name}'; known: {known}")
        return None

    def own(self) -> dict[str, Quantity]:
        """The numbers that belong to the drug, without those of the preparation."""
        return {name: q for name, q in self.parameters.items() if name not in PREPARATION_KEYS}

    def cautions(self) -> tuple[str, ...]:
        """One line for each parameter that is a placeholder or an assumption, placeholders first, then the gaps.

        Whatever shows a result of the drug to a user shows these lines too.
        """
        doubtful = self.placeholders() | self.assumptions()  # a key in both keeps its first place
        return (*(f"{name} = {quantity.describe()}" for name, quantity in doubtful.items()), *self.gaps)

    def placeholders(self) -> dict[str, Quantity]:
        """The parameters that are low-confidence recollections; reports must show them with tag and range."""
        return {name: q for name, q in self.parameters.items() if q.placeholder}

    def assumptions(self) -> dict[str, Quantity]:
        """The parameters that rest on an assumption; reports must show them with tag and range."""
        return {name: q for name, q in self.parameters.items() if q.assumed}


_GROUPS = frozenset(name.split(".")[0] for name in KEYS)


def _nearest(name: str, among: Iterable[str] = KEYS) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, list(among), n=1)
    return f"; did you mean '{close[0]}'?" if close else ""


def known_drugs() -> tuple[str, ...]:
    """Names of the shipped drugs."""
    folder = resources.files("ketune.pharmacology") / "drugs"
    return tuple(sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml")))


@lru_cache(maxsize=64)
def load_drug(name: str | Path = "ketamine") -> Drug:
    """Read a shipped drug by its name or a synonym, or a drug file of your own by its path.

    Raises
    ------
    InputError
        No such drug (the message lists the known ones), or the file cannot be used.
    """
    text = str(name).strip()
    if text.lower().endswith(".toml"):
        return _drug(_toml.read(text, "drug file"), text)
    known, key = known_drugs(), text.lower()
    if key in known:
        return _shipped(key)
    for other in known:
        if key in _shipped(other).synonyms:
            return _shipped(other)
    raise InputError(f"unknown drug '{name}'; known: {', '.join(known)}; or give the path of a .toml file")


@lru_cache(maxsize=64)
def _shipped(name: str) -> Drug:
    text = (resources.files("ketune.pharmacology") / "drugs" / f"{name}.toml").read_text(encoding="utf-8")
    return parse_drug(text, source=f"{name}.toml")


@lru_cache(maxsize=1)
def _preparation() -> dict[str, Any]:
    text = (resources.files("ketune.pharmacology") / "preparation.toml").read_text(encoding="utf-8")
    return _toml.parse(text, "preparation.toml")


def parse_drug(text: str, source: str = "drug file") -> Drug:
    """Read a drug from TOML text; ``source`` opens the error message.

    Raises
    ------
    InputError
        Not TOML, or a parameter is missing, unknown, in another unit or outside its range.
    """
    return _drug(_toml.parse(text, source), source)


def _drug(raw: Mapping[str, Any], source: str) -> Drug:
    top: dict[str, Any] = {key: value for key, value in raw.items() if not isinstance(value, dict)}
    groups = {key: dict(value) for key, value in raw.items() if isinstance(value, dict)}
    for name in ("laws", "parameters"):  # fields of a Drug that are no keys of a file
        if name in top:
            raise InputError(f"{source}: {name}: unknown key; correct its spelling or leave it out")
    if unknown := sorted(group for group in groups if group not in _GROUPS):
        hint = _nearest(unknown[0], _GROUPS) or f"; known: {', '.join(sorted(_GROUPS))}"
        raise InputError(f"{source}: unknown section '{unknown[0]}'{hint}")
    try:
        laws = {
            group: law_of(group, keys.pop("law", None), set(keys))
            for group, keys in groups.items()
            if group in TARGET_GROUPS and {f"{group}.{key}" for key in keys} - PREPARATION_KEYS.keys()
        }
    except ValueError as error:
        raise InputError(f"{source}: {error}") from None
    given = _dotted(groups)
    prepared = {name: quantity for name, quantity in _dotted(_groups()).items() if name not in given}
    with _toml.checking(source, unnamed=("parameters",)):
        return Drug(**_fixed() | top, laws=laws, parameters=given | prepared)


def _dotted(groups: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {f"{group}.{key}": value for group, table in groups.items() for key, value in table.items()}


def _groups() -> dict[str, dict[str, Any]]:
    return {key: value for key, value in _preparation().items() if isinstance(value, dict)}


def _fixed() -> dict[str, float]:
    return {key: value for key, value in _preparation().items() if not isinstance(value, dict)}
