"""Marked event streams: what is drawn once stays, what is raised only adds, and rates are those asked for."""

from collections import Counter
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from ketune.afferents import STREAMS, Drive, Grating, candidates, contrast_factor, hard_events, place_synapses
from ketune.afferents._streams import MAX_PER_STEP, PORTS, _limit_per_step
from ketune.cell import Placement
from ketune.cell_model import build_cell
from ketune.errors import InputError
from ketune.fitting._silent import SilentTwin
from ketune.mechanisms import load
from ketune.morphology import SMALL_MORPHOLOGY, read_morphology

DT = 0.1
GRATING = Grating((0.0, 45.0, 90.0, np.nan), 300.0, warm_up_ms=50.0)
DRIVE = Drive(peak_rate_hz=4.0, spread_basal_deg=25.0, preferred_apical_deg=60.0)


@cache
def layout(seed=1):
    return place_synapses(build_cell(morphology=read_morphology(SMALL_MORPHOLOGY)), seed=seed)


def rows_of(events, lane):
    """The events of a lane as a multiset. Weights are one."""
    here = events.lane == lane
    return Counter(
        zip(
            events.step[here].tolist(),
            events.compartment[here].tolist(),
            events.port[here].tolist(),
            strict=True,
        )
    )


def draw(drive=DRIVE, trials=range(2), grating=GRATING, seed=7, **options):
    return hard_events(layout(), grating, drive, trials=trials, seed=seed, dt_ms=DT, **options)


def is_uncrowded(events):
    """Whether no step reached its limit, so that no event was moved."""
    key = (events.step.astype(np.int64) * events.n_lanes + events.lane) * len(PORTS) + events.port
    places, most = np.unique(key, return_counts=True)
    return np.all(most < np.array([MAX_PER_STEP[p] for p in PORTS])[places % len(PORTS)])


def test_a_trials_events_depend_on_seed_and_number_alone():
    together, backwards, alone = draw(trials=range(4)), draw(trials=[3, 1]), draw(trials=[1])
    n = len(GRATING.orientation_deg)
    for k in range(n):
        expected = rows_of(together, 4 * k + 1)
        assert expected == rows_of(backwards, 2 * k + 1) == rows_of(alone, k)
        assert rows_of(together, 4 * k + 3) == rows_of(backwards, 2 * k)
        assert expected != rows_of(together, 4 * k + 2)
    assert rows_of(draw(seed=8), 0) != rows_of(draw(), 0)


def test_orientations_do_not_change_each_other():
    only = draw(grating=replace(GRATING, orientation_deg=(90.0,)))
    for trial in range(2):
        assert rows_of(only, trial) == rows_of(draw(), 2 * 2 + trial)


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(
        ["peak_rate_hz", "background_rate_hz", "pv_rate_hz", "pv_evoked_hz", "sst_rate_hz", "sst_drive"]
    ),
    st.floats(1.01, 3.0),
    st.integers(0, 2**31),
)
def test_raising_a_rate_only_adds_events(field, factor, seed):
    # A step so fine that events hardly ever meet in it: a moved event would look like another one.
    sparse = Drive(
        peak_rate_hz=0.5,
        background_rate_hz=0.1,
        pv_rate_hz=0.5,
        pv_evoked_hz=0.5,
        sst_rate_hz=0.3,
        sst_evoked_hz=0.2,
    )
    raised = replace(sparse, **{field: factor * getattr(sparse, field)})
    low, high = (
        hard_events(layout(), GRATING, drive, trials=range(2), seed=seed, dt_ms=0.001)
        for drive in (sparse, raised)
    )
    assume(is_uncrowded(low) and is_uncrowded(high))
    for lane in range(low.n_lanes):
        assert not rows_of(low, lane) - rows_of(high, lane)
    assert len(high.step) >= len(low.step)


def test_full_contrast_changes_nothing():
    for grating in (GRATING, replace(GRATING, modulation=0.7)):
        plain, full = draw(grating=grating), draw(grating=replace(grating, contrast=(1.0, 1.0, 1.0, 0.2)))
        for lane in range(plain.n_lanes):
            assert rows_of(plain, lane) == rows_of(full, lane)


