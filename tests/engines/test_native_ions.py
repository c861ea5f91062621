"""Ions that vary in the native engine: against the twin under XLA, forward and in reverse."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from ketune import mechanisms
from ketune._compiled import compiler
from ketune.afferents import Drive, Grating, hard_events, place_synapses
from ketune.cell import Cell, Placement
from ketune.cell_model import build_cell
from ketune.engines import describe
from ketune.engines.jax_engine import JaxEngine
from ketune.engines.native_engine import NativeEngine
from ketune.events import Events
from ketune.morphology import SMALL_MORPHOLOGY, read_morphology
from ketune.verify_cases import DT_ms, bench_table, calcium_case

pytestmark = pytest.mark.skipif(compiler() is None, reason="needs a C++ compiler")

LAB = Path(__file__).parents[1] / "mechanisms" / "mods" / "lab"
SCHEMES = ("backward_euler", "second_order")
CHANNELS = {"cahva": 5e-5, "calva": 5e-5, "capool": None, "sk": 2e-4, "nap": 2e-5}


def engines(cell, scheme="backward_euler", dt_ms=DT_ms):
    return [kind(cell, dt_ms=dt_ms, dtype=np.float64, scheme=scheme) for kind in (JaxEngine, NativeEngine)]


def check_runs(cell, events, variables, scheme="backward_euler", dt_ms=DT_ms, **options):
    """Voltages to 1e-6 mV, states to 1e-8 of their largest value."""
    pair = engines(cell, scheme, dt_ms)
    expected, found = (
        e.run(events, record=range(cell.table.n), stride=8, variables=variables, **options) for e in pair
    )
    assert describe(pair[1])["name"] == "native"
    np.testing.assert_allclose(found.v_mV, expected.v_mV, rtol=0, atol=1e-6)
    for key in variables:
        scale = np.abs(expected.variables[key]).max()
        np.testing.assert_allclose(
            found.variables[key], expected.variables[key], rtol=0, atol=1e-8 * scale, err_msg=str(key)
        )
    return expected


def check_tapes(
    cell,
    events,
    keys,
    scheme="backward_euler",
    dt_ms=DT_ms,
    overrides=None,
    least_effect_mV=0.0,
    **options,
):
    """Every derivative to 1e-9 of the parameter's largest; which parameters were compared.

    Parameters
    ----------
    least_effect_mV
        Of a relative change of a parameter: below it derivatives are rounding errors of terms that cancel.
    """
    gradients = []
    for engine in engines(cell, scheme, dt_ms):
        tape = engine.tape(events, wrt=keys, overrides=overrides, record=(0, cell.table.n - 1), **options)
        weight = np.sin(np.linspace(0.3, 5.0, len(tape.v_mV)))[:, None, None] / len(tape.v_mV)
        gradients.append(
            tape.gradient(weight * np.linspace(1.0, 0.5, tape.v_mV.shape[2]) * np.ones_like(tape.v_mV))
        )
    assert engine.reason_for_xla(gradient=True) is None
    expected, found = gradients
    compared = []
    for key in keys:
        value = (overrides or {}).get(key, cell.placement(key[0]).parameters[key[1]])
        if np.abs(expected.parameters[key] * value).max() < least_effect_mV:
            continue
        compared.append(key)
        scale = np.abs(expected.parameters[key]).max()
        assert scale > 0, key
        np.testing.assert_allclose(
            found.parameters[key], expected.parameters[key], rtol=0, atol=1e-9 * scale, err_msg=str(key)
        )
    if len(expected.weight):
        scale = np.abs(expected.weight).max()
        np.testing.assert_allclose(found.weight, expected.weight, rtol=0, atol=1e-9 * scale)
    return compared


def parameters_of(cell, labels):
    return [(label, name) for label in labels for name in cell.placement(label).parameters]


def depolarising(n_steps):
    """Opens every channel and lets it close again (nA)."""
    return 0.15 + 0.2 * np.sin(2 * np.pi * np.arange(n_steps) * DT_ms / 20.0)


class TestCalcium:
    """Channels fill a pool, and it opens another."""

    @pytest.mark.parametrize("scheme", SCHEMES)
    def test_voltages_states_and_ion_variables(self, scheme):
        case = calcium_case(200.0)
        run = check_runs(case.cell, case.events, case.variables, scheme, injected_nA=case.injected_nA)
        assert np.ptp(run.variables["ions", "cai"]) > 1e-3
        assert run.variables["sk", "z"].max() > 0.5

    def test_another_temperature(self):
        """Of the rates and of Nernst's equation."""
        case = calcium_case(30.0)
        check_runs(case.cell, case.events, case.variables, injected_nA=depolarising(1200), celsius=23.0)

    @pytest.mark.parametrize("scheme", SCHEMES)
    def test_every_parameter_on_the_tape(self, scheme):
        case = calcium_case(30.0)
        keys = parameters_of(case.cell, ("leak", "cahva", "calva", "capool", "sk"))
        check_tapes(case.cell, case.events, keys, scheme, injected_nA=depolarising(case.events.n_steps))

    def test_parameters_that_differ_between_lanes(self):
        """More lanes than a vector has."""
        case = calcium_case(30.0)
        n_lanes = 11
        events = Events.stack([case.events] * n_lanes)
        n = case.cell.table.n
        overrides = {
            ("capool", "decay"): np.linspace(10.0, 200.0, n_lanes)[None, :] * np.ones((n, 1)),
            ("cahva", "gbar"): np.linspace(1e-4, 1e-3, n_lanes)[None, :],
        }
        current = depolarising(events.n_steps)[:, None] * np.linspace(0.5, 1.0, n_lanes)
        check_runs(case.cell, events, case.variables, overrides=overrides, injected_nA=current)
        keys = [*overrides, ("capool", "cai_rest"), ("sk", "gbar")]
        check_tapes(case.cell, events, keys, overrides=overrides, injected_nA=current)

    def test_a_pool_on_some_compartments(self):
        """Elsewhere the reversal potential stays, and nothing changes the concentration."""
        case = calcium_case(30.0)
        some = np.arange(1, case.cell.table.n - 1)
        placements = [
            p
            if p.label != "capool"
            else replace(p, compartments=some, parameters={k: x[some] for k, x in p.parameters.items()})
            for p in case.cell.placements
        ]
        cell = replace(case.cell, placements=tuple(placements))
        current = depolarising(case.events.n_steps)
        run = check_runs(cell, case.events, case.variables, injected_nA=current)
        assert not np.ptp(run.variables["ions", "eca"][:, 0]).any()
        assert np.ptp(run.variables["ions", "eca"][:, 1]).any()
        check_tapes(cell, case.events, parameters_of(cell, ("cahva", "capool", "sk")), injected_nA=current)

    def test_single_precision(self):
        case = calcium_case(100.0)
        expected, found = (
            NativeEngine(case.cell, dt_ms=DT_ms, dtype=dtype).run(case.events, injected_nA=case.injected_nA)
            for dtype in (np.float64, np.float32)
        )
        np.testing.assert_allclose(found.v_mV, expected.v_mV, rtol=0, atol=0.02)


