"""Documents and result directories: whole, or not there."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ketune.errors import InputError
from ketune.storage import (
    MANIFEST,
    check_output_directory,
    jsonable,
    read_json,
    result_directory,
    write_json,
)

FIT = "ketune-fit/1"


def put(directory: Path, kind: str, files: dict[str, str], **options: object) -> None:
    with result_directory(directory, kind, **options) as folder:  # type: ignore[arg-type]
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)


def contents(directory: Path) -> dict[str, str]:
    """Every file in a directory but the manifest, hidden ones included."""
    return {
        path.relative_to(directory).as_posix(): path.read_text()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }


class TestJson:
    json_values = st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**63 - 1)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=10,
    )

    @given(json_values)
    def test_what_json_can_hold_comes_back_unchanged(self, value: object) -> None:
        assert json.loads(json.dumps(jsonable(value))) == value

    @given(st.dictionaries(st.text(), json_values))
    def test_documents_are_read_as_the_standard_library_reads_them(
        self, tmp_path_factory: pytest.TempPathFactory, document: dict[str, object]
    ) -> None:
        path = tmp_path_factory.getbasetemp() / "read.json"
        write_json(path, document | {"format": FIT}, FIT)
        # As text: 1 and 1.0, and 0.0 and -0.0, are equal in Python.
        assert repr(read_json(path, FIT)) == repr(json.loads(path.read_text(encoding="utf-8")))

    def test_scientific_values(self) -> None:
        @dataclasses.dataclass
        class Point:
            x: np.ndarray
            where: Path

        value = {
            "numpy": np.array([[1.5, np.nan]]),
            "jax": jnp.arange(2),
            "scalar": np.float32(0.5),
            "count": np.int64(3),
            "flag": np.bool_(True),
            "infinite": float("inf"),
            "point": Point(np.zeros(1), Path("a/b")),
            "labels": frozenset({"b", "a"}),
            1: (),
        }
        assert jsonable(value) == {
            "numpy": [[1.5, None]],
            "jax": [0, 1],
            "scalar": 0.5,
            "count": 3,
            "flag": True,
            "infinite": None,
            "point": {"x": [0.0], "where": "a/b"},
            "labels": ["a", "b"],
            "1": [],
        }

    def test_other_objects_are_refused(self) -> None:
        with pytest.raises(TypeError, match="object has no JSON form"):
            jsonable({"x": object()})

    @pytest.mark.parametrize("value", [2**63, -(2**63) - 1, np.uint64(2**64 - 1)])
    def test_an_integer_that_would_come_back_as_a_float_is_refused(
        self, tmp_path: Path, value: object
    ) -> None:
        with pytest.raises(OverflowError, match="has no JSON form: integers there have 64 bits"):
            write_json(tmp_path / "fit.json", {"seed": value}, FIT)
        assert list(tmp_path.iterdir()) == []

    def test_no_number_is_written_as_null_and_stays_none(self, tmp_path: Path) -> None:
        path = tmp_path / "fit.json"
        write_json(path, {"values": np.array([np.nan, np.inf, -np.inf, 1e308])}, FIT)
        assert read_json(path, FIT)["values"] == [None, None, None, 1e308]

    def test_document_comes_back_with_its_format_first(self, tmp_path: Path) -> None:
        write_json(tmp_path / "fit.json", {"unit": "µM", "values": np.array([0.1])}, FIT)
        assert next(iter(json.loads((tmp_path / "fit.json").read_text()))) == "format"
        assert read_json(tmp_path / "fit.json", FIT) == {"format": FIT, "unit": "µM", "values": [0.1]}

    def test_failed_write_leaves_the_old_document_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "fit.json"
        write_json(path, {"a": 1}, FIT)
        before = path.read_bytes()
        with pytest.raises(UnicodeEncodeError):  # half a surrogate pair: fails inside the file's write
            write_json(path, {"a": "x" * 100_000 + "\ud800"}, FIT)
        assert path.read_bytes() == before
        assert list(tmp_path.iterdir()) == [path]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            (None, "holds no fit: fit.json is not there"),
            ("", "not a JSON file"),
            (
                '{"format": "ketune-fit/1", ',
                r"fit\.json: not a JSON file \(.*line 1 column 28.*\); make the fit again",
            ),
            ('{\n"a": 1,\n"b": x}', "not a JSON file .*line 3 column 6"),
            ('{"format": "ketune-fit/1", "rate": NaN}', "not a JSON file"),
            ('{"format": "ketune-fit/1", "rate": -Infinity}', "not a JSON file"),
            ('{"format": "ketune-fit/1", "rate": 1e400}', "not a JSON file"),
            ('\ufeff{"format": "ketune-fit/1"}', r"not a JSON file \(.*byte order mark"),
            ("[" * 5000, "not a JSON file"),
            ("[1]", "not a fit of ketune"),
            ('{"format": "ketune-apply/1"}', "not a fit of ketune"),
            ('{"a": 1}', "not a fit of ketune"),
            ('{"format": "ketune-fit/2"}', "fit format 2, this ketune reads 1"),
            ('{"format": "ketune-fitness/1"}', "not a fit of ketune"),
        ],
    )
    def test_unusable_document_is_one_line_that_names_the_file(
        self, tmp_path: Path, text: str | None, message: str
    ) -> None:
        path = tmp_path / "fit.json"
        if text is not None:
            path.write_text(text)
        with pytest.raises(InputError, match=message) as caught:
            read_json(path, FIT)
        assert str(tmp_path) in str(caught.value)
        assert "\n" not in str(caught.value)


class TestResultDirectory:
    def test_new_directory_gets_every_file(self, tmp_path: Path) -> None:
        out = tmp_path / "a" / "b"
        put(out, "fit", {"fit.json": "1", "traces/soma.csv": "2"})
        assert contents(out) == {"fit.json": "1", "traces/soma.csv": "2"}

    def test_failure_leaves_nothing_behind(self, tmp_path: Path) -> None:
        def fail() -> None:
            with result_directory(tmp_path / "a" / "b", "fit") as folder:
                (folder / "fit.json").write_text("half")
                raise RuntimeError

        with pytest.raises(RuntimeError):
            fail()
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
    def test_failure_keeps_the_result_that_was_to_be_replaced(
        self, tmp_path: Path, error: type[BaseException]
    ) -> None:
        put(tmp_path, "fit", {"fit.json": "old"})

        def fail() -> None:
            with result_directory(tmp_path, "fit", overwrite=True) as folder:
                (folder / "fit.json").write_text("new")
                raise error

        with pytest.raises(error):
            fail()
        assert contents(tmp_path) == {"fit.json": "old"}

    @pytest.mark.parametrize("kind", ["fit", "demo"])
    def test_another_result_is_refused_without_overwrite(self, tmp_path: Path, kind: str) -> None:
        put(tmp_path, "fit", {"fit.json": "old"})
        with pytest.raises(InputError, match=r"already holds a result \(fit\).*--overwrite"):
            check_output_directory(tmp_path, kind)
        with pytest.raises(InputError, match="already holds"):
            put(tmp_path, kind, {"fit.json": "new"})
        assert contents(tmp_path) == {"fit.json": "old"}

    def test_overwrite_replaces_results_and_keeps_foreign_files(self, tmp_path: Path) -> None:
        (tmp_path / "notes.txt").write_text("mine")
        put(tmp_path, "fit", {"fit.json": "old", "old/trace.csv": "old", "both/a.csv": "old"})
        (tmp_path / "both" / "mine.csv").write_text("mine")
        put(tmp_path, "apply", {"apply.json": "old"}, onto="fit")
        put(tmp_path, "fit", {"fit.json": "new"}, overwrite=True)
        assert contents(tmp_path) == {"fit.json": "new", "notes.txt": "mine", "both/mine.csv": "mine"}
        assert not (tmp_path / "old").exists()

    def test_result_onto_a_fit(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="holds no fit"):
            put(tmp_path, "apply", {"apply.json": "1"}, onto="fit")
        put(tmp_path, "fit", {"fit.json": "fit"})
        put(tmp_path, "apply", {"apply.json": "1"}, onto="fit")
        with pytest.raises(InputError, match=r"result \(apply\): add --overwrite"):
            put(tmp_path, "apply", {"apply.json": "2"}, onto="fit")
        put(tmp_path, "apply", {"apply.json": "3"}, onto="fit", overwrite=True)
        assert contents(tmp_path) == {"fit.json": "fit", "apply.json": "3"}
        with pytest.raises(InputError, match=r"result \(apply, fit\)|result \(fit, apply\)"):
            check_output_directory(tmp_path, "fit")

    @pytest.mark.parametrize("overwrite", [False, True])
    def test_foreign_file_in_the_way_is_not_touched_and_the_result_not_lost(
        self, tmp_path: Path, overwrite: bool
    ) -> None:
        (tmp_path / "fit.json").write_text("mine")
        with pytest.raises(InputError, match=r"fit\.json is in the way") as caught:
            put(tmp_path, "fit", {"fit.json": "new", "a.csv": "new"}, overwrite=overwrite)
        assert (tmp_path / "fit.json").read_text() == "mine"
        assert not (tmp_path / "a.csv").exists()
        kept = Path(str(caught.value).rpartition(" ")[2])
        assert contents(kept) == {"fit.json": "new", "a.csv": "new"}

    def test_second_of_two_writers_at_once_does_not_replace_the_first(self, tmp_path: Path) -> None:
        def race() -> None:
            with result_directory(tmp_path, "fit") as folder:
                (folder / "fit.json").write_text("second")
                put(tmp_path, "fit", {"fit.json": "first"})

        with pytest.raises(InputError, match="kept in"):
            race()
        assert (tmp_path / "fit.json").read_text() == "first"

    def test_file_where_the_directory_should_be(self, tmp_path: Path) -> None:
        (tmp_path / "out").write_text("")
        with pytest.raises(InputError, match="out is a file"):
            check_output_directory(tmp_path / "out", "fit")

    @pytest.mark.parametrize("name", ["../victim", "/victim", "a/../../victim", 3])
    def test_manifest_that_points_outside_removes_nothing(self, tmp_path: Path, name: object) -> None:
        out = tmp_path / "out"
        put(out, "fit", {"fit.json": "old"})
        (tmp_path / "victim").write_text("mine")
        write_json(out / MANIFEST, {"results": {"fit": [name]}}, "ketune-directory/1")
        with pytest.raises(InputError, match="outside the directory"):
            put(out, "fit", {"fit.json": "new"}, overwrite=True)
        assert (tmp_path / "victim").read_text() == "mine"

    def test_full_disk_is_noticed_and_leaves_the_old_result(self, tmp_path: Path) -> None:
        """On a real file system that is full: a small one in memory, in a mount namespace of its own."""
        mount = ["unshare", "--mount", "--map-root-user", "sh", "-ec"]
        if not shutil.which("unshare") or subprocess.run([*mount, "mount -t tmpfs none /mnt"]).returncode:
            pytest.skip("this machine lets nobody mount a file system")
        script = """
import errno, sys
from pathlib import Path
from ketune.storage import result_directory
out = Path(sys.argv[1]) / "out"
with result_directory(out, "fit") as folder:
    (folder / "fit.json").write_text("old")
try:
    with result_directory(out, "fit", overwrite=True) as folder:
        (folder / "fit.json").write_bytes(bytes(10**6))
except OSError as error:
    assert error.errno == errno.ENOSPC, error
else:
    raise AssertionError("a megabyte went into 128 KiB")
print(sorted(p.name for p in out.iterdir()), (out / "fit.json").read_text())
"""
        python = [sys.executable, "-c", script, str(tmp_path)]
        done = subprocess.run(
            [*mount, f'mount -t tmpfs -o size=128k none "{tmp_path}"; exec "$0" "$@"', *python],
            capture_output=True,
            text=True,
        )
        assert done.stderr == ""
        assert done.stdout.strip() == f"['fit.json', '{MANIFEST}'] old"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a file system that takes nothing")
def test_a_place_that_takes_nothing_is_refused_before_the_work():
    with pytest.raises(InputError, match="no result can be written there"):
        check_output_directory(Path("/proc/nowhere/result"), "fit")
