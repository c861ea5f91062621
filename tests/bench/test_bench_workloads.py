"""The workloads are what they are said to be, for every simulator."""

from __future__ import annotations

import numpy as np
import pytest

from ketune import mechanisms
from ketune.bench import ketune_runner, scaling
from ketune.bench.accuracy import JAXLEY_mV
from ketune.bench.contenders import CONTENDERS
from ketune.bench.plan import QUICK, STANDARD
from ketune.bench.team import ContenderError, Team
from ketune.bench.workloads import SOMA_MOD, Tree, Workload, build
from ketune.morphology import SMALL_MORPHOLOGY

BY_NAME = {c.name: c for c in CONTENDERS}
SMALL = Tree(SMALL_MORPHOLOGY, 1.0)
VOLTAGES_mV = np.linspace(-90.0, 50.0, 57) + 0.013  # no singular point among them


def soma_rates() -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Steady states of W1's soma, and its parameters."""
    soma = mechanisms.load(str(SOMA_MOD))
    values = {name: p.value for name, p in soma.parameters.items()}
    states = soma.init(VOLTAGES_mV, {**values, **soma.derived(values)})
    return {name: np.asarray(states[name]) for name in ("m", "h", "n")}, values


@pytest.mark.neuron
def test_the_soma_has_the_equations_of_neurons_own_channel() -> None:
    from ketune.mechanisms._quiet import import_neuron

    h = import_neuron().h
    steady, values = soma_rates()
    section = h.Section(name="squid")
    section.insert("hh")
    h.usetable_hh, h.celsius = 0, 6.3
    for k, v_mV in enumerate(VOLTAGES_mV):
        h.finitialize(v_mV)
        expected = section(0.5).hh.m, section(0.5).hh.h, section(0.5).hh.n
        assert np.allclose([steady[name][k] for name in ("m", "h", "n")], expected, rtol=1e-12, atol=0)
    assert (values["gna"], values["gk"], values["gleak"], values["vleak"]) == (
        section.gnabar_hh,
        section.gkbar_hh,
        section.gl_hh,
        section.el_hh,
    )


def test_the_soma_has_the_equations_of_jaxleys_channel() -> None:
    pytest.importorskip("jaxley")
    from jaxley.channels import HH

    theirs = HH()
    steady, values = soma_rates()
    states = theirs.init_state({}, VOLTAGES_mV, theirs.channel_params, 0.025)
    for name in ("m", "h", "n"):
        assert np.allclose(steady[name], states[f"HH_{name}"], rtol=1e-12, atol=0)
    soma = mechanisms.load(str(SOMA_MOD))
    current = soma.current(VOLTAGES_mV, steady, values)
    assert np.allclose(
        current, theirs.compute_current(states, VOLTAGES_mV, theirs.channel_params), rtol=1e-12, atol=1e-15
    )


@pytest.mark.neuron
@pytest.mark.parametrize("name", ["W1", "W2"])
def test_neurons_process_and_the_twin_run_the_same(name: str) -> None:
    workload = Workload(name, 2, 60.0, tree=SMALL)  # type: ignore[arg-type]
    with Team(BY_NAME["neuron"], 1) as team:
        theirs = team.trace(workload)
        assert team.prepare(workload).lanes == 2
        assert team.forward(workload, 0.0) > 0
    ours = ketune_runner.Runner("xla", "float64", "forward_difference").trace(workload)
    assert ours.v_mV.shape == theirs.v_mV.shape == (workload.n_steps + 1, SMALL.table().n)
    assert np.abs(ours.v_mV - theirs.v_mV).max() <= 1e-6
    assert np.array_equal(ours.spike_ms[0], theirs.spike_ms[0])
    if name == "W1":
        assert len(theirs.spike_ms[0]) > 0


@pytest.mark.neuron
@pytest.mark.slow
def test_coreneuron_computes_what_neuron_does() -> None:
    workload = Workload("W1", 2, 60.0, tree=SMALL)
    with Team(BY_NAME["neuron"], 1) as neuron, Team(BY_NAME["coreneuron"], 1) as core:
        expected, found = neuron.trace(workload), core.trace(workload)
        core.prepare(workload)
        assert core.forward(workload, 0.0) > 0
    assert len(expected.spike_ms[0]) > 0
    assert np.abs(found.v_mV - expected.v_mV).max() <= 1e-6