class TestSpikingCell:
    """The shipped model with calcium channels, pool, SK and persistent Na, driven by a grating."""

    DT_ms = 0.05
    OVERRIDES: ClassVar = {("gaba_pv", "gmax"): 2e-4, ("gaba_sst", "gmax"): 2e-4, ("ampa", "gmax"): 1.5e-3}

    @staticmethod
    @cache
    def cell() -> Cell:
        plain = build_cell(None, read_morphology(SMALL_MORPHOLOGY))
        own = []
        for name, gbar in CHANNELS.items():
            # so that the pool, whose initial state is a parameter, is on fewer compartments than what it reads
            at = np.arange(1 if name == "nap" else 0, plain.table.n)
            mechanism = mechanisms.load(name)
            values = {k: np.full(len(at), p.value) for k, p in mechanism.parameters.items()}
            own.append(
                Placement(
                    name, mechanism, at, values if gbar is None else values | {"gbar": np.full(len(at), gbar)}
                )
            )
        return replace(
            plain, placements=(*own, *plain.placements), concentration_mM={"cai": 1e-4, "cao": 2.0}
        )

    def events(self, window_ms, trials):
        grating = Grating((0.0, 90.0), window_ms=window_ms, warm_up_ms=0.0)
        layout = place_synapses(self.cell(), seed=2)
        drive = Drive(peak_rate_hz=12.0, background_rate_hz=2.0)
        return hard_events(layout, grating, drive, trials=range(trials), seed=4, dt_ms=self.DT_ms)

    def test_two_hundred_milliseconds(self):
        cell = self.cell()
        variables = [(x, s) for x in ("sk", "nav", "nmda") for s in cell.placement(x).mechanism.states]
        variables += [("ions", x) for x in ("cai", "eca", "ica")]
        run = check_runs(cell, self.events(200.0, 5), variables, dt_ms=self.DT_ms, overrides=self.OVERRIDES)
        assert run.counts().max() >= 3
        assert np.ptp(run.variables["ions", "cai"]) > 1e-5

    def test_on_the_tape(self):
        keys = [*parameters_of(self.cell(), CHANNELS), ("nmda", "gmax"), ("nav", "gbar")]
        check_tapes(self.cell(), self.events(25.0, 2), keys, dt_ms=self.DT_ms, overrides=self.OVERRIDES)