def test_a_contrast_is_the_same_as_rates_times_its_factor():
    contrasts = (0.1, 0.3, 1.0, 1.0)
    dim = draw(grating=replace(GRATING, contrast=contrasts))
    for k, contrast in enumerate(contrasts):
        factor = contrast_factor(DRIVE, contrast)
        weaker = {n: factor * getattr(DRIVE, n) for n in ("peak_rate_hz", "pv_evoked_hz", "sst_evoked_hz")}
        scaled = draw(drive=replace(DRIVE, **weaker))
        for lane in (2 * k, 2 * k + 1):
            assert rows_of(dim, lane) == rows_of(scaled, lane)
    assert rows_of(dim, 0) != rows_of(draw(), 0)


def test_no_contrast_is_a_blank():
    dark = draw(grating=replace(GRATING, contrast=0.0))
    for trial in range(2):
        assert rows_of(dark, trial) == rows_of(dark, 2 * 3 + trial)


def test_raising_a_rate_does_add_events():
    for field in ("peak_rate_hz", "background_rate_hz", "pv_rate_hz", "sst_evoked_hz"):
        assert len(draw(replace(DRIVE, **{field: 2 * getattr(DRIVE, field)})).step) > len(draw().step)


def expected_counts(drive, grating, stream):
    """Expected events of one trial with gain 1, by orientation, from the synapses' rates."""
    seconds = np.array([grating.warm_up_ms, grating.window_ms]) * 1e-3
    if stream == "driven":
        synapses = layout()
        result = []
        for orientation in grating.orientation_deg:
            if np.isnan(orientation):
                result.append(0.0)
                continue
            basal = synapses.tree == 0
            preferred = np.where(
                basal,
                drive.preferred_basal_deg + drive.spread_basal_deg * synapses.deviate,
                drive.preferred_apical_deg + drive.spread_apical_deg * synapses.deviate,
            )
            away = (orientation - preferred + 90) % 180 - 90
            tuning = np.exp(-0.5 * (away / drive.afferent_width_deg) ** 2)
            tuning = drive.afferent_untuned + (1 - drive.afferent_untuned) * tuning
            result.append(drive.peak_rate_hz * tuning.sum() * seconds[1])
        return np.array(result)
    n = {p: len(c) for p, c in layout().compartment.items()}
    lit = np.isfinite(grating.orientation_deg) * seconds[1]
    if stream == "background":
        return np.full(len(lit), n["exc"] * drive.background_rate_hz * seconds.sum())
    rest, evoked = getattr(drive, f"{stream}_rate_hz"), getattr(drive, f"{stream}_evoked_hz")
    return n[stream] * (rest * seconds.sum() + evoked * lit)


def counts_by_stream(found, n_lanes, weight=None):
    weight = np.ones(len(found.stream)) if weight is None else weight
    return {
        name: np.bincount(found.events.lane[found.stream == k], weight[found.stream == k], minlength=n_lanes)
        for k, name in enumerate(STREAMS)
    }


N_TRIALS = 150


@cache
def drawn(modulation=0.0, softness=0.0):
    """Many trials without shared gain, at a step fine enough that nothing is moved over the end."""
    grating = replace(GRATING, modulation=modulation)
    drive = replace(DRIVE, gain_sd=0.0)
    found = candidates(layout(), grating, drive, trials=range(N_TRIALS), seed=3, dt_ms=DT, softness=softness)
    return drive, grating, found


@pytest.mark.parametrize("modulation", [0.0, 1.0])
@pytest.mark.parametrize("stream", STREAMS)
def test_counts_are_poisson_with_the_rates_asked_for(stream, modulation):
    drive, grating, found = drawn(modulation)
    counts = counts_by_stream(found, 4 * N_TRIALS)[stream].reshape(4, N_TRIALS)
    expected = expected_counts(drive, grating, stream)
    if modulation and stream == "driven":
        # 0.3 s at 2 Hz are no whole number of cycles: the phases average out only over synapses.
        expected = expected * (1 + _drift_excess(grating))
    for mean, trials in zip(expected, counts, strict=True):
        if mean == 0:
            assert trials.sum() == 0
            continue
        # Both sides of the exact Poisson law of the sum, and the dispersion test, at one in a million.
        tail = stats.poisson.cdf(trials.sum(), mean * N_TRIALS)
        assert 1e-6 < tail < 1 - 1e-6
        dispersion = stats.chi2.cdf(np.sum((trials - mean) ** 2) / mean, N_TRIALS)
        assert 1e-6 < dispersion < 1 - 1e-6


