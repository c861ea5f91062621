"""The recording object: what it holds, refuses and derives."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ketune.errors import InputError
from ketune.tuning import Recording, fano_by_orientation, shipped_recording


def recording(orientation_deg, spikes, condition=None, **changes) -> Recording:
    n = len(spikes)
    values = {
        "name": "unit",
        "window_s": 1.0,
        "orientation_deg": np.array(orientation_deg, dtype=float),
        "spikes": np.array(spikes),
        "trial": np.arange(n),
        "condition": np.array(condition if condition is not None else ["control"] * n),
    }
    return Recording(**(values | changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"spikes": np.array([1, -2])}, "negative spike count"),
        ({"spikes": np.array([1.5, 2.0])}, "whole numbers"),
        ({"trial": np.array([0])}, r"trial has shape \(1,\), spikes has 2 rows"),
        ({"window_s": 0.0}, "positive number of seconds"),
        ({"window_s": float("nan")}, "positive number of seconds"),
        ({"orientation_deg": np.array([0.0, 360.0])}, r"outside \[0, 360\)"),
        ({"orientation_deg": np.array([0.0, -1.0])}, r"outside \[0, 360\)"),
    ],
)
def test_nonsense_is_refused(changes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(recording([0, 90], [1, 2]), **changes)


def test_the_arrays_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        shipped_recording("macaque_v2").spikes[0] = 0


def test_condition_defaults_to_the_only_one_or_control() -> None:
    both = recording([0, 0, 90, 90], [1, 2, 3, 4], ["ketamine", "control"] * 2)
    np.testing.assert_array_equal(both.mean(), [2, 4])
    np.testing.assert_array_equal(both.mean("ketamine"), [1, 3])
    np.testing.assert_array_equal(recording([0, 90], [1, 2], ["saline"] * 2).mean(), [1, 2])
    with pytest.raises(InputError, match="no condition 'control'; it has saline, ketamine"):
        recording([0, 90], [1, 2], ["saline", "ketamine"]).mean()
    with pytest.raises(InputError, match="no blank trials in condition 'control'"):
        both.counts(None)
    with pytest.raises(InputError, match=r"no trials at 45 deg in condition 'ketamine'"):
        both.counts(45, "ketamine")


def test_moments_match_numpy_on_real_counts() -> None:
    unit = shipped_recording("macaque_v2")
    moments = unit.moments()
    for k, orientation in enumerate(unit.orientations()):
        counts = unit.spikes[unit.orientation_deg == orientation]
        assert moments.mean[k] == pytest.approx(np.mean(counts))
        assert moments.variance[k] == pytest.approx(np.var(counts, ddof=1))
        assert unit.fano()[k] == pytest.approx(np.var(counts, ddof=1) / np.mean(counts))
    assert moments.blank_mean is None


def test_fano_is_unknown_without_spikes_or_repeats() -> None:
    unit = recording([0, 0, 45, 90, 90], [0, 0, 4, 2, 4])
    np.testing.assert_array_equal(np.isnan(unit.fano()), [True, True, False])


def test_one_condition_may_have_blanks_and_another_none() -> None:
    unit = recording([0, 45, 0, 45, np.nan], [1, 2, 3, 4, 0], ["control"] * 2 + ["drug"] * 3)
    assert unit.has_blank
    assert not unit.has_blank_in("control")
    assert unit.has_blank_in("drug")
    (plain,) = unit.counts_by_direction(None, "drug")
    np.testing.assert_array_equal(plain, [0])


def test_directions_must_be_folded_first_and_do_not_inflate_variability() -> None:
    generator = np.random.default_rng(0)
    directions = np.repeat(np.arange(0, 360, 45), 200)
    mean = np.where(directions == 90, 40.0, 5.0)
    unit = recording(directions, generator.poisson(mean))
    with pytest.raises(InputError, match=r"holds drift directions up to 315 deg.*call fold\(\) first"):
        unit.mean()
    folded = unit.fold()
    assert folded.fold() is folded
    np.testing.assert_array_equal(folded.orientations(), [0, 45, 90, 135])
    assert folded.counts(90).size == 400
    # Poisson in each direction; pooled blindly, 40 and 5 spikes would give a Fano factor above 10.
    assert folded.fano() == pytest.approx(np.ones(4), abs=0.3)
    assert [f.value for f in fano_by_orientation(folded)] == pytest.approx(folded.fano())
    blind = np.var(folded.counts(90), ddof=1) / np.mean(folded.counts(90))
    assert blind > 10
    there, back = folded.counts_by_direction(90)
    np.testing.assert_array_equal(there, unit.spikes[directions == 90])
    np.testing.assert_array_equal(back, unit.spikes[directions == 270])
    assert (
        len({(o, t) for o, t in zip(folded.orientation_deg, folded.trial, strict=True)}) == folded.spikes.size
    )
    tested, means = folded.direction_means()
    np.testing.assert_array_equal(tested, np.arange(0, 360, 45))
    assert means[2] == pytest.approx(unit.spikes[directions == 90].mean())


@settings(deadline=None)
@given(
    sizes=st.lists(st.integers(2, 9), min_size=2, max_size=6),
    blanks=st.integers(0, 5).filter(lambda n: n != 1),
    seed=st.integers(0, 1000),
)
def test_halves_divide_every_orientation(sizes: list[int], blanks: int, seed: int) -> None:
    degrees = [22.5 * k for k, n in enumerate(sizes) for _ in range(n)] + [float("nan")] * blanks
    unit = recording(degrees, range(len(degrees)))  # every count is different, so counts identify trials
    first, second = unit.split_half(seed)
    assert sorted([*first.spikes.tolist(), *second.spikes.tolist()]) == list(range(len(degrees)))
    for k, n in enumerate(sizes):
        assert first.counts(22.5 * k).size == (n + 1) // 2
        assert second.counts(22.5 * k).size == n // 2
    if blanks:
        assert first.counts(None).size == (blanks + 1) // 2
    again, _ = unit.split_half(seed)
    np.testing.assert_array_equal(again.spikes, first.spikes)
    assert first.sha256 != second.sha256


def test_halves_need_two_trials() -> None:
    with pytest.raises(InputError, match=r"one trial at 45 deg in condition 'control'"):
        recording([0, 0, 45], [1, 2, 3]).split_half(0)
