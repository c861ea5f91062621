"""Reading recordings: the documented format, the shipped files, and one line for everything that is wrong."""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ketune import tuning
from ketune.errors import InputError
from ketune.tuning import Recording, read_recording, shipped_recording, shipped_recordings

GOOD = "orientation_deg,trial,spikes\n0,0,3\n45,0,5\n90,0,1\n135,0,0\n"


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "cell.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_shipped_recordings_are_listed_and_unknown_names_refused() -> None:
    assert shipped_recordings() == ("example", "macaque_v1", "macaque_v2")
    with pytest.raises(
        InputError, match=r"no shipped recording 'macaque'; there are example, macaque_v1, macaque_v2"
    ):
        shipped_recording("macaque")


@pytest.mark.parametrize(
    ("name", "lowest", "highest", "fano"),
    [("macaque_v1", 57.495, 135.73, (0.93510, 1.87520)), ("macaque_v2", 8.8375, 21.2275, (2.42523, 3.76881))],
)
def test_shipped_macaque_units_match_the_source(
    name: str, lowest: float, highest: float, fano: tuple[float, float]
) -> None:
    """Extremes were computed from the source table before it was converted."""
    recording = shipped_recording(name)
    np.testing.assert_array_equal(recording.orientations(), np.arange(8) * 22.5)
    assert recording.window_s == 1.28
    assert not recording.has_blank
    assert [recording.counts(o).size for o in recording.orientations()] == [400] * 8
    mean = recording.mean()
    assert (mean.min(), mean.max()) == pytest.approx((lowest, highest))
    assert (recording.fano().min(), recording.fano().max()) == pytest.approx(fano, abs=1e-4)
    assert "qqboxplot" in recording.source


def test_example_shows_blank_missing_orientation_and_unequal_trials() -> None:
    recording = shipped_recording("example")
    assert recording.conditions() == ("control", "drug")
    assert recording.has_blank
    assert 112.5 in recording.orientations("control")
    assert 112.5 not in recording.orientations("drug")
    assert recording.counts(67.5, "drug").size < recording.counts(45, "drug").size
    assert recording.moments("drug").blank_mean == recording.counts(None, "drug").mean()
    assert "synthetic" in recording.source


def test_attributions_lie_beside_the_data() -> None:
    text = (Path(tuning.__file__).parent.parent / "data" / "SOURCES.md").read_text(encoding="utf-8")
    for name in shipped_recordings():
        assert f"recordings/{name}.csv" in text


def test_minimal_file_and_defaults(tmp_path: Path) -> None:
    recording = read_recording(written(tmp_path, GOOD), window="500 ms")
    assert recording.window_s == 0.5
    assert recording.name == "cell"
    assert recording.conditions() == ("control",)
    np.testing.assert_array_equal(recording.mean(), [3, 5, 1, 0])
    assert np.isnan(recording.variance()).all()  # one trial says nothing about variability


@pytest.mark.parametrize(("low", "high"), [(0, 180), (-90, 90), (-45, 135)])
def test_orientations_180_apart_are_one_and_trials_stay_distinct(tmp_path: Path, low: int, high: int) -> None:
    text = f"orientation_deg,trial,spikes\n{low},0,3\n{high},0,5\n{low + 30},0,1\n{high - 30},7,2\n"
    recording = read_recording(written(tmp_path, text), window=1.0)
    assert recording.orientations().size == 3
    for orientation in (low, high):
        assert sorted(recording.counts(orientation)) == [3, 5]
    merged = np.isclose(recording.orientation_deg, low % 180)
    assert sorted(recording.trial[merged]) == [0, 1]
    assert recording.trial[recording.spikes == 2] == [7]  # numbers are kept where nothing was merged


def test_radians_are_converted_and_pi_meets_zero(tmp_path: Path) -> None:
    text = "orientation_deg,trial,spikes\n0,0,1\n0.785,0,2\n1.571,0,3\n2.356,0,4\n3.142,1,5\n"
    recording = read_recording(written(tmp_path, text), window=1.0, radians=True)
    np.testing.assert_allclose(recording.orientations(), [0, 45, 90, 135])
    assert sorted(recording.counts(0)) == [1, 5]


