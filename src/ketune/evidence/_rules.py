"""Pass rules that a program can apply, the windows some of them judge by, and who gave their numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

FROZEN = ConfigDict(extra="forbid", frozen=True)
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Probability = Annotated[float, Field(strict=True, gt=0, lt=1)]
Names = Annotated[tuple[str, ...], Field(min_length=1)]


class Given(BaseModel):
    """Numbers and who gave them: either this project (``ours``) or the ``source`` with that id, never both.

    ``species`` says for which virtual population they hold.
    """

    model_config = FROZEN

    ours: bool = False
    source: str = ""
    species: Literal["any", "cat", "mouse"] = "any"

    @model_validator(mode="after")
    def _given_by_one(self) -> Given:
        if self.ours == bool(self.source):
            problem = "both ours = true and a source are given" if self.ours else "nobody gives its numbers"
            raise ValueError(f"{problem}; write either ours = true or source = the id of a [[source]]")
        return self

    @property
    def given_by(self) -> str:
        """ "ours", or the id of the source."""
        return "ours" if self.ours else self.source

    def _for_species(self, words: str) -> str:
        return words if self.species == "any" else f"{self.species}: {words}"


class Window(Given):
    """A range of a quantity: chosen by this project (``ours``), or given by a source.

    Whether it decides a verdict or only stands beside it follows from the target's rule (`Target.deciding`).
    ``unit`` is "1" for shares and ratios.
    """

    quantity: str
    low: Number
    high: Number
    unit: str
    note: str = ""

    @model_validator(mode="after")
    def _ordered(self) -> Window:
        if self.low >= self.high:
            raise ValueError(f"window of {self.quantity}: low must be below high")
        return self

    @property
    def words(self) -> str:
        """Quantity and range; the ends belong to it."""
        unit = "" if self.unit == "1" else f" {self.unit}"
        return self._for_species(f"{self.quantity}: {self.low:g} to {self.high:g}{unit}")


class _Rule(Given):
    @property
    def judged_by_window(self) -> tuple[str, ...]:
        """Quantities whose window decides."""
        return ()


class PairedDecrease(_Rule):
    """A paired test over the population below ``alpha``, and more than ``least_share`` of the cells down."""

    kind: Literal["paired decrease"]
    alpha: Probability
    least_share: Probability
    lost_tuning_fails: bool

    def words(self, windows: Sequence[Window]) -> str:
        """The rule as a person reads it."""
        lost = "; loss of all tuning fails" if self.lost_tuning_fails else ""
        down = f"more than {_percent(self.least_share)} of cells down"
        return self._for_species(f"paired test p < {self.alpha:g} and {down}{lost}")


class ShareBeyondNull(_Rule):
    """The share of cells that shift by more than ``threshold_deg`` lies above the re-measure null (one-sided)."""

    kind: Literal["share beyond null"]
    threshold_deg: Annotated[Number, Field(gt=0, lt=90)]
    alpha: Probability

    def words(self, windows: Sequence[Window]) -> str:
        """The rule as a person reads it."""
        return self._for_species(
            f"share of cells that shift by more than {self.threshold_deg:g} deg above the re-measure null, "
            f"p < {self.alpha:g}"
        )


class RatioAgainstOne(_Rule):
    """Where the interval at ``level`` of each ratio of ``quantities`` lies: below, above, off or around 1."""

    kind: Literal["ratio below one", "ratio above one", "ratio not one", "ratio includes one"]
    quantities: Names
    level: Probability

    def words(self, windows: Sequence[Window]) -> str:
        """The rule as a person reads it."""
        where = {
            "ratio below one": "lies below 1",
            "ratio above one": "lies above 1",
            "ratio not one": "excludes 1",
            "ratio includes one": "includes 1",
        }[self.kind]
        interval = f"{_percent(self.level)} interval {where}"
        each = "each " if len(self.quantities) > 1 else ""
        return self._for_species(f"{', '.join(self.quantities)}: {each}{interval}")


class Equivalence(_Rule):
    """Two one-sided tests, each at confidence ``level``, that the ratio lies within a margin.

    ``margins`` are (low, high) around 1. The first decides and is the window of ``quantity``; a verdict is given
    for each, because a margin of equivalence is a choice.
    """

    kind: Literal["equivalence"]
    quantity: str
    margins: Annotated[tuple[tuple[Number, Number], ...], Field(min_length=1)]
    level: Probability

    @model_validator(mode="after")
    def _around_one(self) -> Equivalence:
        for low, high in self.margins:
            if not 0 < low < 1 < high:
                raise ValueError(
                    f"margins: {low:g} to {high:g} does not hold 1 between positive ends; correct it"
                )
        return self

    @property
    def judged_by_window(self) -> tuple[str, ...]:
        """The one quantity."""
        return (self.quantity,)

    def words(self, windows: Sequence[Window]) -> str:
        """The rule as a person reads it."""
        first, *others = (f"{low:g} to {high:g}" for low, high in self.margins)
        also = f"; a verdict also for {', '.join(others)}" if others else ""
        tests = f"two one-sided tests at {_percent(self.level)}"
        return self._for_species(f"{self.quantity} equivalent within {first} ({tests}){also}")


class SlopeBelowNull(_Rule):
    """The slope over cells is more negative than the null's (one-sided)."""

    kind: Literal["slope below null"]
    alpha: Probability

    def words(self, windows: Sequence[Window]) -> str:
        """The rule as a person reads it."""
        return self._for_species(f"slope more negative than the null's, p < {self.alpha:g}")


