"""Single trials: each lane of a run is the trial that it is said to be."""

from dataclasses import replace

import numpy as np
import pytest

from ketune.afferents import Drive, Grating, hard_events
from ketune.surface import Trials
from ketune.surface._design import DesignPoint
from ketune.surface._trials import WARM_UP_MS, inputs_of, simulate_points

STRENGTHS = {"ampa_nS": 0.5, "nmda_nS": 0.7, "pv_nS": 1.5, "sst_nS": 2.0}
WEAK = DesignPoint(Drive(peak_rate_hz=0.5), STRENGTHS, 90.0, 0.5, 0)
STRONG = replace(WEAK, drive=Drive(peak_rate_hz=9.0), strengths_nS={**STRENGTHS, "ampa_nS": 2.0}, placement=1)
BLANK = replace(STRONG, orientation_deg=float("nan"))


class Counting:
    """A run whose spikes are the excitatory events themselves."""

    def __init__(self, events):
        self.events = events

    def counts(self, *, from_ms, to_ms):
        e = self.events
        time = e.step * e.dt_ms
        exc = np.array([e.port_names[p] == "exc" for p in e.port])
        inside = exc & (time >= from_ms) & (time < to_ms)
        return np.bincount(e.lane[inside], minlength=e.n_lanes)


@pytest.fixture
def spiking(tiny_cell, engine_of):
    engine = engine_of(tiny_cell)
    engine.asked = {}

    def run(events, *, overrides, keep_voltage, on_advance):
        engine.asked = overrides
        return Counting(events)

    engine.run = run
    return engine


def test_each_lane_is_its_trial(spiking, tiny_layout):
    layouts = [tiny_layout, replace(tiny_layout, tree=tiny_layout.tree[::-1].copy())]
    points = [WEAK, STRONG, BLANK]
    whole, part = simulate_points(
        spiking, layouts, points, window_s=0.5, shorter_s=[0.2], seed=3, first_trial=40
    )
    for i, p in enumerate(points):
        events = hard_events(
            layouts[p.placement],
            Grating((p.orientation_deg,), window_ms=500.0, warm_up_ms=WARM_UP_MS),
            p.drive,
            trials=range(40 + i, 41 + i),
            seed=3,
            dt_ms=0.1,
            gain=np.array([0.5]),
        )
        alone = Counting(events)
        assert whole.counts[i] == alone.counts(from_ms=WARM_UP_MS, to_ms=WARM_UP_MS + 500.0)[0]
        assert part.counts[i] == alone.counts(from_ms=WARM_UP_MS, to_ms=WARM_UP_MS + 200.0)[0]
    assert whole.counts[1] > 3 * whole.counts[0] > 0
    np.testing.assert_array_equal(whole.placement, [0, 1, 1])
    np.testing.assert_array_equal(whole.inputs[:, :-1], part.inputs[:, :-1])
    np.testing.assert_array_equal(part.inputs[:, -1], 0.2)


def test_strengths_reach_the_cell_in_microsiemens(spiking, tiny_layout):
    simulate_points(spiking, [tiny_layout] * 2, [WEAK, STRONG], window_s=0.2, seed=1)
    found = {synapse: values for (synapse, name), values in spiking.asked.items() if name == "gmax"}
    np.testing.assert_allclose(found["ampa"], [[0.5e-3, 2.0e-3]])
    np.testing.assert_allclose(found["nmda"], [[0.7e-3, 0.7e-3]])
    np.testing.assert_allclose(found["gaba_pv"], [[1.5e-3, 1.5e-3]])
    np.testing.assert_allclose(found["gaba_sst"], [[2.0e-3, 2.0e-3]])


def test_inputs_end_with_strengths_and_window(tiny_cell, tiny_layout):
    row = inputs_of(WEAK, tiny_layout, tiny_cell.table.region == "apical", 0.7)
    np.testing.assert_array_equal(row[5:], [0.5, 0.7, 1.5, 2.0, 0.7])


def test_kept_and_joined(tmp_path):
    rng = np.random.default_rng(0)
    parts = [Trials(rng.random((n, 10)), rng.poisson(3, n), np.arange(n)) for n in (3, 5)]
    parts[0].save(tmp_path / "part.npz")
    assert [f.name for f in tmp_path.iterdir()] == ["part.npz"]
    joined = Trials.joined([Trials.load(tmp_path / "part.npz"), parts[1]])
    assert len(joined) == 8
    for name in ("inputs", "counts", "placement"):
        np.testing.assert_array_equal(
            getattr(joined, name), np.concatenate([getattr(p, name) for p in parts])
        )
