"""The :class:`Mechanism`: a `.mod` file as pure JAX functions."""

from __future__ import annotations

import hashlib
import linecache
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ketune.errors import InputError
from ketune.mechanisms._parse import parse
from ketune.mechanisms._syntax import Ion, Parameter
from ketune.mechanisms._translate import translate

MOD_DIRECTORY = Path(__file__).parent / "mod"

Values = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Mechanism:
    """A channel or synapse, translated from NMODL.

    The functions are pure, elementwise and differentiable. Voltage `v` (mV), the dictionary of states `s` and the
    dictionary `p` hold arrays or numbers that broadcast against each other; float32 in gives float32 out. `p` holds
    every parameter, the ion variables that the file reads (`ena`, `ek`), `celsius` (degC), `dt` (ms) and, except for
    :attr:`derived` and :attr:`init`, the derived values: ``p = {**p, **mechanism.derived(p)}`` once before a run.

    Attributes:
        name: SUFFIX or POINT_PROCESS.
        kind: "density" (S/cm2, mA/cm2) or "point" (uS, nA).
        path, sha256: the file and the hash of its text.
        parameters: the file's parameters, in NMODL's units.
        states: the STATE variables, then those in `carried`.
        carried: ASSIGNED variables that keep a value between steps and so count as states.
        ions: the ions used, with the variables read and written.
        currents: the ionic currents written, then the nonspecific ones.
        constructs: the NMODL constructs that the file uses.
        source: the generated Python.
        derived: p -> values that INITIAL computes from parameters alone.
        init: (v, p) -> states at the steady state of INITIAL.
        currents_by_name: (v, s, p) -> each current, outward positive, mA/cm2 or nA.
        advance: (v, s, p) -> states after dt at constant v, by NEURON's `cnexp` step.
        event_jump: p -> what an event of weight 1 adds to each state that events change.
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
    constructs: tuple[str, ...]
    source: str = field(repr=False)
    derived: Callable[[Values], Values] = field(repr=False)
    init: Callable[[Any, Values], Values] = field(repr=False)
    currents_by_name: Callable[[Any, Values, Values], Values] = field(repr=False)
    advance: Callable[[Any, Values, Values], Values] = field(repr=False)
    event_jump: Callable[[Values], Values] = field(repr=False)

    def current(self, v: Any, s: Values, p: Values) -> Any:
        """The total current (sum of :attr:`currents_by_name`), outward positive, mA/cm2 or nA."""
        first, *rest = self.currents_by_name(v, s, p).values()
        return sum(rest, start=first)

    def defaults(self) -> dict[str, float]:
        """Every parameter's default value."""
        return {name: parameter.value for name, parameter in self.parameters.items()}

    def __reduce__(self) -> tuple[Any, ...]:
        return load, (self.path,)  # generated functions cannot be pickled, but the file can be read again


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
    if not path.is_file():
        raise InputError(f"{path}: there is no such mechanism file")
    return path.resolve()


def load(name_or_path: str | Path) -> Mechanism:
    """Translate a mechanism: a shipped one by name, or any `.mod` file by path. Needs no compiler.

    The result is kept, so loading an unchanged file again returns the same object.

    Raises:
        InputError: no such file.
        TranslationError: a syntax error or a construct that is not translated, with file, line and construct.
    """
    path = mod_path(name_or_path)
    return _load(path, hashlib.sha256(path.read_bytes()).hexdigest())


@cache
def _load(path: Path, sha256: str) -> Mechanism:
    from ketune.mechanisms._runtime import NAMESPACE

    source = parse(path)
    translation = translate(source, set(NAMESPACE))
    filename = f"<generated from {path.name} {sha256[:8]}>"
    code = translation.code
    # lets tracebacks and inspect.getsource show the generated lines
    linecache.cache[filename] = (len(code), None, code.splitlines(keepends=True), filename)
    namespace: dict[str, Any] = dict(NAMESPACE)
    exec(compile(code, filename, "exec"), namespace)
    return Mechanism(
        name=source.name,
        kind=source.kind,
        path=path,
        sha256=sha256,
        parameters=translation.parameters,
        states=translation.states,
        carried=translation.carried,
        ions=source.ions,
        currents=translation.currents,
        constructs=source.constructs,
        source=code,
        derived=namespace["derived"],
        init=namespace["init"],
        currents_by_name=namespace["currents_by_name"],
        advance=namespace["advance"],
        event_jump=namespace["event_jump"],
    )