def test_directions_are_folded_only_on_request(tmp_path: Path) -> None:
    directions = np.arange(0, 360, 45)
    rows = "".join(f"{d},{t},{20 if d == 90 else 4 + t}\n" for d in directions for t in range(2))
    path = written(tmp_path, "orientation_deg,trial,spikes\n" + rows + ",0,2\n")
    with pytest.raises(InputError, match=r"0 to 315 deg look like drift directions.*--fold"):
        read_recording(path, window=1.0)
    recording = read_recording(path, window=1.0, fold=True)
    np.testing.assert_array_equal(recording.orientations(), [0, 45, 90, 135])
    assert recording.counts(90).size == 4
    assert recording.direction_deg is not None
    # Direction 90 has 20 and 20, direction 270 has 4 and 5: direction index (20 - 4.5) / 24.5.
    assert tuning.summarise_recording(recording).direction_index == pytest.approx(15.5 / 24.5)
    np.testing.assert_array_equal(recording.counts(None), [2])
    # What it writes can be folded again to the same recording.
    recording.to_csv(tmp_path / "again.csv")
    again = read_recording(tmp_path / "again.csv", fold=True)
    np.testing.assert_array_equal(again.mean(), recording.mean())
    np.testing.assert_array_equal(again.variance(), recording.variance())


def test_one_neuron_and_one_condition_are_chosen(tmp_path: Path) -> None:
    text = "neuron,condition,orientation_deg,trial,spikes,window_s\n"
    for neuron, offset in (("a", 0), ("b", 10)):
        for condition in ("control", "ketamine"):
            for orientation in (0, 45, 90):
                text += f"{neuron},{condition},{orientation},0,{offset + (condition == 'ketamine')},1\n"
    path = written(tmp_path, text)
    with pytest.raises(InputError, match=r"holds 2 neurons \(a, b\); choose one with --neuron"):
        read_recording(path)
    with pytest.raises(InputError, match=r"no neuron 'c'; it has a, b"):
        read_recording(path, neuron="c")
    with pytest.raises(InputError, match=r"no condition 'saline'; it has control, ketamine"):
        read_recording(path, neuron="a", condition="saline")
    recording = read_recording(path, neuron="b", condition="ketamine")
    assert recording.name == "b"
    assert recording.conditions() == ("ketamine",)
    assert set(recording.spikes.tolist()) == {11}


HEADER = "orientation_deg,trial,spikes\n"
BAD = [
    ("", r"cell\.csv: empty"),
    ("# only a comment\n", r"cell\.csv: empty"),
    (HEADER, r"no rows after the header"),
    (
        "orientation,trial,spikes\n0,0,1\n",
        r"cell\.csv:1: missing column orientation_deg; the header has orientation",
    ),
    ("orientation_deg;trial;spikes\n0;0;1\n", r"missing column.*separate columns by commas"),
    ("trial,orientation_deg,spikes,trial\n0,0,1,0\n", r"column trial appears twice"),
    (HEADER + "0,0,-1\n90,0,2\n", r"cell\.csv:2: spikes is -1; a count cannot be negative"),
    (
        HEADER + "0,0,1\n90,0,2.5\n",
        r"cell\.csv:3: spikes is 2\.5, not a whole number; give spike counts, not rates",
    ),
    (HEADER + "0,0,1\n90,0,\n", r"cell\.csv:3: spikes is empty"),
    (HEADER + "0,0,1\n90,0,nan\n", r"cell\.csv:3: spikes is nan, not a finite number"),
    (HEADER + "0,0,1\nnan,0,1\n", r"cell\.csv:3: orientation_deg is nan.*leave the field empty for a blank"),
    (HEADER + "0,0,1\nup,0,1\n", r"cell\.csv:3: orientation_deg is 'up', not a number"),
    (HEADER + "0,first,1\n", r"cell\.csv:2: trial is 'first', not a number"),
    (HEADER + "# note\n0,0,1\n90,0\n", r"cell\.csv:4: 2 fields where the header has 3"),
    (HEADER + "45,0,1\n45,1,2\n,0,1\n", r"has a single orientation \(45 deg\)"),
    (HEADER + ",0,1\n,1,1\n", r"has only blank trials"),
    (HEADER + "0,0,1\n180,1,2\n", r"has a single orientation \(0 deg\)"),
    (HEADER + "0,0,1\n0.785,0,2\n1.571,0,2\n", r"look like radians \(all below 7\).*--radians"),
    (HEADER + "0,0,1\n400,0,2\n", r"cell\.csv:3: orientation 400 is beyond 360 deg"),
    (
        HEADER + "0,0,1\n90,0,2\n90,0,2\n",
        r"cell\.csv:4: orientation 90, trial 0, condition control stands already in row 3",
    ),
    (HEADER + "0,0,1\n90,0,2\n,3,0\n,3,0\n", r"cell\.csv:5: blank, trial 3"),
    (HEADER + "0,0,1\n90,0,2\n90.1,0,2\n", r"two orientations 0\.1 deg apart near 90 deg"),
]


