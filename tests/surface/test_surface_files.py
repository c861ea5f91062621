"""Surfaces as files: what is written is read back, what is none gets one line."""

import json
from io import BytesIO

import numpy as np
import pytest

from ketune.errors import InputError
from ketune.surface import Surface, SurfaceError


@pytest.fixture
def saved(made_up_surface, tmp_path):
    path = tmp_path / "cell.npz"
    made_up_surface.save(path)
    return path


def refused(path):
    with pytest.raises(InputError) as caught:
        Surface.load(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: ")
    assert message.count("remove it") == 1
    return message


def test_round_trip(made_up_surface, saved):
    again = Surface.load(saved)
    assert again.error == made_up_surface.error
    assert again.made == made_up_surface.made
    for name in ("centre", "scale", "low", "high"):
        np.testing.assert_array_equal(getattr(again, name), getattr(made_up_surface, name))
    x = made_up_surface.centre + np.random.default_rng(0).normal(size=(20, 10))
    for a, b in zip(again.moments(x), made_up_surface.moments(x), strict=True):
        np.testing.assert_array_equal(a, b)


def test_measured_error_survives(made_up_surface, tmp_path):
    error = SurfaceError(0.1, 0.2, ((0.1, 1.0, 1.01, 0.02), (1.0, 4.0, 0.98, 0.01)))
    surface = Surface(
        *(getattr(made_up_surface, n) for n in ("weights", "centre", "scale", "low", "high")), error
    )
    surface.save(tmp_path / "measured.npz")
    assert Surface.load(tmp_path / "measured.npz").error == error


def test_truncated_at_any_place(saved):
    whole = saved.read_bytes()
    for share in np.linspace(0, 0.999, 25):
        saved.write_bytes(whole[: int(share * len(whole))])
        refused(saved)


def test_damaged_bytes_are_told_or_do_not_matter(made_up_surface, saved):
    whole = saved.read_bytes()
    rng = np.random.default_rng(2)
    told = []
    for _ in range(150):
        damaged = bytearray(whole)
        damaged[rng.integers(len(whole))] ^= int(rng.integers(1, 256))
        saved.write_bytes(bytes(damaged))
        try:
            surface = Surface.load(saved)
        except InputError as error:
            told.append(str(error))
        else:
            np.testing.assert_array_equal(surface.centre, made_up_surface.centre)
    assert len(told) > 50
    assert not any("\n" in message for message in told)


def as_array(array):
    buffer = BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def as_archive(**arrays):
    buffer = BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"a text\n",
        as_array(np.zeros(3)),
        as_archive(x=np.zeros(3)),
        as_archive(about=np.array("no JSON")),
        as_archive(about=np.array("[1]")),
        as_archive(about=np.array(json.dumps({"format": 3}))),
        as_archive(about=np.array([{}], dtype=object)),
    ],
)
def test_something_else(tmp_path, content):
    path = tmp_path / "other.npz"
    path.write_bytes(content)
    refused(path)


def test_missing_and_folder(tmp_path):
    assert "No such file" in refused(tmp_path / "missing.npz")
    refused(tmp_path)


@pytest.mark.parametrize("change", [{"format": "ketune-surface/99"}, {"inputs": ["basal_hz"]}])
def test_another_version(saved, change):
    with np.load(saved) as file:
        arrays = dict(file)
    about = json.loads(str(arrays["about"])) | change
    np.savez(saved, **(arrays | {"about": np.array(json.dumps(about))}))
    assert (
        refused(saved)
        == f"{saved}: a response surface of another version of ketune; remove it, it is built again"
    )
