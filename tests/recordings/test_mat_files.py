"""MAT files: written by SciPy (v7), by h5py as MATLAB does (v7.3), and by MATLAB itself (SciPy's test files)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io

from ketune.errors import InputError
from ketune.recordings._matlab_file import read_variables
from ketune.tuning import Layout, Recording, read_recording

BY_MATLAB = Path(scipy.io.__file__).parent / "matlab" / "tests" / "data"
ORIENTATION = np.repeat([0.0, 45.0, 90.0, 135.0, np.nan], 3)
SPIKES = np.array([3, 4, 5, 9, 8, 10, 2, 2, 3, 1, 0, 2, 1, 0, 0], dtype=float)
CONDITION = ["control", "drug", "control"] * 5


def column(values: object) -> np.ndarray:
    return np.asarray(values, dtype=float).reshape(-1, 1)


def cellstr(words: list[str]) -> np.ndarray:
    cells = np.empty((len(words), 1), dtype=object)
    cells[:, 0] = words
    return cells


def write_v7(path: Path, variables: dict[str, object]) -> Path:
    scipy.io.savemat(path, variables, do_compression=True)
    return path


def write_v73(path: Path, variables: dict[str, object]) -> Path:
    """As MATLAB does: a header of 512 bytes, matrices transposed, text as UTF-16 numbers, cells as references."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in variables.items():
            if isinstance(value, np.ndarray) and value.dtype == object:
                inner = file.require_group("#refs#")
                references = []
                for word in value.ravel(order="F"):
                    references.append(_write_text(inner, f"r{len(inner)}", str(word)).ref)
                data = file.create_dataset(
                    name, data=np.array(references, dtype=h5py.ref_dtype).reshape(value.T.shape)
                )
                data.attrs["MATLAB_class"] = np.bytes_("cell")
            elif isinstance(value, str):
                _write_text(file, name, value)
            else:
                matrix = np.atleast_2d(np.asarray(value, dtype=float))
                data = file.create_dataset(name, data=matrix.T)
                data.attrs["MATLAB_class"] = np.bytes_("double")
    with open(path, "r+b") as stream:
        stream.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
    return path


def _write_text(group: h5py.Group, name: str, text: str) -> h5py.Dataset:
    codes = np.frombuffer(text.encode("utf-16-le"), dtype=np.uint16).reshape(-1, 1)
    data = group.create_dataset(name, data=codes if codes.size else np.array([0, 0], dtype=np.uint64))
    data.attrs["MATLAB_class"] = np.bytes_("char")
    data.attrs["MATLAB_int_decode"] = np.int32(2)
    if not codes.size:
        data.attrs["MATLAB_empty"] = np.uint8(1)
    return data


Write = Callable[[Path, dict[str, object]], Path]
both = pytest.mark.parametrize("write", [write_v7, write_v73])


def assert_counts(recording: Recording, condition: str | None = None) -> None:
    for orientation in (0.0, 45.0, 90.0, 135.0, None):
        shown = np.isnan(ORIENTATION) if orientation is None else orientation == ORIENTATION
        if condition is not None:
            shown &= np.array(CONDITION) == condition
        assert recording.counts(orientation, condition).tolist() == SPIKES[shown].tolist()


@both
def test_vectors(tmp_path: Path, write: Write) -> None:
    path = write(
        tmp_path / "cell.mat",
        {
            "spikes": column(SPIKES).T,  # a row here, columns there: both are vectors
            "orientation_deg": column(ORIENTATION),
            "condition": cellstr(CONDITION),
            "window_s": column([1.28]),
            "neuron": "unit µ7",
        },
    )
    recording = read_recording(path)
    assert (recording.name, recording.window_s) == ("unit µ7", 1.28)
    assert recording.conditions() == ("control", "drug")
    for condition in recording.conditions():
        assert_counts(recording, condition)


