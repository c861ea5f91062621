"""Posterior predictive checks on recordings that the model did, and did not, make."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ketune.errors import InputError
from ketune.inference import check_predictive, tail_probability
from ketune.tuning import Recording, summarise_recording

THETA = np.r_[np.arange(0.0, 180.0, 20.0), np.nan]


def means(preferred: float, peak: float = 20.0, blank: float = 1.0) -> np.ndarray:
    off = (THETA - preferred + 90) % 180 - 90
    return np.where(np.isnan(THETA), blank, 2 + peak * np.exp(-0.5 * (off / 20) ** 2))


def counts(
    rng: np.random.Generator, mean: np.ndarray, trials: int = 25, draws: int | None = None
) -> np.ndarray:
    size = (len(mean), trials) if draws is None else (draws, len(mean), trials)
    return rng.poisson(mean[:, None], size)


def test_a_recording_of_the_model_itself_does_not_surprise():
    rng = np.random.default_rng(0)
    law = {"control": means(170), "ketamine": means(5, 12)}
    check = check_predictive(
        {c: counts(rng, m, draws=400) for c, m in law.items()},
        {c: list(counts(rng, m)) for c, m in law.items()},
        THETA,
        window_s=2.0,
    )
    assert [c.name for c in check.curves] == ["mean", "fano"] * 2
    shift = next(i for i in check.indices if i.name == "shift_deg")
    assert shift.condition == "ketamine"
    assert np.mean(shift.predicted) == pytest.approx(15, abs=0.5)  # across 180 degrees, not -165
    spontaneous = next(i for i in check.indices if i.name == "spontaneous_rate_hz")
    assert np.mean(spontaneous.predicted) == pytest.approx(0.5, abs=0.02)
    assert spontaneous.band(0.9)[0] <= spontaneous.recorded <= spontaneous.band(0.9)[1]
    assert int(check.words.split()[0]) <= 8
    low, high = check.curves[0].band(0.9)
    exact = stats.poisson(25 * means(170)).interval(0.9)
    assert 25 * low == pytest.approx(exact[0], rel=0.15, abs=3)
    assert 25 * high == pytest.approx(exact[1], rel=0.15, abs=3)


def test_a_recording_of_another_neuron_does():
    rng = np.random.default_rng(1)
    replicated = {"control": counts(rng, means(60), draws=300)}
    moved = check_predictive(replicated, {"control": counts(rng, means(90))}, THETA, window_s=1.0)
    p = {i.name: i.p_value for i in moved.indices}
    assert p["preferred_deg"] == 2 / 301
    assert moved.curves[0].p_value[3] == 2 / 301
    irregular = rng.poisson(means(60)[:, None] * rng.gamma(1.0, 1.0, (10, 25)))
    fano = check_predictive(replicated, {"control": irregular}, THETA, window_s=1.0).curves[1]
    assert np.sum(fano.p_value < 0.05) >= 7


def test_statistics_are_those_of_the_tuning_analysis_with_trials_missing():
    rng = np.random.default_rng(2)
    ragged = [row[: 8 + i] for i, row in enumerate(counts(rng, means(40)))]
    check = check_predictive(
        {"control": counts(rng, means(40), draws=100)}, {"control": ragged}, THETA, window_s=0.5
    )
    recording = Recording(
        "cell",
        0.5,
        np.repeat(THETA, [len(r) for r in ragged]),
        np.concatenate(ragged),
        np.concatenate([np.arange(len(r)) for r in ragged]),
        np.full(sum(map(len, ragged)), "control"),
    )
    summary = summarise_recording(recording)
    found = {i.name: i.recorded for i in check.indices}
    assert check.curves[0].recorded[:-1] == pytest.approx(summary.mean)
    assert check.curves[1].recorded[:-1] == pytest.approx(summary.fano)
    assert found["gosi"] == pytest.approx(summary.gosi)
    assert found["osi_fit"] == pytest.approx(summary.osi_fit, abs=0.005)
    assert found["preferred_deg"] == pytest.approx(summary.preferred_deg, abs=0.1)
    assert found["spontaneous_rate_hz"] == summary.spontaneous_rate_hz


def test_replicates_use_as_many_trials_as_were_recorded():
    replicated = np.zeros((50, 10, 6), int)
    replicated[:, :, :3] = np.arange(3) + 1
    replicated[:, :, 3:] = 1000
    check = check_predictive({"a": replicated}, {"a": [[1, 2, 3]] * 10}, THETA, window_s=1.0)
    assert np.all(check.curves[0].predicted == 2)
    assert np.all(check.curves[0].p_value == 1)


def test_silence_and_single_trials_leave_gaps_and_no_crash():
    silent = check_predictive(
        {"a": np.zeros((20, 10, 5), int)}, {"a": np.zeros((10, 5), int)}, THETA, window_s=1.0
    )
    values = {i.name: i for i in silent.indices}
    assert np.all(silent.curves[0].p_value == 1)
    assert np.isnan(silent.curves[1].p_value).all()
    assert np.isnan(silent.curves[1].band(0.9)).all()
    for name in ("osi_fit", "gosi", "preferred_deg"):
        assert np.isnan(values[name].p_value)
        assert values[name].n_undefined == 20
        assert np.isnan(values[name].band(0.5)).all()
    single = check_predictive(
        {"a": np.ones((20, 10, 1), int)}, {"a": np.ones((10, 1), int)}, THETA, window_s=1.0
    )
    assert np.isnan(single.curves[1].recorded).all()
    three = check_predictive(
        {"a": np.ones((20, 3, 2), int)}, {"a": np.ones((3, 2), int)}, [0.0, 60.0, 120.0], window_s=1.0
    )
    assert {i.name: np.isnan(i.recorded) for i in three.indices} == {
        "osi_fit": True,
        "gosi": False,
        "preferred_deg": True,
    }


@given(st.integers(0, 10_000), st.floats(0.05, 3.0), st.integers(1, 60))
def test_tail_probabilities_are_two_sided_symmetric_and_never_zero(seed: int, rate: float, n: int):
    rng = np.random.default_rng(seed)
    x, value = rng.poisson(rate, n).astype(float), float(rng.poisson(rate))
    p = tail_probability(x, value)
    assert 2 / (n + 1) <= p <= 1
    assert tail_probability(-x, -value) == p
    assert p == min(1.0, 2 * min(np.sum(x <= value) + 1, np.sum(x >= value) + 1) / (n + 1))


@pytest.mark.parametrize("rate", [0.1, 0.7, 3.0, 100.0])
@pytest.mark.parametrize("n", [19, 99])
def test_a_true_model_is_rejected_at_most_as_often_as_said(rate: float, n: int):
    rng = np.random.default_rng(3)
    p = np.array([tail_probability(rng.poisson(rate, n), float(rng.poisson(rate))) for _ in range(4000)])
    for alpha in (0.02, 0.1, 0.3):
        assert np.mean(p <= alpha) <= alpha + 3 * np.sqrt(alpha / 4000)
    if rate == 100.0:
        assert np.mean(p <= 0.1) > 0.05  # conservative, not blind


def test_nan_is_left_out():
    assert tail_probability([1.0, np.nan, 3.0], 2.0) == 1.0
    assert np.isnan(tail_probability([np.nan], 2.0))
    assert np.isnan(tail_probability([1.0], np.nan))


@pytest.mark.parametrize(
    ("replicated", "recorded", "message"),
    [
        ({"a": np.zeros((5, 10, 3))}, {"b": np.zeros((10, 3))}, "same conditions"),
        ({"a": np.zeros((5, 10, 3)), "b": np.zeros((4, 10, 3))}, {"a": [], "b": []}, "one number of draws"),
        ({"a": np.zeros((5, 9, 3))}, {"a": np.zeros((10, 3))}, r"'a' has replicates of shape \(5, 9, 3\)"),
        ({"a": np.zeros((5, 10, 2))}, {"a": np.zeros((10, 3))}, "3, 3"),
        ({"a": np.zeros((5, 10, 2))}, {"a": [[]] * 10}, "0, 0"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(replicated, recorded, message: str):
    with pytest.raises(InputError, match=message):
        check_predictive(replicated, recorded, THETA, window_s=1.0)
