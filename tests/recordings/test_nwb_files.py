"""NWB files written by pynwb: counts against counting here, options, and one line for everything that is wrong."""

from __future__ import annotations

import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pynwb import NWBHDF5IO, NWBFile
from pynwb.epoch import TimeIntervals

from ketune.errors import InputError
from ketune.tuning import Layout, read_recording

ORIENTATIONS = [0.0, 45.0, 90.0, 135.0]
SHOWN = np.array([*ORIENTATIONS, np.nan] * 4)
START = 10.0 + 2.0 * np.arange(SHOWN.size)
LENGTH = 1.0
SPIKES = np.sort(np.random.default_rng(4).uniform(5.0, 55.0, 400))


def new_file() -> NWBFile:
    return NWBFile("a session", "id", datetime(2024, 1, 1, tzinfo=UTC))


def add_trials(nwb: NWBFile, columns: dict[str, Any], start: Any = START, length: float = LENGTH) -> NWBFile:
    for name in columns:
        nwb.add_trial_column(name, "a column")
    for index, begin in enumerate(start):
        row = {name: values[index] for name, values in columns.items()}
        nwb.add_trial(start_time=float(begin), stop_time=float(begin) + length, **row)
    return nwb


def session(units: dict[int, Any] | None = None, **columns: Any) -> NWBFile:
    nwb = add_trials(new_file(), columns or {"orientation": SHOWN})
    for number, times in ({7: SPIKES} if units is None else units).items():
        nwb.add_unit(id=number, spike_times=np.asarray(times))
    return nwb


def write(path: Path, nwb: NWBFile) -> Path:
    with NWBHDF5IO(str(path), "w") as io:
        io.write(nwb)
    return path


def counted(times: np.ndarray, rows: np.ndarray, window: float = LENGTH) -> list[int]:
    return [int(np.sum((times >= begin) & (times < begin + window))) for begin in START[rows]]


def test_spikes_of_a_unit_are_counted_in_every_trial(tmp_path: Path) -> None:
    path = write(tmp_path / "session.nwb", session({3: SPIKES / 2, 7: SPIKES}))
    recording = read_recording(path, neuron="7")
    assert (recording.name, recording.window_s, recording.source) == ("7", 1.0, "session.nwb, trials")
    for orientation in ORIENTATIONS:
        assert recording.counts(orientation).tolist() == counted(SPIKES, orientation == SHOWN)
    assert recording.counts(None).tolist() == counted(SPIKES, np.isnan(SHOWN))
    assert recording.trial.tolist() == list(range(SHOWN.size))
    shorter = read_recording(path, neuron="7", window="250 ms")
    assert shorter.counts(45).tolist() == counted(SPIKES, SHOWN == 45, 0.25)
    with pytest.raises(InputError, match=r"holds 2 neurons \(3, 7\); choose one with --neuron"):
        read_recording(path)
    with pytest.raises(InputError, match="no neuron '4'; it has 3, 7"):
        read_recording(path, neuron="4")


# Multiples of 1/32 s, so that spikes fall on the borders of trials.
@settings(max_examples=15)
@given(ticks=st.lists(st.integers(0, 2000), max_size=80), window=st.integers(1, 64))
def test_counts_are_those_of_a_histogram(
    tmp_path_factory: pytest.TempPathFactory, ticks: list[int], window: int
) -> None:
    times = np.sort(np.array(ticks, dtype=float)) / 32
    path = write(tmp_path_factory.mktemp("nwb") / "session.nwb", session({7: times}))
    recording = read_recording(path, window=window / 32)
    below_end = np.nextafter(START + window / 32, -1)  # numpy's last bin holds its end
    expected = [np.histogram(times, bins=pair)[0][0] for pair in zip(START, below_end, strict=True)]
    assert recording.spikes.tolist() == expected


def test_counts_in_the_table_of_trials(tmp_path: Path) -> None:
    counts = np.arange(SHOWN.size)
    columns = {"direction": SHOWN, "spike_count": counts, "window_s": np.full(SHOWN.size, 0.5)}
    recording = read_recording(write(tmp_path / "one.nwb", session({}, **columns)))
    assert recording.counts(90).tolist() == counts[SHOWN == 90].tolist()
    assert (recording.name, recording.window_s) == ("one", 0.5)

    # One column for several units, beside spike times that are then not asked.
    both = np.stack([counts, 10 * counts], axis=1)
    path = write(tmp_path / "two.nwb", session({3: SPIKES, 7: SPIKES}, orientation=SHOWN, n=both))
    layout = Layout(spikes="n")
    recording = read_recording(path, neuron="7", window="1 s", layout=layout)
    assert recording.counts(90).tolist() == (10 * counts[SHOWN == 90]).tolist()
    with pytest.raises(InputError, match="no counting window; add a window_s column or pass --window"):
        read_recording(path, neuron="7", layout=layout)


