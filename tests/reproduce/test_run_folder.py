"""Parts of a run on disk: made once, whole or absent, and never mixed with those of another run."""

import numpy as np
import pytest

from ketune.errors import InputError
from ketune.reproduce._folder import run_folder

CONFIGURATION = {"neurons": 48, "seed": 1}


def test_a_part_is_made_once_and_is_read_as_it_was_written(tmp_path):
    made = []

    def document():
        made.append("document")
        return {"value": np.float64(0.1), "none": float("nan")}

    def arrays():
        made.append("arrays")
        return {"counts": np.arange(6).reshape(2, 3)}

    for _ in range(2):
        with run_folder(tmp_path / "run", CONFIGURATION) as folder:
            assert folder.document("nmda/fit", document) == {"value": 0.1, "none": None}
            np.testing.assert_array_equal(folder.arrays("counts", arrays)["counts"], [[0, 1, 2], [3, 4, 5]])
    assert made == ["document", "arrays"]


def test_a_part_that_fails_leaves_nothing_and_the_others_stay(tmp_path):
    def fails():
        raise RuntimeError("killed")

    with run_folder(tmp_path, CONFIGURATION) as folder:
        folder.document("first", lambda: {"a": 1})
        with pytest.raises(RuntimeError):
            folder.arrays("second", fails)
    with run_folder(tmp_path, CONFIGURATION) as folder:
        assert folder.document("first", fails) == {"a": 1}
        assert not folder.known("second.npz").exists()


def test_another_configuration_is_refused_unless_told_to_begin_anew(tmp_path):
    with run_folder(tmp_path, CONFIGURATION) as folder:
        folder.document("first", lambda: {"a": 1})
    with (
        pytest.raises(InputError, match=r"another configuration \(neurons: 48 there, 6 now\)") as refused,
        run_folder(tmp_path, {**CONFIGURATION, "neurons": 6}),
    ):
        pass
    assert "\n" not in str(refused.value)
    with run_folder(tmp_path, {**CONFIGURATION, "neurons": 6}, overwrite=True) as folder:
        assert folder.document("first", lambda: {"a": 2}) == {"a": 2}


def test_a_directory_in_use_is_refused(tmp_path):
    with (
        run_folder(tmp_path, CONFIGURATION),
        pytest.raises(InputError, match="another run is working there"),
        run_folder(tmp_path, CONFIGURATION),
    ):
        pass


def test_a_damaged_part_is_named(tmp_path):
    with run_folder(tmp_path, CONFIGURATION) as folder:
        folder.arrays("counts", lambda: {"x": np.zeros(3)})
        folder.known("counts.npz").write_bytes(b"PK no archive")
        with pytest.raises(InputError, match=r"counts.npz: is damaged .*remove it, it is made again"):
            folder.arrays("counts", dict)


def test_time_adds_up_over_calls(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    for spent, total in ((30.0, 30.0), (12.0, 42.0)):
        with run_folder(tmp_path, CONFIGURATION) as folder:
            now[0] += spent
            assert folder.seconds() == pytest.approx(total)