@both
def test_a_matrix_of_counts_with_gaps(tmp_path: Path, write: Write) -> None:
    counts = SPIKES.reshape(5, 3).copy()
    counts[1, 2] = np.nan  # not recorded
    path = write(
        tmp_path / "cell.mat", {"counts": counts, "orientation_deg": column([0, 45, 90, 135, np.nan])}
    )
    recording = read_recording(path, window="2 s")
    assert recording.counts(45).tolist() == [9, 8]
    assert recording.counts(90).tolist() == [2, 2, 3]
    assert recording.counts(None).tolist() == [1, 0, 0]
    assert recording.window_s == 2.0


@both
def test_rows_of_a_matrix_may_be_of_several_conditions_and_neurons(tmp_path: Path, write: Write) -> None:
    path = write(
        tmp_path / "cell.mat",
        {
            "counts": np.arange(16.0).reshape(8, 2),
            "orientation_deg": column([0, 90] * 4),
            "condition": cellstr(["control", "control", "drug", "drug"] * 2),
            "neuron": column([1, 1, 1, 1, 2, 2, 2, 2]),
            "window_s": column([1]),
        },
    )
    recording = read_recording(path, neuron="2", condition="drug")
    assert recording.counts(0).tolist() == [12, 13]
    assert recording.counts(90).tolist() == [14, 15]
    with pytest.raises(InputError, match=r"holds 2 neurons \(1, 2\); choose one with --neuron"):
        read_recording(path)


@both
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"spikes": None}, r"no variable spikes; it holds orientation_deg"),
        ({"orientation_deg": None, "theta": column(ORIENTATION)}, r"no variable orientation_deg; it holds spikes, "),
        ({"orientation_deg": column(ORIENTATION[:-1])}, r"orientation_deg has 14 values and spikes has 15"),
        ({"condition": cellstr(["a", "b"])}, r"condition has 2 values and spikes has 15"),
        ({"trial": column([1])}, r"trial has 1 values and spikes has 15"),
        ({"trial": column(np.ones(15))}, r"row 2: orientation 0, trial 1.*already in row 1"),
        ({"spikes": column(SPIKES - 1)}, r"row 11: spikes is -1\.0; a count cannot be negative"),
        ({"spikes": column(SPIKES / 2)}, r"row 1: spikes is 1\.5, not a whole number"),
        ({"spikes": column(SPIKES * np.nan)}, r"spikes has no counts"),
        ({"spikes": None, "counts": SPIKES.reshape(3, 5), "orientation_deg": column(np.arange(5) * 30)},
         r"counts is 3 x 5 and orientation_deg has 5 values; give orientations x trials; transpose it: counts\.'"),
        ({"spikes": None, "counts": np.zeros((5, 3, 2))}, r"counts has 3 dimensions; give orientations x trials"),
        ({"counts": SPIKES.reshape(5, 3)}, r"holds both spikes and counts; choose one with --spikes-column"),
        ({"orientation_deg": "up"}, r"orientation_deg has 1 values"),
    ],
)  # fmt: skip
def test_other_layouts_are_refused_in_one_line(
    tmp_path: Path, write: Write, change: dict[str, object], message: str
) -> None:
    variables = {"spikes": column(SPIKES), "orientation_deg": column(ORIENTATION)} | change
    path = write(tmp_path / "cell.mat", {k: v for k, v in variables.items() if v is not None})
    with pytest.raises(InputError, match=message) as caught:
        read_recording(path, window="1 s")
    assert "\n" not in str(caught.value)


@both
def test_variables_of_other_names_are_read_when_named(tmp_path: Path, write: Write) -> None:
    path = write(tmp_path / "cell.mat", {"n": column(SPIKES), "theta": column(ORIENTATION)})
    layout = Layout(orientation="theta", spikes="n")
    assert_counts(read_recording(path, window="1 s", layout=layout))
    with pytest.raises(InputError, match="no variable dose"):
        read_recording(path, window="1 s", layout=Layout(orientation="theta", spikes="n", condition="dose"))


def test_a_struct_is_refused_with_matlabs_way_to_save_its_fields(tmp_path: Path) -> None:
    path = write_v7(tmp_path / "cell.mat", {"data": {"spikes": SPIKES, "orientation_deg": ORIENTATION}})
    with pytest.raises(InputError, match=r"data \(struct\); save .*save\(file, '-struct', 'data'\)"):
        read_recording(path)


