"""Choosing time steps by their measured error."""

import numpy as np
import pytest

from ketune.afferents import Drive, Grating, hard_events
from ketune.cell import Cell
from ketune.engines.jax_engine import JaxEngine
from ketune.errors import InputError
from ketune.fitting import drive_at, measure_steps, synapse_overrides
from ketune.fitting._step_size import CANDIDATES_MS, StepError, choose, on_grid

BUSY = {
    "peak_rate_hz": 12.0, "background_rate_hz": 1.0, "preferred_basal_deg": 90.0, "preferred_apical_deg": 90.0,
    "spread_basal_deg": 20.0, "spread_apical_deg": 20.0, "ampa_nS": 0.8, "nmda_nS": 0.8, "pv_nS": 1.0, "sst_nS": 1.0,
    "gain_sd": 0.2,
}  # fmt: skip


def table(*rows):
    return [StepError(*row) for row in rows]


def test_the_largest_step_within_the_bound_is_taken():
    made = choose(table((0.2, -0.05, 1e-3), (0.1, -0.008, 1e-4), (0.05, -0.004, 1e-4)), 0.01)
    assert (made.dt_ms, made.within) == (0.1, True)
    assert [e.dt_ms for e in made.errors] == [0.2, 0.1, 0.05]


def test_noise_does_not_pass_a_step():
    """An error within the bound that two standard errors would carry over it."""
    made = choose(table((0.1, 0.006, 0.003), (0.05, 0.004, 0.001)), 0.01)
    assert made.dt_ms == 0.05
    assert StepError(0.1, 0.006, 0.003).undecided(0.01)
    assert not StepError(0.1, 0.03, 0.003).undecided(0.01)


def test_an_error_that_is_small_by_a_change_of_sign_is_no_reason():
    made = choose(table((0.2, 0.001, 1e-4), (0.1, 0.02, 1e-4), (0.05, 0.005, 1e-4)), 0.01)
    assert made.dt_ms == 0.05


def test_where_no_step_will_do_the_smallest_is_taken_and_said_so():
    made = choose(table((0.1, 0.2, 0.0), (0.05, 0.1, 0.0)), 0.01)
    assert (made.dt_ms, made.within) == (0.05, False)


def test_events_keep_their_times_on_a_finer_grid(tiny_layout):
    grating = Grating((90.0,), window_ms=80.0, warm_up_ms=20.0)
    coarse = hard_events(tiny_layout, grating, Drive(), trials=range(2), seed=1, dt_ms=0.2)
    fine = on_grid(coarse, 0.025)
    assert (fine.n_steps, fine.dt_ms) == (8 * coarse.n_steps, 0.025)
    np.testing.assert_allclose(fine.step * fine.dt_ms, coarse.step * coarse.dt_ms, atol=1e-9)
    assert len(fine.step) > 50


@pytest.mark.slow
def test_steps_of_a_small_cell(tiny_cell, tiny_layout):
    """Errors fall with the step, and the one measured for a step is that of runs made here."""
    found = measure_steps(
        tiny_cell,
        tiny_layout,
        Drive(),
        BUSY,
        orientation_deg=(90.0, 60.0),
        seed=4,
        bound=0.02,
        window_ms=300.0,
        trials=8,
    )
    assert found.mean_count > 2.0
    assert found.reference_scheme == "second_order"
    for choice in (found.spiking, found.silent):
        assert [e.dt_ms for e in choice.errors] == list(CANDIDATES_MS)
        assert abs(choice.errors[0].error) > abs(choice.errors[-1].error)
    silent = [abs(e.error) for e in found.silent.errors]
    assert silent == sorted(silent, reverse=True)
    # no spikes, no amplification
    assert silent[0] < 0.01
    assert found.silent.within
    grating = Grating((90.0, 60.0), window_ms=300.0, warm_up_ms=100.0)
    n_trials = found.n_lanes // 2
    assert n_trials % 8 == 0
    means = []
    for dt, scheme in ((0.1, "backward_euler"), (found.reference_ms, "second_order")):
        total = 0
        for batch in range(n_trials // 8):
            events = hard_events(
                tiny_layout,
                grating,
                drive_at(BUSY, Drive()),
                trials=range(8 * batch, 8 * batch + 8),
                seed=4,
                dt_ms=CANDIDATES_MS[0],
            )
            engine = JaxEngine(tiny_cell, dt_ms=dt, scheme=scheme)
            run = engine.run(on_grid(events, dt), overrides=synapse_overrides(BUSY), keep_voltage=False)
            total += run.counts(from_ms=100.0).sum()
        means.append(total / found.n_lanes)
    measured = next(e for e in found.spiking.errors if e.dt_ms == 0.1)
    # the native engine rounds otherwise, which may move single spikes
    assert means[0] / means[1] - 1.0 == pytest.approx(measured.error, abs=max(measured.standard_error, 2e-3))


def test_a_cell_that_never_fires_is_refused(tiny_cell: Cell, tiny_layout):
    nothing = {**BUSY, "peak_rate_hz": 0.05, "background_rate_hz": 0.02, "ampa_nS": 0.05, "nmda_nS": 0.05}
    with pytest.raises(InputError, match="fires no spike"):
        measure_steps(
            tiny_cell,
            tiny_layout,
            Drive(),
            nothing,
            orientation_deg=(90.0,),
            seed=4,
            trials=2,
            window_ms=20.0,
        )
