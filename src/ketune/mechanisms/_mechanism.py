"""The :class:`Mechanism`: a `.mod` file as pure JAX functions."""

from __future__ import annotations

import hashlib
import linecache
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from ketune.errors import InputError
from ketune.mechanisms._flow import GIVEN
from ketune.mechanisms._receive import Merging
from ketune.mechanisms._syntax import Ion, Parameter, Problem, Source, TranslationError
from ketune.mechanisms._translate import Translation, translate

MOD_DIRECTORY = Path(__file__).parent / "mod"

Values = dict[str, Any]
Points = tuple[float, ...]
Tables = dict[str, tuple[Points, Points]]


@dataclass(frozen=True, eq=False)
class Mechanism:
    """A channel or synapse, translated from NMODL.

    The functions are pure, elementwise and differentiable. Voltage `v` (mV), the dictionary of states `s` and the
    dictionary `p` hold arrays or numbers that broadcast against each other; float32 in gives float32 out. `p` holds
    every parameter, the :attr:`inputs` (what the cell gives: `celsius` in degC, `dt` and `t` in ms, `diam` in um,
    `area` in um2, and ion variables such as `ena`, `cai`, `ica`) and, except for :attr:`derived` and :attr:`init`,
    the derived values: ``p = {**p, **mechanism.derived(p)}`` once before a run.

    Attributes:
        name: SUFFIX, POINT_PROCESS or ARTIFICIAL_CELL.
        kind: "density" (S/cm2, mA/cm2), "point" (uS, nA) or "artificial" (no current).
        path, sha256: the file and the hash of its text.
        parameters: the file's parameters, in NMODL's units.
        states: the STATE variables (but for concentrations that the ion keeps), then those in `carried`.
        carried: other variables that keep a value between steps and so count as states.
        ions: the ions used, with the variables read and written.
        currents: the ionic currents written, then the nonspecific ones and the electrode's.
        electrode: those of them that are positive inward.
        late_currents: those of them that a solved block sets too, so that NEURON shows another value than it used.
        ion_writes: concentrations and reversal potentials written; `init` and `advance` return them beside the states.
        remembered: states and `ion_writes` that BREAKPOINT itself changes, which `remember` returns.
        methods: how BREAKPOINT's blocks are integrated (NEURON takes derivimplicit where cnexp cannot do it).
        finishes: whether the rest of BREAKPOINT, after the solved blocks, changes something that `advance` returns.
        integrated: what the file declares as STATE, concentrations included.
        inputs: what of the cell the functions read, beside the voltage.
        merging: whether synapses of this kind may share one set of states on a compartment: "linear" (yes), "plastic"
            (yes, once each event's weight is known: :func:`event_weight`), "separate" (no), "none" (takes no events).
        arguments: NET_RECEIVE's arguments, of which each connection has its own; the first is the weight.
        constructs: the NMODL constructs that the file uses.
        range_variables: what the file declares RANGE.
        tables: the values given for each FUNCTION_TABLE, (x, y).
        arrays: arrays of the file and their sizes; element 2 of `ca` is the variable `ca_2` here.
        problems: what is not translated, where the file was loaded for NEURON only; then the functions raise.
        source: the generated Python.
        derived: p -> values that INITIAL computes from parameters alone.
        init: (v, p) -> states (and `ion_writes`) after INITIAL.
        currents_by_name: (v, s, p) -> each current, mA/cm2 or nA.
        conductance: (v, s, p) -> what CONDUCTANCE states, S/cm2 or uS; None where the file leaves it to NEURON.
        ion_conductances: (v, s, p) -> by current, what CONDUCTANCE states for an ion's.
        remember: (v, s, p) -> what BREAKPOINT changes; None where that is nothing.
        advance: (v, s, p) -> states (and `ion_writes`) after dt at constant v, by the step of NEURON's method.
        event_jump: p -> what an event of (effective) weight 1 adds to each state; empty where `merging` is "separate".
        event_weight: (c, p) -> (effective weight, c) of an event at p["t"], where `merging` is "plastic".
        init_connection: (v, s, c, p) -> c at the start of a run; None for connections with a weight only.
        net_receive: (v, s, c, p) -> (states changed, c, [(sent, time, flag), ...]) for an event with p["flag"] at
            p["t"].
        moves: for each of the last, whether it moves the self-event of flag 1 that is under way instead (`net_move`).
        init_sends: (v, p) -> the self-events that INITIAL sends, as `send_0_on`, `send_0_time`, `send_0_flag`, ...
    """

    name: str
    kind: str
    path: Path
    sha256: str
    parameters: dict[str, Parameter]
    states: tuple[str, ...]
    carried: tuple[str, ...]
    ions: tuple[Ion, ...]
    currents: tuple[str, ...]
    electrode: tuple[str, ...]
    late_currents: tuple[str, ...]
    ion_writes: tuple[str, ...]
    remembered: tuple[str, ...]
    methods: tuple[str, ...]
    finishes: bool
    integrated: frozenset[str]
    inputs: tuple[str, ...]
    merging: Merging
    arguments: tuple[str, ...]
    moves: tuple[bool, ...]
    n_initial_sends: int
    constructs: tuple[str, ...]
    range_variables: frozenset[str]
    tables: Tables
    arrays: dict[str, int]
    problems: tuple[Problem, ...]
    source: str = field(repr=False)
    derived: Callable[[Values], Values] = field(repr=False)
    init: Callable[[Any, Values], Values] = field(repr=False)
    currents_by_name: Callable[[Any, Values, Values], Values] = field(repr=False)
    conductance: Callable[[Any, Values, Values], Any] | None = field(repr=False)
    ion_conductances: Callable[[Any, Values, Values], Values] | None = field(repr=False)
    remember: Callable[[Any, Values, Values], Values] | None = field(repr=False)
    advance: Callable[[Any, Values, Values], Values] = field(repr=False)
    event_jump: Callable[[Values], Values] = field(repr=False)
    event_weight: Callable[[Values, Values], tuple[Any, Values]] | None = field(repr=False)
    init_connection: Callable[[Any, Values, Values, Values], Values] | None = field(repr=False)
    net_receive: Callable[..., tuple[Values, Values, list[Any]]] | None = field(repr=False)
    init_sends: Callable[[Any, Values], Values] | None = field(repr=False)

    def current(self, v: Any, s: Values, p: Values) -> Any:
        """The total current, outward positive, mA/cm2 or nA; 0 where the mechanism has none."""
        return self.total(self.currents_by_name(v, s, p))

    def total(self, currents: Values) -> Any:
        """The sum of the currents, or of their slopes, outward positive."""
        total: Any = 0.0
        for index, (name, i) in enumerate(currents.items()):
            signed = -i if name in self.electrode else i
            total = signed if index == 0 else total + signed
        return total

    def defaults(self) -> dict[str, float]:
        """Every parameter's default value."""
        return {name: parameter.value for name, parameter in self.parameters.items()}

    def element(self, name: str) -> tuple[str, int] | None:
        """(array, index) of a variable that stands for an element of an array, else None."""
        array, _, index = name.rpartition("_")
        if array in self.arrays and index.isdigit() and int(index) < self.arrays[array]:
            return array, int(index)
        return None

    def __reduce__(self) -> tuple[Any, ...]:
        # generated functions cannot be pickled, but the file can be read again
        return _reload, (self.path, self.tables, bool(self.problems))


