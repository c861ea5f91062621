"""What the translator works on: an NMODL file as plain Python data, and the error for what it cannot translate.

NMODL's parser hands out a tree of C++ objects; the parts that the translator understands are copied into the frozen
dataclasses below, so that everything after :mod:`._parse` is ordinary Python.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from ketune.errors import InputError


@dataclass(frozen=True)
class Problem:
    """One thing in a file that is not translated: where, which construct, and why."""

    line: int | None
    construct: str
    message: str


def blank_comments(text: str) -> str:
    """The text with comments and title as spaces: keywords in them are not found, and lines keep their numbers."""

    def blank(match: re.Match[str]) -> str:
        return re.sub(r"[^\n]", " ", match.group())

    return re.sub(_COMMENT, blank, text)


# from left to right: COMMENT and TITLE count at the beginning of a line only, so not within a comment
_COMMENT = re.compile(r"(?ms)^[ \t]*COMMENT\b.*?^[ \t]*ENDCOMMENT\b[^\n]*|^[ \t]*TITLE\b[^\n]*|[:?][^\n]*")


def find_lines(text: str, pattern: str) -> list[int]:
    """Lines of every match of a regular expression in the code (the parser's nodes carry no lines)."""
    code = blank_comments(text)
    return sorted({code.count("\n", 0, match.start()) + 1 for match in re.finditer(pattern, code)})


def find_line(text: str, pattern: str) -> int | None:
    """Line of the first match of a regular expression in the code, or None."""
    return next(iter(find_lines(text, pattern)), None)


class TranslationError(InputError):
    """A mechanism file that cannot be parsed or translated.

    Attributes:
        path: the file.
        problems: every :class:`Problem` found, in order of line. The message is one line that names the first.
    """

    def __init__(self, path: Path, problems: list[Problem]) -> None:
        self.path = path
        self.problems = tuple(sorted(problems, key=lambda p: p.line or 0))
        first = self.problems[0]
        where = f"{path.name}:{first.line}" if first.line else path.name
        more = ""
        if len(self.problems) > 1:
            more = f" (and {len(self.problems) - 1} more: " + ", ".join(
                f"{p.construct}{f' at line {p.line}' if p.line else ''}" for p in self.problems[1:]
            )
            more += ")"
        super().__init__(f"{where}: {first.construct}: {first.message}{more}")


# Expressions ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Num:
    """A number; `text` is how the file writes it."""

    value: float
    text: str


@dataclass(frozen=True)
class Var:
    name: str


@dataclass(frozen=True)
class Neg:
    arg: Expr


@dataclass(frozen=True)
class Not:
    arg: Expr


@dataclass(frozen=True)
class Bin:
    """A binary operation; `op` is NMODL's: + - * / ^ < > <= >= == != && ||."""

    op: str
    left: Expr
    right: Expr


@dataclass(frozen=True)
class Call:
    name: str
    args: tuple[Expr, ...]


@dataclass(frozen=True)
class Index:
    """An element of an array; only before :mod:`._arrays` has given every element a name of its own."""

    name: str
    index: Expr


Expr = Num | Var | Neg | Not | Bin | Call | Index

# Statements ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Assign:
    target: str
    value: Expr
    index: Expr | None = None


@dataclass(frozen=True)
class DiffEq:
    """state' = rate"""

    state: str
    rate: Expr
    index: Expr | None = None


@dataclass(frozen=True)
class CallStatement:
    call: Call


@dataclass(frozen=True)
class If:
    test: Expr
    then: tuple[Statement, ...]
    otherwise: tuple[Statement, ...]


@dataclass(frozen=True)
class Local:
    names: tuple[str, ...]


@dataclass(frozen=True)
class Solve:
    block: str
    method: str


@dataclass(frozen=True)
class From:
    """FROM variable = low TO high: a loop that :mod:`._arrays` unrolls."""

    variable: str
    low: Expr
    high: Expr
    body: tuple[Statement, ...]


Terms = tuple[tuple[int, Expr], ...]
"""Coefficients with their states (Var or Index)."""


@dataclass(frozen=True)
class Reaction:
    """~ left <-> right (forward, backward); `op` is <->, -> (no backward) or << (forward is the flux into left)."""

    op: str
    left: Terms
    right: Terms
    forward: Expr
    backward: Expr | None


@dataclass(frozen=True)
class Compartment:
    """COMPARTMENT index, volume { states }"""

    index: str | None
    volume: Expr
    states: tuple[str, ...]


@dataclass(frozen=True)
class Conserve:
    """CONSERVE terms = total"""

    terms: Terms
    total: Expr


@dataclass(frozen=True)
class Newton:
    """A flat body solved implicitly, which only :mod:`._translate` makes: backward Euler over `step`.

    Attributes:
        states: what is solved for.
        body: Assign and If; sets the variables named by `rates`, `jacobian`, `volumes` and `totals`.
        rates: the variable that holds each state's rate (amount per time where there are volumes).
        jacobian: (row, column) -> variable with the rate's derivative; None where it is left to JAX.
        volumes: each state's volume, "" for 1.
        conserved: row -> (the variable of the total, coefficient of each state), which replaces the row's equation.
        linear: one iteration is exact.
        step: dt, or the step that stands for a steady state.
        explicit: solved by the fourth-order Runge-Kutta method instead.
    """

    states: tuple[str, ...]
    body: tuple[Statement, ...]
    rates: tuple[str, ...]
    jacobian: tuple[tuple[tuple[int, int], str], ...] | None
    volumes: tuple[str, ...]
    conserved: tuple[tuple[int, tuple[str, tuple[int, ...]]], ...]
    linear: bool
    step: Expr
    explicit: bool = False

    @property
    def results(self) -> tuple[str, ...]:
        """Every variable that the body has to set."""
        entries = [name for _, name in self.jacobian or ()]
        totals = [total for _, (total, _) in self.conserved]
        return (*self.rates, *entries, *filter(None, self.volumes), *totals)


Statement = (
    Assign | DiffEq | CallStatement | If | Local | Solve | From | Reaction | Compartment | Conserve | Newton
)
Body = tuple[Statement, ...]

# The file ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Parameter:
    """A parameter of a mechanism, in NMODL's own units.

    Attributes:
        name: as in the file.
        value: default.
        unit: as in the file, "" where it states none ("1" and "" are both dimensionless).
        low, high: limits, None where the file states none.
        is_range: True where each compartment or synapse has its own value (RANGE), False for GLOBAL.
    """

    name: str
    value: float
    unit: str = ""
    low: float | None = None
    high: float | None = None
    is_range: bool = True


VALENCE = {"na": 1.0, "k": 1.0, "ca": 2.0}
"""Charges of the ions that NEURON knows by itself."""


@dataclass(frozen=True)
class Ion:
    """An ion that a mechanism uses: the variables that it reads (`ena`) and writes (`ina`), and its charge.

    The charge is None where neither the file nor NEURON states it.
    """

    name: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    valence: float | None = None

    @property
    def current(self) -> str:
        """The total current, `ica`."""
        return f"i{self.name}"

    @property
    def concentrations(self) -> tuple[str, str]:
        """The concentrations inside and outside, `cai` and `cao`."""
        return f"{self.name}i", f"{self.name}o"

    @property
    def reversal(self) -> str:
        """The reversal potential, `eca`."""
        return f"e{self.name}"


@dataclass(frozen=True)
class Routine:
    """A FUNCTION, PROCEDURE or NET_RECEIVE: its arguments and its statements.

    `initial` is the INITIAL block of a NET_RECEIVE, None where it has none.
    """

    arguments: tuple[str, ...]
    body: Body
    initial: Body | None = None


@dataclass(frozen=True)
class Source:
    """One NMODL file."""

    path: Path
    text: str
    name: str
    kind: str
    ions: tuple[Ion, ...] = ()
    nonspecific: tuple[str, ...] = ()
    electrode: tuple[str, ...] = ()
    conductances: dict[str, str | None] = field(default_factory=dict)
    ranges: frozenset[str] = frozenset()
    globals: frozenset[str] = frozenset()
    private: frozenset[str] = frozenset()
    parameters: dict[str, Parameter] = field(default_factory=dict)
    constants: dict[str, float] = field(default_factory=dict)
    states: tuple[str, ...] = ()
    starts: dict[str, float] = field(default_factory=dict)
    assigned: tuple[str, ...] = ()
    initial: Body = ()
    breakpoint: Body = ()
    derivatives: dict[str, Body] = field(default_factory=dict)
    kinetics: dict[str, Body] = field(default_factory=dict)
    tables: dict[str, tuple[str, ...]] = field(default_factory=dict)
    tabled: bool = False
    arrays: dict[str, int] = field(default_factory=dict)
    defines: dict[str, int] = field(default_factory=dict)
    procedures: dict[str, Routine] = field(default_factory=dict)
    functions: dict[str, Routine] = field(default_factory=dict)
    net_receive: Routine | None = None
    constructs: tuple[str, ...] = ()

    def error(self, construct: str, message: str, pattern: str | None = None) -> TranslationError:
        """The exception for one construct of this file; `pattern` finds its line (the construct itself if None)."""
        line = find_line(self.text, pattern or rf"\b{re.escape(construct)}\b")
        return TranslationError(self.path, [Problem(line, construct, message)])
