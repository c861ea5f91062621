"""Events that synapses send themselves, and connections with variables of their own: order and time as in NEURON."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ketune import mechanisms
from ketune.cell import Cell, Placement
from ketune.engines.connections import QUEUE
from ketune.engines.jax_engine import JaxEngine
from ketune.engines.neuron_engine import NeuronJob, run_in_processes
from ketune.events import Events
from ketune.verify_cases import bench_table

DT = 0.025
N_STEPS = 400

# a diary: the flags of what arrived, as decimal digits, the sum of their times, and the weights seen
HEAD = """
NEURON { POINT_PROCESS diary NONSPECIFIC_CURRENT i RANGE flags, times, weights, now, other, i }
PARAMETER { gap = 1 (ms) }
ASSIGNED { v (mV) i (nA) flags times weights now other }
BREAKPOINT { i = 1e-9*flags }
"""
NOTE = "flags = 10*flags + flag + 1  times = times + t  now = t  weights = weights + w"
# for what INITIAL sends: it belongs to no connection, and NEURON crashes where a weight is read then
OWN_NOTE = NOTE.partition("  weights")[0]
RECORDED = ("flags", "times", "weights", "now", "other")
NOTHING = "flags = 0  times = 0  weights = 0  now = 0  other = 0"


def diary(folder: Path, receive: str, initial: str = "", arguments: str = "w") -> mechanisms.Mechanism:
    path = folder / "diary.mod"
    path.write_text(f"{HEAD}\nINITIAL {{ {NOTHING}  {initial} }}\nNET_RECEIVE({arguments}) {{ {receive} }}\n")
    return mechanisms.load(path)


def cell_of(mechanism: mechanisms.Mechanism, at: tuple[int, ...] = (0,)) -> Cell:
    table = bench_table()
    leak = {"g": np.full(table.n, 1e-4), "e": np.full(table.n, -70.0)}
    values = {k: np.full(len(at), p.value) for k, p in mechanism.parameters.items()}
    placements = (
        Placement("leak", mechanisms.load("leak"), np.arange(table.n), leak),
        Placement("diary", mechanism, np.array(at), values),
    )
    return Cell("diary", table, placements, {"exc": ("diary",)}, {}, 37.0, -70.0)


def events_of(*rows: tuple[int, float, int], at: int = 0, lanes: tuple[int, ...] | None = None) -> Events:
    """Rows of step, weight and connection."""
    columns = np.array(rows, float).reshape(-1, 3).T
    return Events.from_arrays(
        n_lanes=1 if lanes is None else max(lanes) + 1,
        n_steps=N_STEPS,
        dt_ms=DT,
        port_names=("exc",),
        step=columns[0].astype(int),
        lane=np.zeros(len(rows), int) if lanes is None else np.array(lanes),
        compartment=np.full(len(rows), at),
        port=np.zeros(len(rows), int),
        weight=columns[1],
        connection=columns[2].astype(int),
    )


def in_jax(cell: Cell, events: Events) -> dict[str, np.ndarray]:
    wanted = [("diary", name) for name in RECORDED if name in cell.placement("diary").mechanism.states]
    engine = JaxEngine(cell, dt_ms=DT, dtype=np.float64, derivative="forward_difference")
    run = engine.run(events, variables=wanted)
    return {name: run.variables["diary", name][:, :, 0] for _, name in wanted} | {"v": run.v_mV[:, :, 0]}


def both(cell: Cell, events: Events) -> dict[str, np.ndarray]:
    """What JAX has, after seeing that NEURON has the same."""
    mine = in_jax(cell, events)
    wanted = [("diary", name) for name in mine if name != "v"]
    (result,) = run_in_processes([NeuronJob(cell, events, variables=wanted)])
    assert result.status == "done", result.message
    for _, name in wanted:
        np.testing.assert_allclose(mine[name], result.run.variables["diary", name], rtol=1e-13, err_msg=name)
    assert np.max(np.abs(mine["v"][:, 0] - result.run.v_mV[:, 0])) < 1e-9
    return mine


def digits(trace: np.ndarray) -> str:
    return f"{trace[-1, 0]:.0f}"


def seen_from(trace: np.ndarray) -> int:
    """The first sample that differs from the start."""
    return int(np.flatnonzero(np.any(trace != trace[0], axis=1))[0])


@pytest.mark.neuron
class TestOrder:
    def test_by_time_and_not_by_sending(self, tmp_path: Path) -> None:
        receive = f"if (flag == 0) {{ net_send(0.9, 3) net_send(0.3, 1) net_send(0.6, 2) }} {NOTE}"
        found = both(cell_of(diary(tmp_path, receive)), events_of((10, 0.5, 0)))
        assert digits(found["flags"]) == "1234"
        assert found["times"][-1, 0] == pytest.approx(4 * 0.25 + 1.8, abs=1e-12)

    def test_several_within_one_step(self, tmp_path: Path) -> None:
        receive = f"if (flag == 0) {{ net_send(0.108, 3) net_send(0.101, 1) net_send(0.104, 2) }} {NOTE}"
        found = both(cell_of(diary(tmp_path, receive)), events_of((10, 0.5, 0)))
        assert digits(found["flags"]) == "1234"

    def test_one_that_is_sent_within_the_step_by_another(self, tmp_path: Path) -> None:
        receive = f"if (flag < 5) {{ net_send(0.003, flag + 1) }} {NOTE}"
        found = both(cell_of(diary(tmp_path, receive)), events_of((10, 0.5, 0)))
        assert digits(found["flags"]) == "123456"
        # five times 0.003 ms, over the half of the step at which NEURON computes currents
        assert len(set(found["flags"][:, 0])) == 3

    def test_from_outside_before_their_own_at_one_time(self, tmp_path: Path) -> None:
        receive = f"if (flag == 0) {{ net_send(0.25, 1) }} {NOTE}"
        found = both(cell_of(diary(tmp_path, receive)), events_of((10, 0.5, 0), (20, 0.5, 0), (30, 0.5, 0)))
        assert digits(found["flags"]) == "112122"

    @pytest.mark.parametrize("delay", [0.0, 0.001, 0.0124, 0.0125, 0.0126, 0.025, 0.1, 0.3125, 1.7])
    def test_takes_effect_in_neurons_step_at_its_exact_time(self, tmp_path: Path, delay: float) -> None:
        receive = f"if (flag == 0) {{ net_send({delay}, 1) }} else {{ {NOTE} }}"
        found = both(cell_of(diary(tmp_path, receive)), events_of((10, 0.5, 0)))
        assert digits(found["flags"]) == "2"
        assert found["now"][-1, 0] == pytest.approx(0.25 + delay, abs=1e-12)

    def test_over_many_steps_the_clock_stays_neurons(self, tmp_path: Path) -> None:
        """A self-event on the step grid, sent again and again: the sums of times round as NEURON's do."""
        receive = f"{NOTE} net_send(0.1, 1)"
        found = both(
            cell_of(diary(tmp_path, receive.replace("10*flags + flag + 1", "flags + 1"))),
            events_of((3, 0.5, 0)),
        )
        assert found["flags"][-1, 0] == pytest.approx((N_STEPS - 3) * DT / 0.1, abs=1.0)