def _drift_excess(grating):
    """Mean over the window and the driven synapses of modulation * sin, weighted by each orientation's tuning."""
    synapses, drive = layout(), replace(DRIVE, gain_sd=0.0)
    t = grating.warm_up_ms + (np.arange(600) + 0.5) / 600 * grating.window_ms
    course = (
        np.mean([grating.time_course(np.full(len(synapses.phase), x), synapses.phase) for x in t], axis=0) - 1
    )
    result = []
    for orientation in grating.orientation_deg:
        preferred = np.where(synapses.tree == 0, drive.preferred_basal_deg, drive.preferred_apical_deg)
        spread = np.where(synapses.tree == 0, drive.spread_basal_deg, drive.spread_apical_deg)
        away = (np.nan_to_num(orientation) - preferred - spread * synapses.deviate + 90) % 180 - 90
        tuned = np.exp(-0.5 * (away / drive.afferent_width_deg) ** 2)
        tuning = drive.afferent_untuned + (1 - drive.afferent_untuned) * tuned
        result.append(np.sum(tuning * course) / np.sum(tuning))
    return np.array(result)


def test_times_within_the_window_are_uniform():
    _, grating, found = drawn()
    one_orientation = found.events.lane // N_TRIALS == 2
    for stream, first_ms in {"driven": grating.warm_up_ms, "background": 0.0}.items():
        ms = found.events.step[one_orientation & (found.stream == STREAMS.index(stream))] * DT
        edges = np.linspace(first_ms, grating.duration_ms, 26) - DT / 2  # whole steps
        counts, _ = np.histogram(ms, edges)
        assert counts.sum() == len(ms) > 1000
        assert stats.chisquare(counts).pvalue > 1e-6


def test_a_blank_has_no_driven_events_and_no_evoked_inhibition():
    _, _, found = drawn()
    blank = found.events.lane >= 3 * N_TRIALS
    assert not np.any(found.stream[blank] == 0)
    assert np.all(found.time_course[blank & (found.stream >= 2)] == 0)
    assert np.isnan(found.orientation_deg[blank]).all()


def test_the_shared_gain_multiplies_all_streams_of_a_trial_together():
    drive = replace(DRIVE, gain_sd=0.8)
    found = candidates(layout(), GRATING, drive, trials=range(60), seed=3, dt_ms=DT)
    counts = counts_by_stream(found, 4 * 60)
    gain = np.array([found.gain_deviate[found.events.lane == lane][0] for lane in range(60)])
    for name in STREAMS:
        assert np.corrcoef(np.log(counts[name][120:180] + 1), gain)[0, 1] > 0.95


@pytest.mark.parametrize("softness", [0.05, 0.2])
@pytest.mark.parametrize("stream", STREAMS)
def test_soft_weights_and_their_slope_have_the_rate_as_mean(stream, softness):
    """The expectation of the sum of weights is the rate, and so is that of its derivative with the logarithm of it."""
    drive, grating, found = drawn(softness=softness)
    index = STREAMS.index(stream)
    here = (found.stream == index) & (found.events.lane < N_TRIALS * (4 if stream != "driven" else 3))
    # The reference rate of each candidate follows from its scale.
    rate = found.scale_hz[here] / softness
    weight = 1 / (1 + np.exp(-(rate - found.height_hz[here]) / found.scale_hz[here]))
    slope = weight * (1 - weight) * rate / found.scale_hz[here]
    expected = expected_counts(drive, grating, stream).sum() * N_TRIALS
    # Sigmoids cut at zero height and six widths above the rate lose less than a thousandth of the mean.
    bias = softness * np.log1p(np.exp(-6.0)) + softness * np.log1p(np.exp(-1 / softness))
    for values, allowed in ((weight, bias), (slope, 0.01)):
        error = 5 * np.sqrt(np.sum(values**2))
        assert values.sum() == pytest.approx(expected, abs=error + allowed * expected)
        assert error < 0.2 * expected


