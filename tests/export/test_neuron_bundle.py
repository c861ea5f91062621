"""The exported neuron runs without ketune and counts the same spikes."""

from __future__ import annotations

import csv
import json
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fitted_example import ORIENTATIONS, VALUES, apply_document

from ketune import mechanisms
from ketune.cell import Cell, Placement
from ketune.cell_model import build_cell
from ketune.engines.jax_engine import JaxEngine
from ketune.engines.neuron_problem import NeuronJob, problem_of
from ketune.events import Events
from ketune.export._neuron_files import write_morphology
from ketune.export._neuron_trials import connection_table
from ketune.morphology import SMALL_MORPHOLOGY, read_morphology
from ketune.pharmacology import apply_effect, effect_from_record
from ketune.workflow import CHECK_SEED, CONTROL, FittedNeuron

pytestmark = pytest.mark.neuron

# Runs a script where neither ketune nor JAX can be imported, in the way of `python script`.
WITHOUT_KETUNE = """
import runpy, sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("ketune", "jax", "scipy"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Refuse())
sys.path.insert(0, sys.argv[1])
sys.argv = ["run.py", *sys.argv[2:]]
runpy.run_path(sys.path[0] + "/run.py", run_name="__main__")
"""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", "-c", WITHOUT_KETUNE, str(folder), *arguments], capture_output=True, text=True
    )


def rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def compiled(bundle: Path, tmp_path: Path) -> Path:
    """The bundle with ketune's own compiled mechanisms in the place of what `nrnivmodl` would make of its copies."""
    folder = tmp_path / "bundle"
    shutil.copytree(bundle, folder)
    (folder / platform.machine()).mkdir()
    library = mechanisms.library()
    shutil.copyfile(library, folder / platform.machine() / library.name)
    return folder


class TestRun:
    def test_counts_the_same_spikes_before_and_under_the_drug(self, compiled: Path) -> None:
        done = run(compiled, "--check")
        assert done.returncode == 0, done.stdout + done.stderr
        counted, expected = rows(compiled / "counts.csv"), rows(compiled / "expected_counts.csv")
        assert counted == expected
        assert {row["condition"] for row in counted} == {"before", "30 min"}
        assert len(counted) == 2 * 5 * 2
        assert "20 of 20 trials" in done.stdout

    def test_a_difference_is_an_exit_code_of_one(self, compiled: Path) -> None:
        text = (compiled / "expected_counts.csv").read_text().splitlines()
        row = next(i for i, line in enumerate(text) if line.startswith("before,90.0,1,"))
        text[row] = "before,90.0,1,999"
        (compiled / "expected_counts.csv").write_text("\n".join(text) + "\n")
        chosen = ("--orientation", "90", "--trials", "1", "--condition", "before")
        assert run(compiled, *chosen).returncode == 0
        done = run(compiled, *chosen, "--check")
        assert done.returncode == 1
        assert "DIFFERS before, 90.0, trial 1" in done.stdout

    def test_prints_the_tuning_curve_beside_that_of_the_report(self, compiled: Path) -> None:
        done = run(compiled, "--orientation", "90", "--orientation", "blank", "--condition", "before")
        counts = [int(row["spikes"]) for row in rows(compiled / "counts.csv") if row["orientation_deg"]]
        line = next(line for line in done.stdout.splitlines() if " 90.0 " in line)
        assert line.split()[:4] == ["before", "90.0", "2", f"{np.mean(counts):.2f}"]
        assert "12.00 +- 0.20 (n = 50)" in line
        assert sum("blank" in line for line in done.stdout.splitlines()) == 1

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--orientation", "33"], "no such trial"),
            (["--orientation", "upwards"], "invalid stimulus value"),
            (["--condition", "60 min"], "invalid choice"),
        ],
    )
    def test_what_the_bundle_does_not_hold(self, compiled: Path, arguments: list[str], message: str) -> None:
        done = run(compiled, *arguments)
        assert done.returncode == 2
        assert message in done.stderr
        assert "Traceback" not in done.stderr

    def test_says_when_the_mechanisms_are_not_compiled(self, bundle: Path) -> None:
        done = run(bundle)
        assert done.returncode == 2
        assert "nrnivmodl mod" in done.stderr

    @pytest.mark.slow
    def test_runs_from_its_own_mechanisms_as_the_readme_says(self, bundle: Path, tmp_path: Path) -> None:
        folder = tmp_path / "bundle"
        shutil.copytree(bundle, folder)
        commands = (folder / "README.md").read_text().split("```")[1].split("\n")[1:-1]
        assert commands == ["nrnivmodl mod", "python run.py"]
        tool = Path(sys.executable).with_name("nrnivmodl")
        subprocess.run([tool, "mod"], cwd=folder, check=True, capture_output=True)
        done = run(folder, "--check")
        assert done.returncode == 0, done.stdout + done.stderr