def test_counts_that_are_nan_were_not_recorded(tmp_path: Path) -> None:
    counts = np.arange(SHOWN.size, dtype=float)
    counts[2] = np.nan
    recording = read_recording(
        write(tmp_path / "one.nwb", session({}, orientation=SHOWN, spikes=counts)), window="1 s"
    )
    assert recording.counts(90).tolist() == [7, 12, 17]


def test_conditions(tmp_path: Path) -> None:
    drug = ["control"] * 10 + ["ketamine"] * 10
    path = write(tmp_path / "a.nwb", session(orientation=SHOWN, condition=drug))
    recording = read_recording(path)
    assert recording.conditions() == ("control", "ketamine")
    assert recording.counts(0, "ketamine").tolist() == counted(SPIKES, (SHOWN == 0) & (np.arange(20) >= 10))
    path = write(tmp_path / "b.nwb", session(orientation=SHOWN, drug=drug))
    assert read_recording(path).conditions() == ("control",)
    named = read_recording(path, layout=Layout(condition="drug"), condition="ketamine")
    assert named.conditions() == ("ketamine",)


def test_blank_trials_by_a_column_and_other_stimuli_left_out(tmp_path: Path) -> None:
    shown = np.where(np.isnan(SHOWN), 0.0, SHOWN)  # the blank ones have an angle here that was not shown
    shown[0] = np.nan  # and the first trial is a film
    blank = np.isnan(SHOWN)
    recording = read_recording(write(tmp_path / "a.nwb", session(orientation=shown, is_blank=blank)))
    assert recording.counts(None).tolist() == counted(SPIKES, blank)
    assert recording.counts(0).size == 3


@pytest.mark.parametrize("word", ["", "null", "NaN", "None"])
def test_orientations_as_text(tmp_path: Path, word: str) -> None:
    text = [word if np.isnan(value) else str(value) for value in SHOWN]
    recording = read_recording(write(tmp_path / "a.nwb", session(orientation=text)))
    assert recording.counts(None).tolist() == counted(SPIKES, np.isnan(SHOWN))
    assert recording.counts(135).tolist() == counted(SPIKES, SHOWN == 135)


def test_directions_and_several_tables(tmp_path: Path) -> None:
    """As files of the Allen Institute: each stimulus has its own table, `trials` is about behaviour."""
    nwb = session(lick=np.zeros(SHOWN.size))
    gratings = TimeIntervals(name="drifting_gratings_presentations", description="gratings")
    gratings.add_column("orientation", "deg")
    for index, begin in enumerate(START):
        gratings.add_row(start_time=begin, stop_time=begin + 0.5, orientation=90.0 * (index % 4))
    nwb.add_time_intervals(gratings)
    path = write(tmp_path / "a.nwb", nwb)
    with pytest.raises(InputError, match=r"0 to 270 deg look like drift directions.*--fold"):
        read_recording(path)
    recording = read_recording(path, fold=True)
    assert recording.window_s == 0.5
    assert recording.counts(0).size == 10
    assert recording.source == "a.nwb, drifting_gratings_presentations"
    with pytest.raises(
        InputError, match=r"table trials has no column .*; it has start_time, stop_time, lick"
    ):
        read_recording(path, layout=Layout(trials="trials"))
    with pytest.raises(InputError, match=r"no table 'movies'; it has "):
        read_recording(path, layout=Layout(trials="movies"))


def test_trials_in_which_a_unit_was_not_recorded_are_left_out(tmp_path: Path) -> None:
    """A trial without an observation is no trial with zero spikes."""
    nwb = add_trials(new_file(), {"orientation": SHOWN})
    # To 20 s and from 20 s on are one; the trial at 30 s ends after the observation.
    nwb.add_unit(id=7, spike_times=SPIKES, obs_intervals=[[0.0, 20.0], [20.0, 30.5]])
    nwb.add_unit(id=8, spike_times=SPIKES, obs_intervals=[[0.0, 1.0]])
    nwb.add_invalid_time_interval(start_time=12.9, stop_time=13.5)
    path = write(tmp_path / "a.nwb", nwb)
    recording = read_recording(path, neuron="7")
    assert recording.trial.tolist() == [0, *range(2, 10)]
    with pytest.raises(InputError, match="neuron '8' was recorded in none of the trials"):
        read_recording(path, neuron="8")


def without_units() -> NWBFile:
    return add_trials(new_file(), {"orientation": SHOWN})