@pytest.mark.neuron
class TestSending:
    def test_initial(self, tmp_path: Path) -> None:
        cell = cell_of(diary(tmp_path, OWN_NOTE, "net_send(2, 4) net_send(1, 2)"))
        found = both(cell, events_of())
        assert digits(found["flags"]) == "35"
        assert seen_from(found["flags"]) == round(1.0 / DT) + 1

    def test_initial_only_if_it_says_so(self, tmp_path: Path) -> None:
        cell = cell_of(
            diary(tmp_path, OWN_NOTE, "if (v > 0) { net_send(1, 2) } if (v < 0) { net_send(3, 1) }")
        )
        assert digits(both(cell, events_of())["flags"]) == "2"

    def test_others_belong_to_the_connection_that_brought_the_event(self, tmp_path: Path) -> None:
        receive = f"if (flag == 0) {{ net_send(1, 1) }} else {{ {NOTE} }}"
        found = both(cell_of(diary(tmp_path, receive)), events_of((10, 0.25, 0), (20, 0.5, 1), (30, 2.0, 2)))
        steps = np.unique(found["weights"][:, 0])
        assert steps.tolist() == [0.0, 0.25, 0.75, 2.75]

    def test_each_synapse_and_lane_has_its_own(self, tmp_path: Path) -> None:
        receive = f"if (flag == 0) {{ net_send(1, 1) }} else {{ {NOTE} }}"
        cell = cell_of(diary(tmp_path, receive), at=(0, 0, 2))
        events = events_of((10, 0.25, 0), (20, 0.5, 1), (30, 2.0, 0), lanes=(0, 0, 1))
        engine = JaxEngine(cell, dt_ms=DT, dtype=np.float64)
        weights = engine.run(events, variables=[("diary", "weights")]).variables["diary", "weights"]
        assert weights[-1].T.tolist() == [[0.25, 0.5, 0.0], [2.0, 0.0, 0.0]]

    def test_many_but_not_too_many_at_once(self, tmp_path: Path) -> None:
        sends = " ".join(f"net_send({1 + 0.1 * k}, 1)" for k in range(QUEUE))
        found = both(
            cell_of(diary(tmp_path, f"if (flag == 0) {{ {sends} }} else {{ {NOTE} }}")),
            events_of((10, 0.5, 0)),
        )
        assert digits(found["flags"]) == "2" * QUEUE