class TestFiles:
    def test_scripts_need_numpy_and_neuron_alone(self, bundle: Path) -> None:
        found = set()
        for script in ("run.py", "neuron_model.py"):
            found |= set(
                re.findall(r"^\s*(?:from|import) (\w+)", (bundle / script).read_text(), re.MULTILINE)
            )
        assert found - sys.stdlib_module_names == {"numpy", "neuron", "neuron_model"}

    def test_parameters_are_those_of_the_fitted_and_of_the_dosed_cell(self, bundle: Path) -> None:
        """Digit by digit, although they went through text."""
        cell = build_cell(morphology=read_morphology(SMALL_MORPHOLOGY))
        record = apply_document()["conditions"][1]["by_compartment"]
        fitted = {("ampa", "gmax"): VALUES["ampa_nS"] * 1e-3, ("nmda", "gmax"): VALUES["nmda_nS"] * 1e-3}
        before = cell.with_parameters(
            {**fitted, ("gaba_pv", "gmax"): 0.3e-3, ("gaba_sst", "gmax"): VALUES["sst_nS"] * 1e-3}
        )
        drugged, _ = apply_effect(before, effect_from_record(record, cell.table.n))
        during = before.with_parameters(drugged)
        changed = set()
        for first, second in zip(before.placements, during.placements, strict=True):
            for placement, folder in ((first, "parameters"), (second, "parameters/30-min")):
                path = bundle / folder / f"{placement.label}.csv"
                if placement is second and not path.exists():
                    assert all(
                        np.array_equal(x, first.parameters[n]) for n, x in second.parameters.items()
                    ), first.label
                    continue
                changed |= {placement.label} if placement is second else set()
                read = rows(path)
                assert [int(row["compartment"]) for row in read] == placement.compartments.tolist()
                for name, values in placement.parameters.items():
                    assert [float(row[name]) for row in read] == values.tolist(), (placement.label, name)
        assert {"nmda", "hcn1"} <= changed

    def test_events_are_those_of_the_report(self, fitted: Path, tmp_path: Path) -> None:
        """The first trials of the fit's check with spikes, stimulus by stimulus."""
        from ketune.export import export_fit

        export_fit(fitted, tmp_path / "out", trials=1)
        fit = json.loads((fitted / "fit.json").read_text())
        cell = build_cell(morphology=read_morphology(SMALL_MORPHOLOGY))
        neuron = FittedNeuron(
            cell,
            VALUES,
            placement_seed=3,
            orientation_deg=tuple(ORIENTATIONS),
            window_ms=200.0,
            engine=JaxEngine(cell, dt_ms=fit["settings"]["effort"]["spiking_dt_ms"]),
        )
        events = neuron.events(CONTROL, trials=1, seed=CHECK_SEED + 3, blank=True)
        drawn = np.load(tmp_path / "out" / "events.npz")
        compartment = {
            int(row["connection"]): int(row["compartment"])
            for row in rows(tmp_path / "out" / "connections.csv")
        }
        for lane in range(5):
            own = slice(*drawn["first"][lane : lane + 2])
            here = events.lane == lane
            assert drawn["step"][own].tolist() == events.step[here].tolist()
            found = [compartment[c] for c in drawn["connection"][own].tolist()]
            assert found == events.compartment[here].tolist()

    def test_another_morphology_becomes_swc(self, tmp_path: Path) -> None:
        (tmp_path / "mine.asc").write_text(
            '("CellBody" (CellBody) (0 5 0 1) (5 0 0 1) (0 -5 0 1) (-5 0 0 1))\n((Dendrite) (0 5 0 2) (0 60 0 1))\n'
        )
        assert write_morphology(tmp_path, tmp_path / "mine.asc") == "mine.swc"
        (dendrite,) = read_morphology(tmp_path / "morphology" / "mine.swc").sections[1:]
        assert (dendrite.region, dendrite.length_um) == ("basal", pytest.approx(55.0))
        assert not (tmp_path / "morphology" / "SOURCES.md").exists()

    def test_morphology_comes_with_its_licence(self, bundle: Path) -> None:
        assert (bundle / "morphology" / "small_pyramidal.swc").read_bytes() == SMALL_MORPHOLOGY.read_bytes()
        assert "small_pyramidal.swc" in (bundle / "morphology" / "SOURCES.md").read_text()
        assert "morphology/SOURCES.md" in (bundle / "README.md").read_text()