def names() -> tuple[str, ...]:
    """The shipped mechanisms."""
    return tuple(sorted(path.stem for path in MOD_DIRECTORY.glob("*.mod")))


def mod_path(name_or_path: str | Path) -> Path:
    """The file of a shipped mechanism's name, or the given `.mod` file itself.

    Raises:
        InputError: there is no such mechanism or file.
    """
    if isinstance(name_or_path, str) and not name_or_path.endswith(".mod") and "/" not in name_or_path:
        path = MOD_DIRECTORY / f"{name_or_path}.mod"
        if not path.is_file():
            raise InputError(
                f"no mechanism {name_or_path!r}: the shipped ones are {', '.join(names())}; give a path to a .mod file"
            )
        return path
    path = Path(name_or_path)
    if path.is_dir():
        raise InputError(f"{path}: is a directory; name the .mod files in it")
    if not path.is_file():
        raise InputError(f"{path}: there is no such mechanism file")
    return path.resolve()


def function_tables(path: Path) -> tuple[str, ...]:
    """The FUNCTION_TABLEs of a file, which need values.

    Raises:
        TranslationError: a syntax error.
    """
    from ketune.mechanisms._parse import examine

    return tuple(examine(path)[0].tables)


def load(
    name_or_path: str | Path,
    *,
    tables: Mapping[str, tuple[Any, Any]] | None = None,
    neuron_only: bool = False,
) -> Mechanism:
    """Translate a mechanism: a shipped one by name, or any `.mod` file by path. Needs no compiler.

    The result is kept, so loading an unchanged file again returns the same object.

    Args:
        name_or_path: a shipped mechanism, or a file.
        tables: the values of each FUNCTION_TABLE, (x increasing, y); between them it is linear, outside constant.
        neuron_only: accept a file that cannot be translated, for simulations by NEURON alone, without gradients.

    Raises:
        InputError: no such file, or a FUNCTION_TABLE without values.
        TranslationError: a syntax error or a construct that is not translated, with file, line and construct.
    """
    path = mod_path(name_or_path)
    frozen = {
        name: (tuple(map(float, x)), tuple(map(float, y))) for name, (x, y) in sorted((tables or {}).items())
    }
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot read this mechanism file ({error})") from None
    return _load(path, hashlib.sha256(content).hexdigest(), tuple(frozen.items()), neuron_only=neuron_only)


