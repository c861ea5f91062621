"""`ketune translate`: a user's `.mod` files, simulated by NEURON and by their JAX translation, and compared.

Each file alone, and all of them together where there are several, on a small cell: a soma with a dendrite and a short
axon, a leak, current steps, a family of clamped voltages, and for whatever receives events a train of them through
three connections. At several temperatures where a file reads the temperature.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ketune import mechanisms
from ketune.cell import Cell, Placement
from ketune.engines.jax_engine import JaxEngine, Run
from ketune.engines.neuron_engine import NeuronJob, NeuronResult, run_in_processes
from ketune.errors import InputError
from ketune.events import Events
from ketune.ions import ion_uses, total_currents
from ketune.mechanisms import CompilationError, Mechanism, TranslationError
from ketune.progress import NullProgress, Progress
from ketune.verify import CONTRACT_STATE, CONTRACT_mV, least_scale, relative_difference
from ketune.verify_cases import DT_ms, bench_table

CONTRACT_CURRENT = 1e-6
"""Largest difference of a current, relative to its largest value over the time (at least 1e-9 nA or mA/cm2)."""
_SMALL_CURRENT = 1e-9
_CONTRACT = (
    ("max_dv_mV", CONTRACT_mV),
    ("max_dstate_rel", CONTRACT_STATE),
    ("max_di_rel", CONTRACT_CURRENT),
)
TEMPERATURES_degC = (6.3, 23.0, 37.0)

_BENCH = Path(mechanisms.__file__).parent / "bench" / "benchclamp.mod"
_DIVERGED_mV = 2000.0
_TIMEOUT_S = 300.0
_PROTOCOLS = ("current steps", "voltage clamp")
_TRAINS = {"events of weight 0.002": 0.002, "events of weight 1": 1.0}


@dataclass(frozen=True, eq=False)
class _Bench:
    """Some mechanisms on the small cell, and what happens to it in each lane."""

    of: tuple[int, ...]
    cell: Cell
    temperatures_degC: tuple[float, ...]
    protocols: tuple[str, ...]
    events: Events
    injected_nA: np.ndarray
    overrides: dict[tuple[str, str], np.ndarray]
    variables: tuple[tuple[str, str], ...]


def translate_files(
    files: Sequence[str | Path],
    *,
    tables: Mapping[str, tuple[Any, Any]] | None = None,
    duration_ms: float = 1000.0,
    temperatures_degC: Sequence[float] = TEMPERATURES_degC,
    together: bool = True,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Translate files, simulate them in both engines and compare.

    Args:
        files: `.mod` files, or names of shipped mechanisms.
        tables: values of each FUNCTION_TABLE, see :func:`ketune.mechanisms.load`.
        duration_ms: simulated time.
        together: also simulate all files on one cell.
        temperatures_degC: used for files that read the temperature; others run at the last one.

    Returns:
        dict: ``ok``; ``files``, each with ``file``, ``mechanism``, ``kind``, ``states``, ``constructs``, ``merging``,
        ``translated``, ``max_dv_mV``, ``max_di_rel``, ``max_dstate_rel`` (None where not simulated), ``worst`` (where
        the largest differences were), ``ok``, ``errors`` (each ``line``, ``construct``, ``message``), ``warnings``,
        ``too_large`` (which figures break the contract, and where) and ``source`` (the generated JAX);
        ``together``, the same figures for all files on one cell with ``ok`` and ``mechanisms``, or None; the
        contract; ``seconds``.

    Raises:
        InputError: no compiler.
    """
    progress = progress or NullProgress()
    begin = time.perf_counter()
    entries = [_entry(Path(file).name) for file in files]
    loaded: dict[int, Mechanism] = {}
    with progress.task("translating", total=len(files)) as task:
        for index, file in enumerate(files):
            found = _load(file, entries[index], tables or {})
            if found is not None:
                loaded[index] = found
            task.advance()
    unused = set(tables or ()) - {name for m in loaded.values() for name in m.tables}
    if unused and not any(entry["errors"] for entry in entries):
        raise InputError(f"--table {sorted(unused)[0]}: no file has a FUNCTION_TABLE of this name")
    _check_names(loaded, entries)
    with progress.task("compiling for NEURON"):
        _check_compilation(loaded, entries)
    groups: list[tuple[int, ...]] = [(index,) for index in loaded]
    if together and len(loaded) > 1:
        groups.append(tuple(loaded))
    compiled = _compiled_together(loaded)
    benches = [_bench(g, [loaded[i] for i in g], duration_ms, temperatures_degC) for g in groups]
    all_on_one: dict[str, Any] = {}
    _compare_all(benches, compiled, entries, all_on_one, progress)
    for entry in entries:
        entry["ok"] = bool(entry["translated"] and not entry["errors"] and entry["agrees"])
        del entry["agrees"]
        entry["too_large"] = _too_large(entry)
    ok = all(entry["ok"] for entry in entries) and all_on_one.get("ok", True)
    return {
        "ok": ok,
        "files": entries,
        "together": all_on_one or None,
        "contract": {"dv_mV": CONTRACT_mV, "dstate_rel": CONTRACT_STATE, "di_rel": CONTRACT_CURRENT},
        "duration_ms": duration_ms,
        "dt_ms": DT_ms,
        "seconds": time.perf_counter() - begin,
    }


