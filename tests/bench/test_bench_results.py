"""What the benchmark says about contenders whose processes are played by stand-ins."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ketune.bench import accuracy, benchmark, contenders, describe, scaling
from ketune.bench.accuracy import Verdict, count_difference, judge, share_of_spikes_near
from ketune.bench.contenders import CONTENDERS, Contender, selected
from ketune.bench.plan import QUICK, STANDARD
from ketune.bench.runner import Prepared, Trace, spike_times
from ketune.bench.table import struck_out
from ketune.bench.team import ContenderError
from ketune.bench.timing import interleaved, ratio
from ketune.bench.workloads import Workload
from ketune.errors import InputError
from ketune.progress import NullProgress

BY_NAME = {c.name: c for c in CONTENDERS}
KEYS = {
    "sim_s_per_wall_s",
    "threads",
    "lanes",
    "gradient_sim_s_per_wall_s",
    "setup_s",
    "compile_s",
    "max_dv_mV",
    "accurate",
}
FASTER = {name: float(10**k) for k, name in enumerate(BY_NAME)}
SPIKES_ms = (np.array([10.0, 20.0, 30.0]), np.array([15.0]))


def trace(off_mV: float = 0.0, late_ms: float = 0.0) -> Trace:
    return Trace(np.full((4, 3), -70.0 + off_mV), tuple(times + late_ms for times in SPIKES_ms))


class FakeTeam:
    """Speeds by name; the traces of those in `off` differ, those in `broken` cannot start."""

    off: Mapping[str, Trace] = {}
    broken: tuple[str, ...] = ()
    timed: list[str] = []  # noqa: RUF012

    def __init__(self, contender: Contender, threads: int, **_options: Any) -> None:
        self.contender, self.threads = contender, threads

    def __enter__(self) -> FakeTeam:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def prepare(self, workload: Workload) -> Prepared:
        self.long = workload.window_ms == 1000.0
        if self.contender.name in self.broken:
            raise ContenderError("there is no compiler", "Traceback ...")
        return Prepared(0.5, 2.0, workload.lanes)

    def prepare_gradient(self, workload: Workload) -> Prepared:
        return Prepared(0.0, 3.0, workload.lanes)

    def forward(self, workload: Workload, at_least_s: float) -> float:
        self.timed.append(self.contender.name)
        return FASTER[self.contender.name]

    def gradient(self, workload: Workload, at_least_s: float) -> float:
        return FASTER[self.contender.name] / 4

    def trace(self, workload: Workload) -> Trace:
        return self.off.get(self.contender.name, trace())

    def peak_memory_MiB(self) -> float:
        return 100.0


@pytest.fixture
def teams(monkeypatch: pytest.MonkeyPatch) -> type[FakeTeam]:
    class Teams(FakeTeam):
        timed: list[str] = []  # noqa: RUF012

    for module in (accuracy, benchmark, scaling):
        monkeypatch.setattr(module, "Team", Teams)
    monkeypatch.setattr(contenders, "is_installed", lambda package: True)
    return Teams


def measured(*names: str) -> dict[str, Any]:
    chosen = [c for c in CONTENDERS if not names or c.name in names]
    return benchmark.measure(chosen, QUICK, NullProgress())


def test_the_results_have_the_documented_shape(teams: type[FakeTeam]) -> None:
    result = measured()
    assert {"machine", "workloads", "gradient_in_forwards", "scaling"} <= set(result)
    assert set(result["workloads"]) == {"W1", "W2"}
    for entries in result["workloads"].values():
        assert set(entries) == set(BY_NAME)
        assert all(set(entry) >= KEYS for entry in entries.values())
    assert result["workloads"]["W1"]["native_f32"]["sim_s_per_wall_s"] == FASTER["native_f32"]
    assert result["workloads"]["W1"]["neuron"]["gradient_sim_s_per_wall_s"] is None
    assert result["gradient_in_forwards"]["W2"]["native_f32"] == 4.0
    assert set(result["scaling"]) == {"lanes", "compartments", "synapses", "threads"}
    curve = result["scaling"]["synapses"]["native_f32"]
    assert curve == {"at": [1.0, 5000.0], "sim_s_per_wall_s": [FASTER["native_f32"]] * 2}
    assert result["ok"]


def test_a_thorough_plan_adds_cached_compilation_and_the_memory_of_a_gradient(
    teams: type[FakeTeam], monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = iter([100.0, 1000.0])
    monkeypatch.setattr(teams, "peak_memory_MiB", lambda team: next(memory, 100.0) if team.long else 100.0)
    plan = replace(STANDARD, rounds=1, scaled=())
    chosen = [c for c in CONTENDERS if c.name in ("neuron", "native_f32")]
    result = benchmark.measure(chosen, plan, NullProgress())
    assert result["workloads"]["W1"]["native_f32"]["compile_cached_s"] == 2.0
    assert result["gradient_memory"]["native_f32"] == {"lanes": 256, "window_ms": 1000.0, "MiB": 900.0}
    assert any("1000 ms of 256 lanes adds 900 MiB" in line for line in describe(result))


def test_every_contender_runs_once_in_each_round(teams: type[FakeTeam]) -> None:
    measured("neuron", "native_f64")
    assert teams.timed == ["neuron", "native_f64"] * QUICK.rounds * 2


def test_a_contender_off_the_contract_is_struck_out_and_not_timed(
    teams: type[FakeTeam], tmp_path: Path
) -> None:
    teams.off = {"native_f64": trace(off_mV=0.25)}
    result = measured("neuron", "xla_f64", "native_f64", "native_f32")
    entry = result["workloads"]["W2"]["native_f64"]
    assert (entry["accurate"], entry["sim_s_per_wall_s"]) == (False, None)
    assert entry["max_dv_mV"] == 0.25
    assert "native_f64" not in teams.timed
    assert not result["ok"]
    (row, _) = (line for line in describe(result) if line.startswith(struck_out("native_f64")))
    assert "2.5e-01 mV" in row

    from ketune.bench.figure import save_figure

    save_figure(result, tmp_path / "bench.png")
    assert (tmp_path / "bench.png").stat().st_size > 10_000


def test_a_peer_off_its_bound_does_not_make_the_answer_no(teams: type[FakeTeam]) -> None:
    teams.off = {"coreneuron": trace(off_mV=0.25)}
    result = measured("neuron", "coreneuron")
    assert result["workloads"]["W1"]["coreneuron"]["accurate"] is False
    assert result["ok"]


def test_the_table_compares_with_neuron_and_says_what_was_compared(teams: type[FakeTeam]) -> None:
    lines = list(describe(measured("neuron", "native_f32")))
    row = next(line for line in lines if line.startswith("native_f32"))
    assert row.split()[1:5] == ["100000", "100000", "25000", "4"]
    assert any("native_f32: float64: counts 0.00% off" in line for line in lines)
    assert any(line.startswith("quick:") for line in lines)


class TestMissingPeers:
    def test_jaxley_that_is_not_installed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(contenders, "is_installed", lambda package: False)
        why = BY_NAME["jaxley"].cannot_run("W1")
        assert why is not None
        assert "pip install 'ketune[bench]'" in why

    def test_jaxley_lacks_the_channels_of_w2(self, teams: type[FakeTeam]) -> None:
        result = measured("neuron", "jaxley")
        entry = result["workloads"]["W2"]["jaxley"]
        assert "channels and synapses" in entry["not_available"]
        assert all(entry[key] is None for key in KEYS)
        assert any(line.startswith("jaxley        not available: ") for line in describe(result))

    def test_a_peer_that_cannot_start_says_why(self, teams: type[FakeTeam]) -> None:
        teams.broken = ("coreneuron",)
        result = measured("neuron", "coreneuron")
        assert result["workloads"]["W1"]["coreneuron"]["not_available"] == "there is no compiler"

    def test_without_neuron_there_is_no_reference(self, teams: type[FakeTeam]) -> None:
        teams.broken = ("neuron",)
        with pytest.raises(InputError, match="NEURON, the reference, cannot run: there is no compiler"):
            measured("neuron", "native_f32")

    def test_an_engine_of_ours_that_cannot_start_is_a_bug(self, teams: type[FakeTeam]) -> None:
        teams.broken = ("native_f32",)
        with pytest.raises(RuntimeError, match="native_f32: there is no compiler"):
            measured("neuron", "native_f32")


class TestSelection:
    def test_neuron_and_our_engines_always_take_part(self) -> None:
        names = [c.name for c in selected(["jaxley"])]
        assert names == ["neuron", "jaxley", "xla_f32", "xla_f64", "native_f32", "native_f64"]

    def test_an_unknown_name(self) -> None:
        with pytest.raises(InputError, match=r"'foo' is no peer.*neuron,coreneuron,jaxley"):
            selected(["neuron", "foo"])

    def test_a_directory_with_a_result_is_refused_before_anything_runs(
        self, teams: type[FakeTeam], tmp_path: Path
    ) -> None:
        benchmark.run_bench(["neuron"], quick=True, output=tmp_path / "speed")
        assert json.loads((tmp_path / "speed" / "bench.json").read_text())["quick"]
        assert (tmp_path / "speed" / "bench.png").exists()
        teams.timed.clear()
        with pytest.raises(InputError, match="already holds a result"):
            benchmark.run_bench(["neuron"], quick=True, output=tmp_path / "speed")
        assert teams.timed == []


class TestGate:
    """Each contender is compared with what it promises to agree with."""

    @staticmethod
    def verdict(name: str, traces: Mapping[tuple[str, str], Trace]) -> Verdict:
        def traced(contender: Contender, options: Mapping[str, str]) -> Trace:
            made = {**dict(contender.options), **options}
            engine = made.get("engine", contender.name)
            return traces[engine, made.get("precision", "float64")]

        return judge(BY_NAME[name], BY_NAME["neuron"], traced)

    def test_native_in_float64_against_xla(self) -> None:
        traces = {
            ("native", "float64"): trace(),
            ("xla", "float64"): trace(2e-6),
            ("neuron", "float64"): trace(),
        }
        assert not self.verdict("native_f64", traces).accurate
        traces["xla", "float64"] = trace(5e-7)
        assert self.verdict("native_f64", traces).accurate

    def test_a_voltage_that_is_not_a_number_is_off(self) -> None:
        traces = {("coreneuron", "float64"): trace(np.nan), ("neuron", "float64"): trace()}
        assert self.verdict("coreneuron", traces) == Verdict(False, float("inf"), "NEURON: 1e-06 mV")

    def test_float32_by_spikes_and_not_by_voltage(self) -> None:
        traces = {("native", "float32"): trace(5.0, 0.1), ("native", "float64"): trace()}
        assert self.verdict("native_f32", traces).accurate
        traces["native", "float32"] = trace(0.0, 0.125)
        assert not self.verdict("native_f32", traces).accurate

    def test_jaxley_by_its_own_bound_in_float64_too(self) -> None:
        traces = {
            ("jaxley", "float32"): trace(0.5),
            ("jaxley", "float64"): trace(0.005),
            ("neuron", "float64"): trace(),
        }
        assert self.verdict("jaxley", traces).accurate
        traces["jaxley", "float64"] = trace(0.02)
        assert not self.verdict("jaxley", traces).accurate

    def test_shares(self) -> None:
        double = trace()
        lost = replace(double, spike_ms=(SPIKES_ms[0][:2], np.array([])))
        assert count_difference(lost, double) == 0.5
        assert share_of_spikes_near(lost, double) == 0.5
        silent = replace(double, spike_ms=(np.array([]), np.array([])))
        assert share_of_spikes_near(silent, silent) == 1.0
        assert count_difference(silent, silent) == 0.0

    def test_spike_times_are_first_samples_at_the_threshold(self) -> None:
        v_mV = np.array([[-70.0, 0.0], [-20.0, 0.0], [0.0, -70.0], [-70.0, 5.0]])
        first, second = spike_times(v_mV, 0.5, -20.0)
        assert first.tolist() == [0.5]
        assert second.tolist() == [1.5]


def test_ratios_are_taken_within_rounds() -> None:
    """A machine that slows down by ten between rounds does not change who is how much faster."""
    machine = iter([1.0, 1.0, 0.1, 0.1, 0.01, 0.01])
    speeds = interleaved(
        {"fast": lambda: 30 * next(machine), "slow": lambda: 10 * next(machine)},
        3,
        NullProgress().task("").__enter__(),
    )
    assert ratio(speeds["fast"], speeds["slow"]) == pytest.approx(3.0)