class WithinWindows(_Rule):
    """Each quantity lies in its window: "range" of what was measured, "reached" for at least one parameter set."""

    kind: Literal["range", "reached"]
    quantities: Names

    @property
    def judged_by_window(self) -> tuple[str, ...]:
        """All its quantities."""
        return self.quantities

    def words(self, windows: Sequence[Window]) -> str:
        """The rule as a person reads it."""
        ranges = {w.quantity: w.words for w in windows}
        what = "; ".join(ranges[q] for q in self.quantities)
        where = " for at least one set of parameters" if self.kind == "reached" else ""
        return self._for_species(what + where)


class Together(_Rule):
    """Other targets are met by one and the same set of parameters."""

    kind: Literal["together"]
    of: Annotated[tuple[str, ...], Field(min_length=2)]

    def words(self, windows: Sequence[Window]) -> str:
        """The rule as a person reads it."""
        return self._for_species(f"{', '.join(self.of[:-1])} and {self.of[-1]} met by the same parameters")


def _kinds(*models: type[_Rule]) -> tuple[str, ...]:
    return tuple(kind for model in models for kind in get_args(model.model_fields["kind"].annotation))


def _of_kind(value: Any, kinds: tuple[str, ...]) -> Any:
    """The value, if it is a table of a known kind: pydantic's own complaint is for programmers."""
    if isinstance(value, _Rule):
        return value
    if not isinstance(value, Mapping):
        raise ValueError("not a table of keys; write it with kind = ... and its numbers")
    if value.get("kind") not in kinds:
        given = f"'{value['kind']}' is no kind of rule" if "kind" in value else "missing"
        raise ValueError(f"kind: {given}; use one of: {', '.join(kinds)}")
    return value


_SimpleRule = (
    PairedDecrease | ShareBeyondNull | RatioAgainstOne | Equivalence | SlopeBelowNull | WithinWindows
)
_SIMPLE_KINDS = _kinds(*get_args(_SimpleRule))
Part = Annotated[
    _SimpleRule, Field(discriminator="kind"), BeforeValidator(lambda value: _of_kind(value, _SIMPLE_KINDS))
]


class AllOf(_Rule):
    """Several rules, all of which have to be met."""

    kind: Literal["all of"]
    rules: Annotated[tuple[Part, ...], Field(min_length=2)]

    @property
    def judged_by_window(self) -> tuple[str, ...]:
        """Those of its parts."""
        return tuple(quantity for rule in self.rules for quantity in rule.judged_by_window)

    def words(self, windows: Sequence[Window]) -> str:
        """The rule as a person reads it."""
        return self._for_species("; and ".join(rule.words(windows) for rule in self.rules))


KINDS = (*_SIMPLE_KINDS, *_kinds(Together, AllOf))
Rule = Annotated[
    _SimpleRule | Together | AllOf,
    Field(discriminator="kind"),
    BeforeValidator(lambda value: _of_kind(value, KINDS)),
]


def _percent(share: float) -> str:
    return f"{100 * share:g} %"