def _reload(path: Path, tables: Tables, neuron_only: bool) -> Mechanism:
    return load(path, tables=tables, neuron_only=neuron_only)


@cache
def _load(
    path: Path, sha256: str, given: tuple[tuple[str, tuple[Points, Points]], ...], *, neuron_only: bool
) -> Mechanism:
    from ketune.mechanisms._parse import examine
    from ketune.mechanisms._runtime import NAMESPACE, table

    tables = dict(given)
    source, problems = examine(path)
    translation: Translation | None = None
    if not problems:
        _check_tables(source, tables)
        try:
            translation = translate(source, set(NAMESPACE))
        except TranslationError as error:
            problems = list(error.problems)
    if problems and not neuron_only:
        raise TranslationError(path, problems)
    shared: dict[str, Any] = {
        "name": source.name,
        "kind": source.kind,
        "path": path,
        "sha256": sha256,
        "ions": source.ions,
        "electrode": source.electrode,
        "constructs": source.constructs,
        "range_variables": source.ranges,
        "tables": tables,
        "arrays": dict(source.arrays),
    }
    if translation is None:
        return _untranslated(source, problems, shared)
    filename = f"<generated from {path.name} {sha256[:8]}>"
    code = translation.code
    # lets tracebacks and inspect.getsource show the generated lines
    linecache.cache[filename] = (len(code), None, code.splitlines(keepends=True), filename)
    namespace: dict[str, Any] = dict(NAMESPACE)
    namespace |= {name: table(*points) for name, points in tables.items()}
    exec(compile(code, filename, "exec"), namespace)
    return Mechanism(
        **shared,
        parameters=translation.parameters,
        states=translation.states,
        carried=translation.carried,
        currents=translation.currents,
        late_currents=translation.late_currents,
        ion_writes=translation.ion_writes,
        remembered=translation.remembered,
        methods=translation.methods,
        finishes=translation.finishes,
        integrated=translation.integrated,
        inputs=translation.inputs,
        merging=translation.merging,
        arguments=translation.arguments,
        moves=translation.moves,
        n_initial_sends=translation.n_initial_sends,
        problems=(),
        source=code,
        derived=namespace["derived"],
        init=namespace["init"],
        currents_by_name=namespace["currents_by_name"],
        conductance=namespace.get("conductance") if source.conductances else None,
        ion_conductances=namespace.get("ion_conductances") if source.conductances else None,
        remember=namespace.get("remember") if translation.remembered else None,
        advance=namespace["advance"],
        event_jump=namespace["event_jump"],
        event_weight=namespace.get("event_weight") if translation.merging == "plastic" else None,
        init_connection=namespace.get("init_connection") if len(translation.arguments) > 1 else None,
        net_receive=namespace.get("net_receive") if translation.merging != "none" else None,
        init_sends=namespace.get("init_sends") if translation.n_initial_sends else None,
    )


def _check_tables(source: Source, tables: Tables) -> None:
    for name in source.tables:
        if name not in tables:
            raise InputError(
                f"{source.path.name}: FUNCTION_TABLE {name} has no values: give tables={{'{name}': (x, y)}}, or on "
                f"the command line --table {name}=FILE.csv"
            )
        x, y = tables[name]
        if len(x) != len(y) or len(x) < 2 or any(b <= a for a, b in pairwise(x)):
            raise InputError(
                f"{source.path.name}: the values of FUNCTION_TABLE {name} have to be two columns of at least two "
                "rows, the first increasing"
            )
    for name in sorted(tables.keys() - source.tables.keys()):
        raise InputError(f"{source.path.name}: there is no FUNCTION_TABLE {name} to give values to")


def _untranslated(source: Source, problems: list[Problem], shared: dict[str, Any]) -> Mechanism:
    """A mechanism for NEURON only."""

    def refuse(*_: Any) -> Any:
        raise TranslationError(source.path, problems)

    return Mechanism(
        **shared,
        parameters={n: p for n, p in source.parameters.items() if n not in {"v", *GIVEN}},
        states=source.states,
        carried=(),
        currents=(),
        late_currents=(),
        ion_writes=(),
        remembered=(),
        methods=(),
        finishes=False,
        integrated=frozenset(source.states),
        inputs=(),
        merging="none" if source.net_receive is None else "separate",
        arguments=source.net_receive.arguments if source.net_receive else (),
        moves=(),
        n_initial_sends=0,
        problems=tuple(problems),
        source="",
        derived=refuse,
        init=refuse,
        currents_by_name=refuse,
        conductance=None,
        ion_conductances=None,
        remember=None,
        advance=refuse,
        event_jump=refuse,
        event_weight=None,
        init_connection=None,
        net_receive=None,
        init_sends=None,
    )