def without_spike_times() -> NWBFile:
    nwb = without_units()
    nwb.add_unit_column("quality", "a word")
    nwb.add_unit(quality="good")
    return nwb


def two_tables() -> NWBFile:
    nwb = session(lick=np.zeros(SHOWN.size))
    for name in ("static", "drifting"):
        table = TimeIntervals(name=name, description="gratings")
        table.add_column("orientation", "deg")
        table.add_row(start_time=0.0, stop_time=1.0, orientation=0.0)
        nwb.add_time_intervals(table)
    return nwb


BAD = [
    (new_file, r"no trials; add a trials table with start_time, stop_time and orientation"),
    (lambda: session(lick=np.zeros(20)), r"no column orientation_deg or .*\(trials has .*lick\).*--orientation-column"),
    (without_units, r"no units, and table trials has no column spikes or .*--spikes-column"),
    (without_spike_times, r"no spike times in its units, and table trials"),
    (lambda: session(orientation=SHOWN, direction=SHOWN),
     r"has the columns orientation and direction; choose one with --orientation-column"),
    (two_tables, r"several tables have orientations \((static, drifting|drifting, static)\).*--trials-table"),
    (lambda: session({}, orientation=SHOWN, spikes=SHOWN * 0, n_spikes=SHOWN * 0),
     r"has the columns spikes and n_spikes; choose one with --spikes-column"),
    (lambda: session({}, orientation=SHOWN, spikes=np.full(20, -1)), r"table trials, row 1: spikes is -1; a count"),
    (lambda: session({}, orientation=SHOWN, spikes=np.zeros((20, 3))), r"no counting window"),
    (lambda: session({1: [], 2: []}, orientation=SHOWN, spikes=np.zeros((20, 3))), r"holds 2 neurons"),
    (lambda: session(orientation=["left"] * 20), r"orientation of trial 1 is 'left', not a number"),
    (lambda: session(orientation=np.full(20, np.inf)), r"orientation of trial 1 is infinite"),
    (lambda: session(orientation=np.zeros((20, 2))), r"column orientation has \(2,\) values for each trial"),
    (lambda: session(orientation=SHOWN, blank=["perhaps"] * 20), r"blank of trial 1 is 'perhaps'; give true or false"),
    (lambda: session(orientation=SHOWN * 0), r"a single orientation \(0 deg\)"),
    (lambda: session(orientation=SHOWN * np.pi / 180), r"look like radians.*--radians"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "message"), BAD)
def test_bad_files_are_refused_in_one_line(tmp_path: Path, make: Any, message: str) -> None:
    path = write(tmp_path / "session.nwb", make())
    with pytest.raises(InputError, match=message) as caught:
        read_recording(path, neuron="0" if "window" in message else None)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_windows_that_do_not_fit_the_trials_are_refused(tmp_path: Path) -> None:
    nwb = add_trials(new_file(), {"orientation": SHOWN[:4]}, START[:4])
    nwb.add_trial(start_time=40.0, stop_time=43.0, orientation=0.0)
    nwb.add_unit(id=7, spike_times=SPIKES)
    path = write(tmp_path / "a.nwb", nwb)
    with pytest.raises(InputError, match=r"table trials: trials last 1 to 3 s; pass --window '1 s'"):
        read_recording(path)
    assert read_recording(path, window="1 s").spikes.size == 5
    with pytest.raises(InputError, match=r"a window of 2\.5 s reaches into the next trial, 2 s later"):
        read_recording(path, window="2.5 s")


def test_damaged_files_are_refused_in_one_line(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.nwb", session()).read_bytes()
    path = tmp_path / "bad.nwb"
    damaged = [b"", b"text", whole[: len(whole) // 2], whole[:600]]
    for seed in range(12):
        generator = np.random.default_rng(seed)
        content = np.frombuffer(whole, dtype=np.uint8).copy()
        content[generator.integers(0, content.size, 200)] ^= 0x5A
        damaged.append(content.tobytes())
    messages = []
    for content in damaged:
        path.write_bytes(content)
        with suppress(InputError):  # 200 bytes may miss what is read
            read_recording(path)
            continue
        with pytest.raises(InputError) as caught:
            read_recording(path)
        messages.append(str(caught.value))
    assert len(messages) > len(damaged) // 2
    assert all(message.startswith(f"{path}: ") and "\n" not in message for message in messages)


def test_without_pynwb_the_command_that_installs_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.nwb").touch()
    monkeypatch.setitem(sys.modules, "pynwb", None)
    with pytest.raises(InputError, match=r"pynwb, which is not installed; pip install 'ketune\[nwb\]'"):
        read_recording(tmp_path / "a.nwb")