def read_tables(options: Sequence[str]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The values of FUNCTION_TABLEs from options `NAME=FILE.csv`: two columns, argument and value, no header needed.

    Raises:
        InputError: an option of another form, or a file without two columns of numbers.
    """
    tables = {}
    for option in options:
        name, separator, file = option.partition("=")
        if not (separator and name and file):
            raise InputError(f"--table {option}: write NAME=FILE.csv, with the name of the FUNCTION_TABLE")
        tables[name] = _read_points(Path(file))
    return tables


def _read_points(path: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot read this table ({error})") from None
    rows = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            x, y = map(float, line.split(","))
        except ValueError:
            if number == 1:  # a header
                continue
            raise InputError(f"{path}:{number}: {line.strip()!r} is not two numbers with a comma") from None
        rows.append((x, y))
    if len(rows) < 2:
        raise InputError(f"{path}: a table needs at least two rows of argument, value")
    columns = np.array(rows).T
    return columns[0], columns[1]


def _entry(name: str) -> dict[str, Any]:
    return {
        "file": name,
        "mechanism": None,
        "kind": None,
        "states": [],
        "constructs": [],
        "merging": None,
        "translated": False,
        "max_dv_mV": None,
        "max_di_rel": None,
        "max_dstate_rel": None,
        "worst": {},
        "errors": [],
        "warnings": [],
        "source": None,
        "agrees": False,
    }


def _fail(entry: dict[str, Any], message: str, *, line: int | None = None, construct: str = "") -> None:
    entry["errors"].append({"line": line, "construct": construct, "message": message})


def _load(file: str | Path, entry: dict[str, Any], tables: Mapping[str, tuple[Any, Any]]) -> Mechanism | None:
    """The mechanism, with what it is in the entry; None where that holds errors."""
    try:
        path = mechanisms.mod_path(file)
        entry["file"] = str(file) if isinstance(file, str) and file.endswith(".mod") else str(path)
        wanted = mechanisms.function_tables(path) if tables else ()
        own = {name: x for name, x in tables.items() if name in wanted}
        mechanism = mechanisms.load(path, tables=own)
    except TranslationError as error:
        for problem in error.problems:
            _fail(entry, problem.message, line=problem.line, construct=problem.construct)
        _describe_untranslated(file, entry)
        return None
    except InputError as error:
        _fail(entry, str(error))
        return None
    entry |= {
        "mechanism": mechanism.name,
        "kind": mechanism.kind,
        "states": list(mechanism.states),
        "constructs": list(mechanism.constructs),
        "merging": mechanism.merging,
        "translated": True,
        "source": mechanism.source,
    }
    if complaint := mechanisms.unit_complaint(mechanism.path):
        entry["warnings"].append(complaint)
    return mechanism


def _describe_untranslated(file: str | Path, entry: dict[str, Any]) -> None:
    """What can be told of a file that NEURON may still run."""
    try:
        mechanism = mechanisms.load(file, neuron_only=True)
    except InputError:
        return
    entry |= {
        "mechanism": mechanism.name,
        "kind": mechanism.kind,
        "states": list(mechanism.states),
        "constructs": list(mechanism.constructs),
    }
    entry["warnings"].append("can still be simulated by NEURON alone, without gradients (neuron_only)")


def _check_names(loaded: dict[int, Mechanism], entries: list[dict[str, Any]]) -> None:
    """Two mechanisms of one name cannot be in NEURON together."""
    built_in = mechanisms.built_in_names()
    seen: dict[str, int] = {}
    for index, mechanism in list(loaded.items()):
        name = mechanism.name
        if name in built_in:
            _fail(
                entries[index],
                f"NEURON has a mechanism {name} of its own; choose another name",
                construct=f"SUFFIX {name}" if mechanism.kind == "density" else f"POINT_PROCESS {name}",
                line=mechanisms.find_line(mechanism.path.read_text(errors="replace"), rf"\b{name}\b"),
            )
            del loaded[index]
        elif name in seen:
            other = entries[seen[name]]["file"]
            _fail(entries[index], f"{other} defines {name} too; choose another name", construct=name)
            del loaded[index]
        else:
            seen[name] = index


def _check_compilation(loaded: dict[int, Mechanism], entries: list[dict[str, Any]]) -> None:
    """Compile everything at once; only where that fails each file alone, to find the one that NEURON refuses."""
    if not loaded:
        return
    if shared := _compiled_together(loaded):
        try:
            mechanisms.library(shared)
            return
        except CompilationError:
            pass
    for index, mechanism in list(loaded.items()):
        try:
            mechanisms.library([mechanism.path])
        except CompilationError as error:
            _fail(entries[index], str(error), construct="NEURON")
            del loaded[index]


def _compiled_together(loaded: Mapping[int, Mechanism]) -> tuple[Path, ...]:
    """Everything that is simulated, compiled once for all of it.

    But for files that differ in an ion's charge, or bring their own leak: these NEURON cannot have together.
    """
    charges: dict[str, set[float]] = {}
    for ion in (ion for mechanism in loaded.values() for ion in mechanism.ions if ion.valence is not None):
        charges.setdefault(ion.name, set()).add(float(ion.valence or 0.0))
    if any(len(values) > 1 for values in charges.values()):
        return ()
    leak = mechanisms.mod_path("leak")
    if any(mechanism.name == "leak" and mechanism.path != leak for mechanism in loaded.values()):
        return ()
    return (_BENCH, leak, *(mechanism.path for mechanism in loaded.values()))


def _bench(
    group: tuple[int, ...], used: Sequence[Mechanism], duration_ms: float, temperatures_degC: Sequence[float]
) -> _Bench:
    table = bench_table()
    everywhere = np.arange(table.n)
    leak = mechanisms.load("leak")
    clamp = mechanisms.load(_BENCH)
    n_steps = round(duration_ms / DT_ms)
    placements = []
    if all(m.name != "leak" for m in used):
        values = {"g": np.full(table.n, 1e-4), "e": np.full(table.n, -70.0)}
        placements.append(Placement("bench leak", leak, everywhere, values))
    heard: list[str] = []
    for mechanism in used:
        label = _label(mechanism)
        # synapses on two compartments, and several on one where they do not share their states
        at = everywhere if mechanism.kind == "density" else np.array([0, table.n - 1])
        if mechanism.merging == "separate" and mechanism.kind == "point":
            at = np.array([0, 0, table.n - 1])
        values = {name: np.full(len(at), p.value) for name, p in mechanism.parameters.items()}
        placements.append(Placement(label, mechanism, at, values))
        if mechanism.merging != "none":
            heard.append(label)
    on = {name: np.full(1, p.value) for name, p in clamp.parameters.items()}
    on["period"][:] = max(20.0, duration_ms / 10.0)
    placements.append(Placement("bench clamp", clamp, np.array([0]), on))
    protocols = _PROTOCOLS + (tuple(_TRAINS) if heard else ())
    injected = np.zeros((n_steps, len(protocols)))
    injected[:, 0] = _current_steps(n_steps)
    injected[:, 2:] = 0.3 * _current_steps(n_steps)[:, None]
    cell = Cell(
        name=" + ".join(m.name for m in used),
        table=table,
        placements=tuple(placements),
        ports={"bench": tuple(heard)} if heard else {},
        reversal_mV={"ena": 55.0, "ek": -85.0},
        celsius=temperatures_degC[-1],
        v_init_mV=-68.0,
    )
    uses = ion_uses(cell)
    # Nernst potentials depend on the temperature as well
    warm = any("celsius" in m.inputs for m in used) or any(use.nernst_at.any() for use in uses)
    variables = [(_label(m), name) for m in used for name in _accessible_states(m)]
    for use in uses:
        variables += [("ions", name) for name in sorted(use.varying)]
    variables += [(_label(m), name) for m in used for name in _accessible_currents(m)]
    return _Bench(
        of=group,
        cell=cell,
        temperatures_degC=tuple(temperatures_degC if warm else temperatures_degC[-1:]),
        protocols=protocols,
        events=_events(cell, protocols, n_steps),
        injected_nA=injected,
        overrides={("bench clamp", "on"): np.array([[float(p == _PROTOCOLS[1]) for p in protocols]])},
        variables=tuple(variables),
    )


def _label(mechanism: Mechanism) -> str:
    """Its name, but for one that would pass for the ions themselves."""
    return "mechanism ions" if mechanism.name == "ions" else mechanism.name


def _accessible_states(mechanism: Mechanism) -> list[str]:
    """States that NEURON can record: STATE variables, and others that the file declares RANGE."""
    return [x for x in mechanism.states if x not in mechanism.carried or x in mechanism.range_variables]


def _accessible_currents(mechanism: Mechanism) -> list[str]:
    """Currents that NEURON can record for a mechanism alone: those declared RANGE, unless it changes them later."""
    shown = mechanism.range_variables - {*mechanism.late_currents}
    return [x for x in mechanism.currents if x in shown]


def _current_steps(n_steps: int) -> np.ndarray:
    """Weak and strong, depolarising and hyperpolarising steps with pauses between them, in every 500 ms (nA)."""
    t = np.arange(n_steps) * DT_ms % 500.0
    steps = ((40, 120, 0.15), (160, 240, -0.15), (280, 300, 0.8), (340, 440, 0.4))
    return np.sum([current * ((t >= start) & (t < stop)) for start, stop, current in steps], axis=0)


def _events(cell: Cell, protocols: Sequence[str], n_steps: int) -> Events:
    """Three connections in each train: regular, in pairs, and irregular.

    Some events coincide, but for synapses with states of their own: NEURON does not say in which order it delivers
    events of one time to a synapse, and there it matters.
    """
    heard = [cell.placement(label).mechanism for label in cell.ports.get("bench", ())]
    ordered = any(mechanism.merging == "separate" for mechanism in heard)
    trains = [(lane, _TRAINS[p]) for lane, p in enumerate(protocols) if p in _TRAINS]
    if not trains:
        return Events.none(n_lanes=len(protocols), n_steps=n_steps, dt_ms=DT_ms)
    rng = np.random.default_rng(1)
    last = n_steps * DT_ms
    times = [
        np.arange(25.0, last, 50.0),
        np.concatenate([np.arange(60.0, last, 125.0), np.arange(64.0, last, 125.0)]),
        np.append(rng.uniform(10.0, last, max(1, round(last / 40.0))), np.arange(75.0, last, 200.0)),
    ]
    step, connection, weight, lanes, at = [], [], [], [], []
    for lane, scale in trains:
        taken = np.empty(0, int)
        for number, own in enumerate(times):
            steps = np.unique(np.round(own / DT_ms).astype(int))
            steps = steps[steps < n_steps]
            if ordered:
                steps = np.setdiff1d(steps, taken)
                taken = np.append(taken, steps)
            for compartment in (0, cell.table.n - 1):
                step.append(steps)
                connection.append(np.full(len(steps), number))
                weight.append(np.full(len(steps), scale * (1.0, 0.5, 2.0)[number]))
                lanes.append(np.full(len(steps), lane))
                at.append(np.full(len(steps), compartment))
    return Events.from_arrays(
        n_lanes=len(protocols),
        n_steps=n_steps,
        dt_ms=DT_ms,
        port_names=("bench",),
        step=np.concatenate(step),
        lane=np.concatenate(lanes),
        compartment=np.concatenate(at),
        port=np.zeros(sum(map(len, step)), int),
        weight=np.concatenate(weight),
        connection=np.concatenate(connection),
    )


def _compare_all(
    benches: Sequence[_Bench],
    compiled: tuple[Path, ...],
    entries: list[dict[str, Any]],
    together: dict[str, Any],
    progress: Progress,
) -> None:
    jobs = [
        NeuronJob(
            cell,
            bench.events,
            lane,
            bench.overrides,
            bench.injected_nA[:, lane],
            record="all",
            variables=bench.variables,
            compiled_with=compiled,
        )
        for bench in benches
        for cell in (replace(bench.cell, celsius=celsius) for celsius in bench.temperatures_degC)
        for lane in range(len(bench.protocols))
    ]
    with progress.task("NEURON", total=len(jobs)) as task:
        results = run_in_processes(
            jobs,
            n_processes=os.cpu_count() or 1,
            timeout_s=_TIMEOUT_S,
            on_done=lambda *_: task.advance(),
        )
    done = 0
    with progress.task("JAX, and comparison", total=len(benches)) as task:
        for bench in benches:
            n = len(bench.protocols) * len(bench.temperatures_degC)
            figures = _compare_or_explain(bench, results[done : done + n])
            done += n
            if len(bench.of) > 1:
                together["mechanisms"] = [entries[i]["mechanism"] for i in bench.of]
                _merge(together, figures)
            else:
                _merge(entries[bench.of[0]], figures)
            task.advance()
    for entry in (*(entries[b.of[0]] for b in benches if len(b.of) == 1), *([together] if together else [])):
        entry["agrees"] = not entry.get("errors") and _agrees(entry)
    if together:
        together["ok"] = together.pop("agrees")
        together["too_large"] = _too_large(together)


def _agrees(entry: Mapping[str, Any]) -> bool:
    simulated = entry["max_dv_mV"] is not None
    return simulated and all(entry[key] is None or entry[key] <= limit for key, limit in _CONTRACT)


def _too_large(entry: Mapping[str, Any]) -> dict[str, str]:
    """Where the figures that break the contract come from."""
    return {key: entry["worst"].get(key, "") for key, limit in _CONTRACT if (entry[key] or 0.0) > limit}


def _merge(entry: dict[str, Any], figures: Mapping[str, Any]) -> None:
    entry.setdefault("errors", [])
    entry.setdefault("worst", {})
    for key in ("max_dv_mV", "max_dstate_rel", "max_di_rel"):
        new, old = figures[key], entry.get(key)
        if new is not None and (old is None or new > old):
            entry[key] = new
            entry["worst"][key] = figures["worst"].get(key)
        entry.setdefault(key, None)
    for message in figures["errors"]:
        if message not in [e["message"] for e in entry["errors"]]:
            _fail(entry, message)


def _compare_or_explain(bench: _Bench, results: Sequence[NeuronResult]) -> dict[str, Any]:
    """As :func:`_compare`; what goes wrong with one file is that file's error, not the end of the others."""
    try:
        return _compare(bench, results)
    except Exception as error:
        message = f"cannot be simulated in JAX: {type(error).__name__}: {error}"
        none = dict.fromkeys(("max_dv_mV", "max_dstate_rel", "max_di_rel"))
        return {"errors": [" ".join(message.split())[:500]], "worst": {}} | none


def _compare(bench: _Bench, results: Sequence[NeuronResult]) -> dict[str, Any]:
    """The largest differences of one bench, or why there are none."""
    figures: dict[str, Any] = {"errors": [], "diverged": [], "worst": {}} | dict.fromkeys(
        ("max_dv_mV", "max_dstate_rel", "max_di_rel")
    )
    engine = JaxEngine(
        bench.cell, dt_ms=DT_ms, dtype=np.float64, derivative="forward_difference", keep_currents=True
    )
    n = len(bench.protocols)
    for k, celsius in enumerate(bench.temperatures_degC):
        run = engine.run(
            bench.events,
            overrides=bench.overrides,
            injected_nA=bench.injected_nA,
            record=range(bench.cell.table.n),
            variables=bench.variables,
            celsius=celsius,
            block_lanes=n,
        )
        for lane in range(n):
            _compare_lane(bench, run, lane, results[k * n + lane], celsius, figures)
        if len(figures["diverged"]) == len(_TRAINS):
            figures["errors"] += figures["diverged"]
        figures["diverged"] = []
    return figures


def _compare_lane(
    bench: _Bench, run: Run, lane: int, result: NeuronResult, celsius: float, figures: dict[str, Any]
) -> None:
    protocol = bench.protocols[lane]
    place = f"{protocol} at {celsius:g} degC"
    if result.run is None:
        figures["errors"].append(f"NEURON, {place}: {result.message}")
        return
    v = result.run.v_mV
    sane = (np.abs(v) < _DIVERGED_mV).all(axis=1)  # false for nan too
    if not sane.all():
        first = int(np.argmin(sane))
        message = (
            f"diverges in NEURON, {place}: after {first * DT_ms:g} ms the voltage is no longer between "
            f"-{_DIVERGED_mV:g} and {_DIVERGED_mV:g} mV"
        )
        # which of the weights suits a synapse its file does not say
        figures["diverged" if protocol in _TRAINS else "errors"].append(message)
        return
    difference = np.nan_to_num(np.abs(run.v_mV[:, :, lane] - v), nan=np.inf)
    _note(figures, "max_dv_mV", float(np.max(difference)), place)
    totals = total_currents(bench.cell)
    for label, name in bench.variables:
        # the currents at time 0 belong to the initialisation, which the twin has no step for
        current = (
            name in totals if label == "ions" else name in bench.cell.placement(label).mechanism.currents
        )
        mine, theirs = run.variables[label, name][:, :, lane], result.run.variables[label, name]
        if current:
            mine, theirs = mine[1:], theirs[1:]
        least = _SMALL_CURRENT if current else least_scale(bench.cell, label, result.run.variables)
        relative = relative_difference(mine, theirs, least=least)
        _note(figures, "max_di_rel" if current else "max_dstate_rel", relative, f"{name}, {place}")


def _note(figures: dict[str, Any], key: str, value: float, place: str) -> None:
    if figures[key] is None or value > figures[key]:
        figures[key] = float(value)
        figures["worst"][key] = place