@pytest.mark.parametrize(("text", "message"), BAD)
def test_bad_files_are_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read_recording(written(tmp_path, text), window="1 s")
    assert "\n" not in str(caught.value)


BAD_WINDOWS = [
    (GOOD, None, r"no counting window; add a window_s column or pass --window '1\.28 s'"),
    (GOOD, "1.28", r"--window"),
    (GOOD, "10 mg/ml", r"--window"),
    (GOOD, "0 s", r"give a positive time"),
    (
        "orientation_deg,trial,spikes,window_s\n0,0,1,1\n90,0,1,2\n",
        None,
        r"cell\.csv:3: window_s is 2 here and 1 in row 2",
    ),
    ("orientation_deg,trial,spikes,window_s\n0,0,1,1\n90,0,1,\n", None, r"cell\.csv:3: window_s is empty"),
    (
        "orientation_deg,trial,spikes,window_s\n0,0,1,0\n90,0,1,0\n",
        None,
        r"cell\.csv:2: window_s is 0; it must be a positive",
    ),
    (
        "orientation_deg,trial,spikes,window_s\n0,0,1,1\n90,0,1,1\n",
        "2 s",
        r"window_s is 1 s but --window says 2 s",
    ),
]


@pytest.mark.parametrize(("text", "window", "message"), BAD_WINDOWS)
def test_bad_windows_are_refused(tmp_path: Path, text: str, window: str | None, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read_recording(written(tmp_path, text), window=window)
    assert "\n" not in str(caught.value)


def test_unreadable_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"missing\.csv: cannot be read \(No such file or directory\)"):
        read_recording(tmp_path / "missing.csv")
    with pytest.raises(InputError, match=r"cannot be read \(Is a directory\)"):
        read_recording(tmp_path)
    (tmp_path / "table.csv").write_bytes(b"\x89PNG\r\n\x1a\n\x00\xff")
    with pytest.raises(InputError, match="not a text file in UTF-8"):
        read_recording(tmp_path / "table.csv")


def test_spreadsheet_habits_are_read(tmp_path: Path) -> None:
    """A byte order mark, CRLF, quotes, spaces, a float for a count, and empty lines at the end."""
    text = (
        '\ufeff"orientation_deg", trial ,spikes,note\r\n0,0,3.0,"a, b"\r\n45.0,0,5,\r\n90,1,2,\r\n\r\n,,,\r\n'
    )
    recording = read_recording(written(tmp_path, text), window=1.0)
    np.testing.assert_array_equal(recording.mean(), [3, 5, 2])


stimuli = st.lists(
    st.sampled_from([*(22.5 * k for k in range(8)), float("nan")]), min_size=2, max_size=30
).filter(lambda values: len({v for v in values if v == v}) >= 2)


@settings(deadline=None)
@given(stimuli=stimuli, data=st.data())
def test_what_is_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, stimuli: list[float], data
) -> None:
    n = len(stimuli)
    counts = data.draw(st.lists(st.integers(0, 500), min_size=n, max_size=n))
    # One condition: a random division could leave a condition with a single orientation, which is refused.
    recording = Recording(
        name='unit, "3"',
        window_s=data.draw(st.floats(0.01, 10)),
        orientation_deg=np.array(stimuli),
        spikes=np.array(counts),
        trial=np.arange(n),
        condition=np.array(["wash-in, 5 min"] * n),
        source="somewhere",
    )
    path = tmp_path_factory.mktemp("round") / "r.csv"
    recording.to_csv(path)
    again = read_recording(path)
    for name in ("name", "window_s", "source"):
        assert getattr(again, name) == getattr(recording, name)
    for name in ("orientation_deg", "spikes", "trial", "condition"):
        np.testing.assert_array_equal(getattr(again, name), getattr(recording, name))


def test_large_file_keeps_every_row(tmp_path: Path) -> None:
    """Against the csv module, row by row."""
    path = Path(tuning.__file__).parent.parent / "data" / "recordings" / "macaque_v1.csv"
    with open(path, encoding="utf-8") as stream:
        rows = list(csv.DictReader(line for line in stream if not line.startswith("#")))
    recording = read_recording(path)
    assert recording.spikes.tolist() == [int(row["spikes"]) for row in rows]
    assert recording.orientation_deg.tolist() == [float(row["orientation_deg"]) for row in rows]