@pytest.mark.neuron
class TestMoving:
    RECEIVE = f"if (flag == 0) {{ net_move(t + 3) }} else {{ {OWN_NOTE} }}"

    def test_each_event_puts_it_off(self, tmp_path: Path) -> None:
        cell = cell_of(diary(tmp_path, self.RECEIVE, "net_send(5, 1)"))
        found = both(cell, events_of((100, 0.5, 0), (180, 0.5, 0)))
        assert digits(found["flags"]) == "2"
        assert found["now"][-1, 0] == pytest.approx(4.5 + 3.0, abs=1e-12)

    def test_it_may_come_earlier(self, tmp_path: Path) -> None:
        cell = cell_of(diary(tmp_path, self.RECEIVE.replace("t + 3", "t + 0.5"), "net_send(5, 1)"))
        found = both(cell, events_of((100, 0.5, 0)))
        assert found["now"][-1, 0] == pytest.approx(3.0, abs=1e-12)


class TestOverflow:
    def test_is_not_a_number_and_never_silently_wrong(self, tmp_path: Path) -> None:
        sends = " ".join(f"net_send({1 + 0.1 * k}, 1)" for k in range(QUEUE + 1))
        found = in_jax(
            cell_of(diary(tmp_path, f"if (flag == 0) {{ {sends} }} else {{ {NOTE} }}")),
            events_of((10, 0.5, 0)),
        )
        assert np.isfinite(found["v"][:11]).all()
        assert np.isnan(found["v"][-1, 0])

    def test_of_what_initial_sends(self, tmp_path: Path) -> None:
        sends = " ".join(f"net_send({1 + 0.1 * k}, 1)" for k in range(QUEUE + 1))
        assert np.isnan(in_jax(cell_of(diary(tmp_path, NOTE, sends)), events_of())["v"][-1, 0])

    def test_by_events_that_come_too_fast(self, tmp_path: Path) -> None:
        """One of each event stays under way for 5 ms."""
        receive = f"if (flag == 0) {{ net_send(5, 1) }} else {{ {NOTE} }}"
        cell = cell_of(diary(tmp_path, receive))
        for n, fits in ((QUEUE, True), (QUEUE + 1, False)):
            found = in_jax(cell, events_of(*((10 + 2 * k, 0.5, 0) for k in range(n))))
            assert np.isfinite(found["v"]).all() == fits


@pytest.mark.neuron
class TestConnections:
    INITIAL = "INITIAL { trace = 2*w  first = 1 }"
    RECEIVE = f"{INITIAL} other = other + trace  trace = trace + w  {NOTE}"

    def test_each_begins_with_its_own_initial(self, tmp_path: Path) -> None:
        cell = cell_of(diary(tmp_path, self.RECEIVE, arguments="w, trace, first"))
        found = both(cell, events_of((10, 0.25, 0), (20, 1.0, 1), (30, 0.25, 0)))
        assert found["other"][-1, 0] == 2 * 0.25 + 2 * 1.0 + (2 * 0.25 + 0.25)

    def test_without_initial_they_begin_at_zero(self, tmp_path: Path) -> None:
        receive = self.RECEIVE.replace(self.INITIAL, "")
        cell = cell_of(diary(tmp_path, receive, arguments="w, trace, first"))
        found = both(cell, events_of((10, 0.25, 0), (20, 1.0, 1), (30, 0.25, 0)))
        assert found["other"][-1, 0] == 0.25

    def test_initial_sees_the_voltage(self, tmp_path: Path) -> None:
        receive = self.RECEIVE.replace("trace = 2*w", "if (v < -60) { trace = 7*w }")
        cell = cell_of(diary(tmp_path, receive, arguments="w, trace, first"))
        found = both(cell, events_of((10, 0.5, 0)))
        assert found["other"][-1, 0] == 3.5

    def test_several_events_of_a_connection_in_one_step(self, tmp_path: Path) -> None:
        cell = cell_of(diary(tmp_path, self.RECEIVE, arguments="w, trace, first"))
        found = both(cell, events_of((10, 0.25, 0), (10, 0.25, 0), (10, 0.25, 0)))
        assert found["other"][-1, 0] == 0.25 * (2 + 3 + 4)
        assert found["weights"][-1, 0] == 0.75

    def test_where_no_event_arrives_nothing_happens(self, tmp_path: Path) -> None:
        cell = cell_of(diary(tmp_path, self.RECEIVE, arguments="w, trace, first"))
        found = both(cell, events_of((10, 0.25, 0), at=3))
        assert not found["flags"].any()
