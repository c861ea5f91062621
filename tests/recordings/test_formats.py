"""Extensions, Parquet files, and names of columns."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from ketune import tuning
from ketune.errors import InputError
from ketune.tuning import Layout, Recording, read_recording

SHIPPED = Path(tuning.__file__).parent.parent / "data" / "recordings"
COLUMNS = {
    "orientation_deg": [0.0, 45.0, 90.0, None],
    "trial": [0, 0, 0, 0],
    "spikes": [3, 5, 1, 0],
    "window_s": [0.5] * 4,
}


def assert_same(a: Recording, b: Recording) -> None:
    for name in ("orientation_deg", "spikes", "trial", "condition"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    assert a.window_s == b.window_s


def write(path: Path, columns: dict[str, object]) -> Path:
    parquet.write_table(pa.table(columns), path)
    return path


def test_a_parquet_file_is_read_as_the_csv_with_the_same_table(tmp_path: Path) -> None:
    """Through pyarrow's own CSV reader, so that nothing of ketune writes the file."""
    from pyarrow import csv as arrow_csv

    text = (SHIPPED / "example.csv").read_text(encoding="utf-8")
    plain = tmp_path / "plain.csv"
    plain.write_text("".join(line for line in text.splitlines(True) if not line.startswith("#")))
    path = tmp_path / "example.parquet"
    parquet.write_table(arrow_csv.read_csv(plain), path)
    assert_same(read_recording(path), read_recording(SHIPPED / "example.csv"))
    assert read_recording(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("suffix", [".parquet", ".pq", ".PARQUET"])
def test_blank_trials_are_null_or_nan(tmp_path: Path, suffix: str) -> None:
    for blank in (None, float("nan")):
        columns = COLUMNS | {"orientation_deg": [0.0, 45.0, 90.0, blank]}
        recording = read_recording(write(tmp_path / f"cell{suffix}", columns))
        assert recording.counts(None).tolist() == [0]
        assert recording.counts(45).tolist() == [5]
        assert (recording.name, recording.window_s) == ("cell", 0.5)


def test_categories_and_whole_floats_are_names(tmp_path: Path) -> None:
    """As pandas writes a categorical and an integer column with gaps."""
    columns = COLUMNS | {
        "condition": pa.array(["ketamine"] * 4).dictionary_encode(),
        "neuron": [7.0, 7.0, 7.0, 7.0],
        "spikes": [3.0, 5.0, 1.0, 0.0],
    }
    recording = read_recording(write(tmp_path / "cell.parquet", columns), neuron="7")
    assert recording.conditions() == ("ketamine",)
    assert recording.name == "7"


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"orientation": [0.0], "spikes": [1]}, r"missing column orientation_deg, trial; the header has orientation"),
        (COLUMNS | {"spikes": [3, 5, None, 0]}, r"cell\.parquet: row 3: spikes is empty; remove the row"),
        (COLUMNS | {"spikes": [3, 5, 1.5, 0]}, r"row 3: spikes is 1\.5, not a whole number; give spike counts"),
        (COLUMNS | {"spikes": [3, 5, -1, 0]}, r"row 3: spikes is -1; a count cannot be negative"),
        (COLUMNS | {"spikes": ["a", "b", "c", "d"]}, r"row 1: spikes is 'a', not a number"),
        (COLUMNS | {"spikes": [[1], [2], [3], [4]]}, r"row 1: spikes is \[1\], not a number"),
        (COLUMNS | {"orientation_deg": [0.0, float("inf"), 90.0, 0.0]}, r"row 2: orientation_deg is inf"),
        (COLUMNS | {"orientation_deg": [0.0, 0.0, 90.0, None]}, r"row 2: orientation 0, trial 0.*already in row 1"),
        (COLUMNS | {"window_s": [0.5, 0.5, 1.0, 0.5]}, r"row 3: window_s is 1 here and 0\.5 in row 1"),
        ({name: values[:0] for name, values in COLUMNS.items()}, r"no rows; give one row a trial"),
    ],
)  # fmt: skip
def test_bad_parquet_files_are_refused_in_one_line(
    tmp_path: Path, columns: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read_recording(write(tmp_path / "cell.parquet", columns))
    assert "\n" not in str(caught.value)


def test_damaged_parquet_files_are_refused_in_one_line(tmp_path: Path) -> None:
    whole = write(tmp_path / "cell.parquet", COLUMNS).read_bytes()
    for content in (b"", b"orientation_deg,trial\n", whole[: len(whole) // 2]):
        (tmp_path / "bad.parquet").write_bytes(content)
        with pytest.raises(InputError, match=r"bad\.parquet: not a Parquet file, or a damaged one") as caught:
            read_recording(tmp_path / "bad.parquet")
        assert "\n" not in str(caught.value)


def test_unknown_extensions_are_refused(tmp_path: Path) -> None:
    (tmp_path / "cell.xlsx").write_bytes(b"PK")
    with pytest.raises(InputError, match=r"\.xlsx is unknown; known are \.csv.*\.parquet.*\.mat, \.nwb"):
        read_recording(tmp_path / "cell.xlsx")
    (tmp_path / "cell").touch()
    with pytest.raises(InputError, match="none is unknown"):
        read_recording(tmp_path / "cell")


def test_columns_of_other_names_are_read_when_named(tmp_path: Path) -> None:
    table = {"theta": [0, 45, 90], "trial": [0, 0, 0], "n": [3, 5, 1], "drug": ["a", "a", "a"]}
    layout = Layout(orientation="theta", spikes="n", condition="drug")
    with open(tmp_path / "cell.csv", "w", newline="") as stream:
        csv.writer(stream).writerows([table, *zip(*table.values(), strict=True)])
    for path in (tmp_path / "cell.csv", write(tmp_path / "cell.parquet", dict(table))):
        recording = read_recording(path, window="1 s", layout=layout)
        assert recording.mean("a").tolist() == [3, 5, 1]
        with pytest.raises(InputError, match=r"missing column dose; the header has theta"):
            read_recording(
                path, window="1 s", layout=Layout(orientation="theta", spikes="n", condition="dose")
            )
        with pytest.raises(InputError, match="--trials-table is for NWB files"):
            read_recording(path, layout=Layout(trials="trials"))