def test_a_string_array_of_v73_is_refused_with_cellstr(tmp_path: Path) -> None:
    path = write_v73(
        tmp_path / "cell.mat", {"spikes": column(SPIKES), "orientation_deg": column(ORIENTATION)}
    )
    with h5py.File(path, "r+") as file:
        condition = file.create_dataset("condition", data=np.zeros((6, 1), dtype=np.uint32))
        condition.attrs["MATLAB_class"] = np.bytes_("string")
        condition.attrs["MATLAB_object_decode"] = np.int32(3)
    with pytest.raises(InputError, match=r"condition is a string array or object; save cellstr\(condition\)"):
        read_recording(path, window="1 s")


def test_a_string_array_of_v7_is_not_overlooked(tmp_path: Path) -> None:
    """MATLAB stores it without a name that SciPy shows: all trials would be read as of one condition."""

    def element(kind: int, content: bytes) -> bytes:
        return struct.pack("<II", kind, len(content)) + content + bytes(-len(content) % 8)

    def matrix(class_number: int, content: bytes) -> bytes:
        return element(14, element(6, struct.pack("<II", class_number, 0)) + content)

    reference = matrix(
        13, element(5, struct.pack("<ii", 6, 1)) + element(1, b"") + element(6, struct.pack("<6I", *range(6)))
    )
    names = b"".join(element(1, word) for word in (b"condition", b"MCOS", b"string"))
    path = write_v7(tmp_path / "cell.mat", {"spikes": column(SPIKES), "orientation_deg": column(ORIENTATION)})
    assert read_recording(path, window="1 s").conditions() == ("control",)
    path.write_bytes(path.read_bytes() + matrix(17, names + reference))
    with pytest.raises(InputError, match=r"holds a MATLAB string array.*save text as cellstr"):
        read_recording(path, window="1 s")


def by_matlab(name: str) -> Path:
    if not (BY_MATLAB / name).exists():
        pytest.skip("SciPy was installed without its test files")
    return BY_MATLAB / name


@pytest.mark.parametrize("name", ["testdouble_4.2c_SOL2", "testdouble_7.4_GLNX86", "testhdf5_7.4_GLNX86"])
def test_the_same_numbers_from_matlabs_own_files_of_v4_v7_and_v73(name: str) -> None:
    variables, _ = read_variables(by_matlab(f"{name}.mat"))
    np.testing.assert_allclose(variables["testdouble"], np.arange(9)[None] * np.pi / 4)


def test_matlabs_own_text_matrices_and_what_cannot_be_used() -> None:
    variables, _ = read_variables(by_matlab("teststringarray_7.4_GLNX86.mat"))
    assert variables["teststringarray"].tolist() == ["one", "two", "three"]
    for name, kind in (
        ("testobject", "object"),
        ("teststruct", "struct"),
        ("testsparse", "sparse matrix"),
        ("testcomplex", "complex matrix"),
        ("testcell", "cell array of more than text"),
    ):
        _, others = read_variables(by_matlab(f"{name}_7.4_GLNX86.mat"))
        assert others == {name: kind}


@pytest.mark.parametrize("name", ["malformed1", "corrupted_zlib_data", "corrupted_zlib_checksum"])
def test_matlab_files_that_were_damaged_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="not a MAT file, or a damaged one"):
        read_recording(by_matlab(f"{name}.mat"))


@both
def test_files_cut_short_are_refused_in_one_line(tmp_path: Path, write: Write) -> None:
    path = write(tmp_path / "cell.mat", {"spikes": column(SPIKES), "orientation_deg": column(ORIENTATION)})
    whole = path.read_bytes()
    for size in (0, 10, 130, len(whole) // 2, len(whole) - 20):
        path.write_bytes(whole[:size])
        with pytest.raises(InputError, match=r"cell\.mat: ") as caught:
            read_recording(path, window="1 s")
        assert "\n" not in str(caught.value)