def with_history(cell: Cell) -> Cell:
    """The cell with plastic PV synapses, and SST synapses that keep their states apart, two on each compartment."""
    plastic = mechanisms.load("GABAA_STP")
    apart = mechanisms.load(str(Path(__file__).parents[2] / "docs" / "examples" / "satsyn.mod"))
    placements = []
    for p in cell.placements:
        if p.label == "gaba_pv":
            p = _filled(p, plastic, p.compartments)
        if p.label == "gaba_sst":
            p = _filled(p, apart, np.repeat(p.compartments, 2))
        placements.append(p)
    return replace(cell, placements=tuple(placements))


def _filled(placement: Placement, mechanism: mechanisms.Mechanism, where: np.ndarray) -> Placement:
    values = {name: np.full(len(where), parameter.value) for name, parameter in mechanism.parameters.items()}
    return Placement(placement.label, mechanism, where, values)


@pytest.mark.parametrize("history", [False, True], ids=["plain", "with history"])
def test_connections_reach_what_the_engine_reaches(tiny_cell: Cell, history: bool) -> None:
    """Every delivery of the NEURON engine, and plastic synapses have the connections that they have there."""
    cell = with_history(tiny_cell) if history else tiny_cell
    rng = np.random.default_rng(2)
    n = 400
    port = rng.integers(3, size=n).astype(np.int8)
    where = [cell.placement(cell.ports[name][0]).compartments for name in ("exc", "pv", "sst")]
    events = Events.from_arrays(
        n_lanes=2,
        n_steps=1000,
        dt_ms=0.1,
        port_names=("exc", "pv", "sst"),
        step=rng.integers(1000, size=n),
        lane=rng.integers(2, size=n),
        compartment=np.array([rng.choice(where[k]) for k in port]),
        port=port,
        connection=rng.integers(6, size=n) if history else None,
    )
    table = connection_table(cell, events)
    for lane in range(2):
        problem = problem_of(NeuronJob(cell, events, lane), libraries=())
        engine = [
            (int(k), _row(cell, problem, int(k), int(row)), int(step), name)
            for k, row, step, name in zip(
                problem.event_placed, problem.event_row, problem.event_step, problem.connection, strict=True
            )
        ]
        ours = []
        for event in np.flatnonzero(events.lane == lane).tolist():
            for i in np.flatnonzero(table.connection == table.of_event[event]).tolist():
                ours.append((int(table.placement[i]), int(table.row[i]), event))
        assert [x[:3] for x in engine] == [(k, row, int(events.step[event])) for k, row, event in ours]
        if history:
            pairs = {
                (k, row, name, table.of_event[event])
                for (k, row, _, name), (_, _, event) in zip(engine, ours, strict=True)
                if cell.placements[k].label == "gaba_pv"  # the others' connections have no memory
            }
            theirs, own = {p[:3] for p in pairs}, {(p[0], p[1], p[3]) for p in pairs}
            assert len(pairs) == len(theirs) == len(own) > 20


def _row(cell: Cell, problem: object, placed: int, row: int) -> int:
    """The row of the whole placement; the engine leaves out synapses that a lane does not need."""
    compartments = problem.placed[placed].compartments  # type: ignore[attr-defined]
    own = cell.placements[placed].compartments
    return row if len(compartments) == len(own) else int(np.searchsorted(own, compartments[row]))