def test_soft_candidates_contain_the_hard_events():
    hard = draw(trials=range(3))
    soft = candidates(layout(), GRATING, DRIVE, trials=range(3), seed=7, dt_ms=DT, softness=0.1)
    rate = soft.scale_hz / 0.1
    kept = soft.height_hz < rate
    assert kept.sum() == len(hard.step)
    assert (
        np.bincount(soft.events.lane[kept], minlength=12).tolist()
        == np.bincount(hard.lane, minlength=12).tolist()
    )


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 80), st.integers(1, 12), st.integers(1, 3), st.integers(0, 2**31))
def test_crowding_moves_events_later_and_loses_none_but_at_the_end(n, n_steps, n_lanes, seed):
    rng = np.random.default_rng(seed)
    step, lane, port = rng.integers(n_steps, size=n), rng.integers(n_lanes, size=n), rng.integers(3, size=n)
    order = np.lexsort((port, lane, step))
    step, lane, port = step[order], lane[order], port[order]
    moved, inside = _limit_per_step(step, lane, port, n_lanes, n_steps)
    assert np.all(moved >= step)
    assert np.array_equal(inside, moved < n_steps)
    key = (moved[inside] * n_lanes + lane[inside]) * 3 + port[inside]
    most = np.bincount(np.unique(key, return_inverse=True)[1]) if key.size else np.zeros(1)
    limits = np.array([MAX_PER_STEP[p] for p in PORTS])
    assert most.max() <= limits.max()
    for lane_, port_ in np.ndindex(n_lanes, 3):
        mine = (lane == lane_) & (port == port_)
        # What a queue with this capacity per step delivers: served per step, and what is left at the end.
        waiting = 0
        for k in range(n_steps):
            waiting += np.sum(step[mine] == k)
            served = min(waiting, limits[port_])
            assert np.sum(moved[mine] == k) == served
            waiting -= served
        assert np.sum(~inside[mine]) == waiting


def test_nothing_is_moved_where_nothing_is_crowded():
    step, lane, port = np.arange(10), np.zeros(10, int), np.zeros(10, int)
    moved, inside = _limit_per_step(step, lane, port, 1, 10)
    assert np.array_equal(moved, step)
    assert inside.all()


class TestNamedConnections:
    """Where a synapse tells its connections apart, each event says which of the layout's synapses brings it."""

    @pytest.fixture
    def plastic(self, tiny_cell):
        ampa = tiny_cell.placement("ampa")
        mechanism = load("AMPA_STP")
        values = {k: np.full(len(ampa.compartments), p.value) for k, p in mechanism.parameters.items()}
        stp = Placement("stp", mechanism, ampa.compartments, values)
        return replace(
            tiny_cell,
            placements=(*tiny_cell.placements, stp),
            ports={**tiny_cell.ports, "exc": (*tiny_cell.ports["exc"], "stp")},
        )

    def test_they_are_the_synapses_of_the_layout(self, plastic):
        layout = place_synapses(plastic, seed=1, excitatory_per_um=0.5, n_pv=20, n_sst=40)
        assert plastic.tells_connections_apart
        events = hard_events(layout, GRATING, DRIVE, trials=range(2), seed=7, dt_ms=DT)
        assert events.connection.shape == events.step.shape
        for index, port in enumerate(events.port_names):
            here = events.port == index
            assert here.any()
            assert np.array_equal(layout.compartment[port][events.connection[here]], events.compartment[here])

    def test_the_events_are_the_same_with_and_without_names(self, plastic, tiny_cell):
        drawn = []
        for cell in (plastic, tiny_cell):
            layout = place_synapses(cell, seed=1, excitatory_per_um=0.5, n_pv=20, n_sst=40)
            drawn.append(hard_events(layout, GRATING, DRIVE, trials=range(2), seed=7, dt_ms=DT))
        named, unnamed = drawn
        assert unnamed.connection is None
        for name in ("step", "lane", "compartment", "port", "weight"):
            assert np.array_equal(getattr(named, name), getattr(unnamed, name))

    def test_a_fit_refuses_such_a_cell_in_one_line(self, plastic):
        with pytest.raises(
            InputError, match="cannot be fitted: gradients need synapses whose events add up"
        ) as error:
            SilentTwin(plastic, DRIVE, warm_up_ms=10.0)
        assert "\n" not in str(error.value)
        assert plastic.name in str(error.value)