@pytest.mark.neuron
@pytest.mark.slow
def test_jaxley_in_float64_is_neuron_within_its_bound() -> None:
    pytest.importorskip("jaxley")
    workload = Workload("W1", 1, 40.0, tree=SMALL)
    with (
        Team(BY_NAME["neuron"], 1) as neuron,
        Team(BY_NAME["jaxley"], 1, options={"precision": "float64"}) as jaxley,
    ):
        expected, found = neuron.trace(workload), jaxley.trace(workload)
    assert len(expected.spike_ms[0]) > 0
    assert np.abs(found.v_mV - expected.v_mV).max() <= JAXLEY_mV


def test_a_process_says_in_one_line_why_it_cannot() -> None:
    with Team(BY_NAME["xla_f32"], 1, options={"precision": "float17"}) as team:
        with pytest.raises(ContenderError, match=r"^data type 'float17' not understood$") as caught:
            team.trace(Workload("W1", 1, 1.0))
        assert "Traceback" in caught.value.details


def test_synapses_share_one_event_rate() -> None:
    one, many = (build(Workload("W2", 4, 20.0, tree=SMALL, synapses=n)).events for n in (1, 300))
    assert len(one.step) == len(many.step) > 0
    assert len(np.unique(one.compartment)) == 1 < len(np.unique(many.compartment))


def test_the_current_steps_make_spikes_at_different_rates() -> None:
    workload = Workload("W1", 4, 60.0)
    counts = [len(times) for times in ketune_runner.Runner("xla", "float64").trace(workload).spike_ms]
    assert counts[-1] > counts[0] > 0


class TestScalingAxes:
    def test_ketunes_engines_have_all_axes_over_the_ranges_of_the_documentation(self) -> None:
        axes = scaling.points(STANDARD, BY_NAME["native_f32"], 2)
        assert min(axes["lanes"]) == 16
        assert max(axes["lanes"]) == 4096
        assert min(axes["compartments"]) <= 50
        assert max(axes["compartments"]) >= 2000
        assert (min(axes["synapses"]), max(axes["synapses"])) == (1, 5000)
        assert set(axes) | {"threads"} == set(scaling.AXES)

    def test_only_one_thing_changes_along_an_axis(self) -> None:
        axes = scaling.points(QUICK, BY_NAME["native_f32"], 2)
        for axis, field in (("lanes", "lanes"), ("compartments", "tree"), ("synapses", "synapses")):
            workloads = [vars(w) for w in axes[axis].values()]
            others = [{k: v for k, v in w.items() if k != field} for w in workloads]
            assert all(w == others[0] for w in others)
        assert all(tree.table().n == n for n, tree in ((n, w.tree) for n, w in axes["compartments"].items()))

    def test_a_simulator_of_single_lanes_has_no_axis_of_lanes(self) -> None:
        assert "lanes" not in scaling.points(STANDARD, BY_NAME["neuron"], 2)


def test_gradients_are_with_respect_to_every_parameter_of_every_placement() -> None:
    asked: dict[str, object] = {}

    class FakeTape:
        v_mV = np.ones((5, 1, 2), np.float32)

        def gradient(self, cotangent: np.ndarray) -> None:
            asked["cotangent"] = cotangent

    class FakeEngine:
        def tape(self, events: object, *, wrt: list[tuple[str, str]], **_options: object) -> FakeTape:
            asked["wrt"] = wrt
            return FakeTape()

    workload = Workload("W1", 2, 10.0, tree=SMALL)
    work = build(workload)
    runner = ketune_runner.Runner("xla", "float32")
    runner._ready[workload] = work, FakeEngine()  # type: ignore[assignment]
    assert runner.gradient(workload) >= 0
    expected = {("hh", name) for name in work.cell.placement("hh").parameters} | {
        ("leak", "g"),
        ("leak", "e"),
    }
    assert set(asked["wrt"]) == expected  # type: ignore[call-overload]
    cotangent = asked["cotangent"]
    assert isinstance(cotangent, np.ndarray)
    assert cotangent.shape == FakeTape.v_mV.shape
    assert cotangent.sum() == pytest.approx(1.0)