def cell_of(*files, **options):
    """Some files and a leak on the small cell."""
    table = bench_table()
    everywhere = np.arange(table.n)
    placements = [
        Placement(
            "leak",
            mechanisms.load("leak"),
            everywhere,
            {"g": np.full(table.n, 1e-4), "e": np.full(table.n, -70.0)},
        )
    ]
    for file in files:
        mechanism = mechanisms.load(file)
        values = {name: np.full(table.n, p.value) for name, p in mechanism.parameters.items()}
        placements.append(Placement(mechanism.name, mechanism, everywhere, values))
    heard = tuple(p.label for p in placements if p.mechanism.merging != "none")
    settings = {"reversal_mV": {"ena": 55.0, "ek": -85.0}, "celsius": 37.0, "v_init_mV": -68.0} | options
    return Cell("lab", table, tuple(placements), {"train": heard} if heard else {}, **settings)


def train(n_steps, n):
    """Every 8 ms an event on one of the compartments."""
    step = np.arange(100, n_steps, 320)
    return Events.from_arrays(
        n_lanes=1, n_steps=n_steps, dt_ms=DT_ms, port_names=("train",), step=step,
        lane=0 * step, compartment=step % n, port=0 * step, weight=np.full(len(step), 1e-3),
    )  # fmt: skip


# as in lab/README.md: several writers and readers of an ion, implicit steps, an ion's current through a synapse
GROUPS = {
    "saturable pump": (("caderiv", "lcatype", "bkmole", "kdrpyr"), ("caderiv", "lcatype", "bkmole")),
    "calcium through a synapse": (("NmdaCa", "caderiv", "skhill"), ("NmdaCa", "caderiv", "skhill")),
    "sodium and potassium": (("nakacc", "nakatp", "nakleak"), ("nakatp", "nakleak")),
    "chloride": (("claccum", "cltonic"), ("claccum", "cltonic")),
    "reversal potential written": (("ekwriter", "kdrpyr"), ("kdrpyr",)),
    "CONDUCTANCE of an ion": (("kcond", "nakacc"), ("kcond",)),
}


