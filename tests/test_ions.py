"""Which ion variables are computed, set or constant: NEURON's rules, taken from NEURON itself."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from itertools import combinations_with_replacement
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ketune import mechanisms
from ketune.cell import Cell, Placement
from ketune.engines.jax_engine import JaxEngine
from ketune.engines.neuron_engine import NeuronJob, NeuronResult, run_in_processes
from ketune.errors import InputError
from ketune.events import Events
from ketune.ions import DEFAULT_CONCENTRATION_mM, DEFAULT_REVERSAL_mV, in_neurons_order, ion_uses, nernst
from ketune.verify_cases import bench_table

# what a mechanism may do with calcium: its USEION, and what makes the file complete
USES = {
    "erev": ("USEION ca READ eca WRITE ica", "BREAKPOINT { ica = g*(v - eca) }"),
    "crea": ("USEION ca READ cai, cao WRITE ica", "BREAKPOINT { ica = g*(v - 20*log(cao/cai)) }"),
    "both": ("USEION ca READ cai, eca WRITE ica", "BREAKPOINT { ica = g*(v - eca)*cai }"),
    "ciwr": ("USEION ca READ ica WRITE cai", "BREAKPOINT { cai = 2e-4 }"),
    "cowr": ("USEION ca READ ica WRITE cao", "BREAKPOINT { cao = 3 }"),
    "eawr": ("USEION ca WRITE eca", "BREAKPOINT { eca = 90 }"),
    "only": ("USEION ca READ ica", "BREAKPOINT { g = ica }"),
}
PAIRS = list(combinations_with_replacement(USES, 2))


def text(name: str) -> str:
    use, body = USES[name]
    return (
        f"NEURON {{ SUFFIX {name} {use} RANGE g }}\nPARAMETER {{ g = 1e-5 }}\n"
        f"ASSIGNED {{ v ica eca cai cao }}\n{body}\n"
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("uses")
    for name in USES:
        declared = [x for x in ("ica", "eca", "cai", "cao") if x in "".join(USES[name])]
        (folder / f"{name}.mod").write_text(
            text(name).replace("v ica eca cai cao", " ".join(["v", *declared]))
        )
    return {name: folder / f"{name}.mod" for name in USES}


NEURON = textwrap.dedent(
    """
    import json, sys
    from neuron import h
    pairs, library = json.load(sys.stdin)
    assert h.nrn_load_dll(library)
    h.celsius = 20.0
    found = []
    for pair in pairs:
        section = h.Section()
        for name in pair:
            section.insert(name)
        section.eca, style = 33.0, int(h.ion_style("ca_ion", sec=section))
        h.finitialize(-60.0)
        at_start = section.eca
        found.append([style & 3, bool(style & 32), bool(style & 64), at_start])
    json.dump(found, sys.stdout)
    """
)


@pytest.fixture(scope="module")
def neurons(files: dict[str, Path]) -> dict[tuple[str, str], tuple]:
    """For each pair of mechanisms on a section NEURON's c_style, einit, eadvance, and eca after INITIAL."""
    library = mechanisms.library(files.values())
    done = subprocess.run(
        [sys.executable, "-c", NEURON],
        input=json.dumps([PAIRS, str(library)]),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return dict(zip(PAIRS, map(tuple, json.loads(done.stdout.splitlines()[-1])), strict=True))


def cell_of(files: dict[str, Path], names: tuple[str, ...], **options) -> Cell:
    table = bench_table()
    everywhere = np.arange(table.n)
    placements = []
    for name in dict.fromkeys(names):
        mechanism = mechanisms.load(files[name])
        values = {key: np.full(table.n, p.value) for key, p in mechanism.parameters.items()}
        placements.append(Placement(name, mechanism, everywhere, values))
    settings = {"reversal_mV": {"eca": 33.0}, "celsius": 20.0, "v_init_mV": -60.0} | options
    return Cell("ions", table, tuple(placements), {}, **settings)


@pytest.mark.neuron
@pytest.mark.parametrize("pair", PAIRS, ids="+".join)
def test_uses_follow_neurons_ion_style(pair, files, neurons) -> None:
    c_style, e_init, e_advance, eca = neurons[pair]
    (use,) = ion_uses(cell_of(files, pair))
    assert use.nernst_at.all() == e_init
    assert use.advance_at.all() == e_advance
    assert use.nernst_at.any() == use.nernst_at.all()
    writers = {name for name in ("cai", "cao") if any(name in USES[x][0].split("WRITE")[-1] for x in pair)}
    assert (c_style == 3) == bool(writers & {"cai", "cao"} & use.varying)
    if "eawr" not in pair:  # else it is set by INITIAL or the first step
        start = use.start["eca"]
        assert start == pytest.approx(np.full(len(start), eca), rel=1e-12)


RUN = Events.none(n_lanes=1, n_steps=40, dt_ms=0.025)
CURRENT = np.full(40, 0.05)


def varying_of(cell: Cell) -> list[tuple[str, str]]:
    return [("ions", x) for x in sorted(ion_uses(cell)[0].varying) if x != "ica"]


@pytest.fixture(scope="module")
def runs(files: dict[str, Path]) -> dict[tuple[str, str], tuple[Cell, NeuronResult]]:
    """Each combination on a cell, and what NEURON makes of it."""
    cells = [cell_of(files, pair, concentration_mM={"cai": 1e-4, "cao": 1.5}) for pair in PAIRS]
    jobs = [
        NeuronJob(
            cell,
            RUN,
            injected_nA=CURRENT,
            record="all",
            variables=varying_of(cell),
            compiled_with=tuple(files.values()),
        )
        for cell in cells
    ]
    return dict(zip(PAIRS, zip(cells, run_in_processes(jobs), strict=True), strict=True))


@pytest.mark.neuron
@pytest.mark.parametrize("pair", PAIRS, ids="+".join)
def test_every_combination_runs_as_in_neuron(pair, runs) -> None:
    cell, reference = runs[pair]
    assert reference.status == "done", reference.message
    engine = JaxEngine(cell, dt_ms=0.025, dtype=np.float64, derivative="forward_difference")
    wanted = varying_of(cell)
    run = engine.run(RUN, injected_nA=CURRENT, record=range(cell.table.n), variables=wanted)
    assert np.max(np.abs(run.v_mV[:, :, 0] - reference.run.v_mV)) < 1e-9
    for key in wanted:
        np.testing.assert_allclose(run.variables[key][:, :, 0], reference.run.variables[key], rtol=1e-10)


@pytest.mark.neuron
def test_nernst_is_neurons() -> None:
    script = textwrap.dedent(
        """
        import json, sys
        from neuron import h
        found = []
        for inside, outside, z, celsius in json.load(sys.stdin):
            h.celsius = celsius
            found.append(h.nernst(inside, outside, z))
        json.dump(found, sys.stdout)
        """
    )
    rng = np.random.default_rng(2)
    cases = [
        (*10.0 ** rng.uniform(-6, 2.5, 2), float(z), float(celsius))
        for z in (-2, -1, 1, 2, 3)
        for celsius in (0.0, 6.3, 23.0, 37.0)
    ]
    done = subprocess.run(
        [sys.executable, "-c", script], input=json.dumps(cases), capture_output=True, text=True, check=True
    )
    expected = json.loads(done.stdout.splitlines()[-1])
    assert [nernst(*case) for case in cases] == pytest.approx(expected, rel=1e-14)


@given(
    st.floats(1e-7, 1e3), st.floats(1e-7, 1e3), st.sampled_from([-2.0, -1.0, 1.0, 2.0]), st.floats(0.0, 45.0)
)
def test_nernst_is_odd_in_its_sides_and_inverse_in_the_charge(inside, outside, valence, celsius) -> None:
    e = nernst(inside, outside, valence, celsius)
    assert nernst(outside, inside, valence, celsius) == pytest.approx(-e, abs=1e-9)
    assert nernst(inside, outside, 2 * valence, celsius) == pytest.approx(e / 2, abs=1e-9)
    assert nernst(inside, outside, 0.0, celsius) == 0.0


@pytest.mark.neuron
def test_defaults_are_neurons(files) -> None:
    script = (
        "import json, sys; from neuron import h; names, library = json.load(sys.stdin)\n"
        "assert h.nrn_load_dll(library); s = h.Section(); s.insert('hh'); s.insert('erev')\n"
        "print(json.dumps({x: getattr(s(0.5), x) for x in names}))"
    )
    names = [*DEFAULT_CONCENTRATION_mM, *DEFAULT_REVERSAL_mV]
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=json.dumps([names, str(mechanisms.library(files.values()))]),
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert found == pytest.approx(DEFAULT_CONCENTRATION_mM | DEFAULT_REVERSAL_mV, rel=1e-12)


class TestOrder:
    def place(self, *names: str, folder: Path, text: str = "") -> list[Placement]:
        placements = []
        for name in names:
            if name in mechanisms.names():
                mechanism = mechanisms.load(name)
            else:
                path = folder / f"{name}.mod"
                path.write_text(text.replace("NAME", name))
                mechanism = mechanisms.load(path)
            placements.append(Placement(name, mechanism, np.arange(1), {}))
        return placements

    def test_writers_of_concentrations_come_first_the_last_loaded_before(self, tmp_path: Path) -> None:
        pool = "NEURON { SUFFIX NAME USEION ca READ ica WRITE cai }\nASSIGNED { ica cai }\nBREAKPOINT { cai = 1e-4 }\n"
        reader = (
            "NEURON { SUFFIX NAME USEION ca READ ica RANGE x }\nASSIGNED { ica x }\nBREAKPOINT { x = ica }\n"
        )
        placements = [
            *self.place("zwatch", "awatch", folder=tmp_path, text=reader),
            *self.place("apool", "zpool", folder=tmp_path, text=pool),
            *self.place("sk", "cahva", "capool", folder=tmp_path),
        ]
        order = [p.label for p in in_neurons_order(placements)]
        assert order == ["zpool", "apool", "capool", "cahva", "sk", "awatch", "zwatch"]

    @pytest.mark.neuron
    def test_a_users_observer_sees_the_current_of_a_shipped_channel(self, tmp_path: Path) -> None:
        """Loaded before cahva, as its name would have it, it would see none."""
        watch = (
            "NEURON { SUFFIX aawatch USEION ca READ ica NONSPECIFIC_CURRENT i RANGE i, k }\n"
            "PARAMETER { k = 0.5 }\nASSIGNED { v ica i }\nBREAKPOINT { i = -k*ica }\n"
        )
        table = bench_table()
        placements = self.place("cahva", "aawatch", "leak", folder=tmp_path, text=watch)
        own = {"gbar": 1e-4, "k": 0.5, "g": 1e-4, "e": -70.0}
        placements = [
            Placement(
                p.label,
                p.mechanism,
                np.arange(table.n),
                {x: np.full(table.n, own.get(x, q.value)) for x, q in p.mechanism.parameters.items()},
            )
            for p in placements
        ]
        cell = Cell("watched", table, tuple(placements), {}, {}, 37.0, -70.0)
        events = Events.none(n_lanes=1, n_steps=800, dt_ms=0.025)
        current = np.full(800, 0.3)
        run = JaxEngine(cell, dt_ms=0.025, dtype=np.float64, derivative="forward_difference").run(
            events, injected_nA=current, record=range(table.n)
        )
        silent = cell.with_parameters({("aawatch", "k"): 0.0})
        jobs = [NeuronJob(c, events, injected_nA=current, record="all") for c in (cell, silent)]
        seen, unseen = (result.run.v_mV for result in run_in_processes(jobs))
        assert np.max(np.abs(run.v_mV[:, :, 0] - seen)) < 1e-9
        assert np.max(np.abs(seen - unseen)) > 0.1


class TestRefused:
    def files(self, folder: Path, **lines: str) -> dict[str, Path]:
        for name, use in lines.items():
            (folder / f"{name}.mod").write_text(
                f"NEURON {{ SUFFIX {name} {use} }}\nASSIGNED {{ v ix xi ex }}\nBREAKPOINT {{ ix = 1e-6*v }}\n"
            )
        return {name: folder / f"{name}.mod" for name in lines}

    def test_two_charges_of_one_ion(self, tmp_path: Path) -> None:
        files = self.files(tmp_path, one="USEION x WRITE ix VALENCE 1", two="USEION x WRITE ix VALENCE 2")
        with pytest.raises(
            InputError, match=r"ion x has different charges in its mechanisms: \[1\.0, 2\.0\]"
        ):
            ion_uses(cell_of(files, ("one", "two")))

    def test_a_reversal_potential_without_a_charge(self, tmp_path: Path) -> None:
        files = self.files(tmp_path, none="USEION x READ xi, ex WRITE ix")
        with pytest.raises(InputError, match=r"states the charge of ion x: write USEION x \.\.\. VALENCE z"):
            ion_uses(cell_of(files, ("none",)))


def test_rules_hold_compartment_by_compartment(files) -> None:
    """A pool on some compartments only: elsewhere the reversal potential is the constant one."""
    cell = cell_of(files, ("erev", "ciwr"))
    erev, pool = cell.placements
    some = np.arange(1, 3)
    pool = Placement("ciwr", pool.mechanism, some, {k: x[some] for k, x in pool.parameters.items()})
    cell = Cell("partly", cell.table, (erev, pool), {}, {"eca": 33.0}, 20.0, -60.0)
    (use,) = ion_uses(cell)
    inside = np.isin(np.arange(cell.table.n), some)
    assert np.array_equal(use.nernst_at, inside)
    assert np.array_equal(use.advance_at, inside)
    assert set(use.start["eca"][~inside]) == {33.0}
    assert use.start["eca"][some] == pytest.approx(nernst(5e-5, 2.0, 2.0, 20.0))
    assert use.present.all()