@pytest.mark.parametrize("group", GROUPS)
def test_files_that_share_ions(group):
    files, differentiated = GROUPS[group]
    cell = cell_of(*(LAB / f"{name}.mod" for name in files))
    n_steps = 1600
    events = (
        train(n_steps, cell.table.n) if cell.ports else Events.none(n_lanes=1, n_steps=n_steps, dt_ms=DT_ms)
    )
    current = depolarising(n_steps)
    used = NativeEngine(cell, dt_ms=DT_ms).twin.ions
    variables = [("ions", name) for name in sorted(used.varying)]
    variables += [(p.label, s) for p in cell.placements for s in p.mechanism.states]
    run = check_runs(cell, events, variables, injected_nA=current)
    assert any(np.ptp(run.variables[key]) for key in variables if key[0] == "ions")
    keys = parameters_of(cell, differentiated)
    assert len(check_tapes(cell, events, keys, least_effect_mV=1e-6, injected_nA=current)) >= 2


class TestLeftToXLA:
    """What the kernel does not cover, said in one line."""

    WATCH = (
        "NEURON {{ SUFFIX {name} USEION ca READ ica NONSPECIFIC_CURRENT i RANGE i, k }}\n"
        "PARAMETER {{ k = 0.5 }}\nASSIGNED {{ v ica i }}\nBREAKPOINT {{ i = -k*ica }}\n"
    )
    POOL = (
        "NEURON {{ SUFFIX {name} USEION ca READ ica, cai WRITE cai RANGE d }}\nPARAMETER {{ d = 20 }}\n"
        "ASSIGNED {{ ica }}\nSTATE {{ cai }}\nINITIAL {{ cai = 1e-4 }}\nBREAKPOINT {{ SOLVE s METHOD cnexp }}\n"
        "DERIVATIVE s {{ cai' = -ica - (cai - 1e-4)/d }}\n"
    )

    def written(self, folder, name, text):
        path = folder / f"{name}.mod"
        path.write_text(text.format(name=name))
        return path

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("capumpk", "'capumpk' keeps values that its BREAKPOINT sets"),
            ("RampClamp", "'RampClamp' reads the time"),
            ("SatSyn", "'SatSyn' has states for each connection, or self-events"),
        ],
    )
    def test_for_good(self, name, reason):
        assert NativeEngine(cell_of(LAB / f"{name}.mod"), dt_ms=DT_ms).reason_for_xla() == reason

    def test_the_gradient_through_a_current_that_follows_a_total(self, tmp_path):
        """Forward in the kernel, where the mechanism sees what was summed before it."""
        cell = cell_of("cahva", "capool", self.written(tmp_path, "awatch", self.WATCH))
        events = Events.none(n_lanes=1, n_steps=400, dt_ms=DT_ms)
        check_runs(cell, events, [("ions", "ica")], injected_nA=depolarising(400))
        xla, native = engines(cell)
        assert native.reason_for_xla() is None
        assert (
            native.reason_for_xla(gradient=True) == "the current of 'awatch' depends on the total current ica"
        )
        tapes = [e.tape(events, wrt=[("awatch", "k")], injected_nA=depolarising(400)) for e in (xla, native)]
        slopes = [t.gradient(np.ones_like(t.v_mV)).parameters["awatch", "k"] for t in tapes]
        np.testing.assert_allclose(*slopes, rtol=1e-12)

    def test_the_gradient_through_two_pools_on_a_compartment(self, tmp_path):
        pools = [self.written(tmp_path, name, self.POOL) for name in ("apool", "bpool")]
        cell = cell_of("cahva", *pools, "sk")
        events = Events.none(n_lanes=1, n_steps=400, dt_ms=DT_ms)
        check_runs(cell, events, [("ions", "cai"), ("sk", "z")], injected_nA=depolarising(400))
        native = NativeEngine(cell, dt_ms=DT_ms)
        assert native.reason_for_xla() is None
        assert native.reason_for_xla(gradient=True).startswith("several mechanisms write cai")
