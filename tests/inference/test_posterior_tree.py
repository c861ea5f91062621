"""A posterior on disk comes back as it was, opens in ArviZ, and is never read damaged."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ketune.errors import InputError
from ketune.inference import posterior_tree, read_posterior, write_posterior

RNG = np.random.default_rng(0)
GROUPS = {
    "posterior": {
        "nmda_nS": RNG.lognormal(size=(4, 50)),
        "preferred_basal_deg": RNG.uniform(0, 180, (4, 50)),
    },
    "sample_stats": {"diverging": RNG.random((4, 50)) < 0.1, "lp": RNG.normal(size=(4, 50))},
    "prior": {"nmda_nS": RNG.lognormal(size=(1, 80)), "preferred_basal_deg": RNG.uniform(0, 180, (1, 80))},
    "posterior_predictive": {"spikes_control": RNG.poisson(9, (4, 50, 3, 5))},
    "observed_data": {"spikes_control": RNG.poisson(9, (3, 5)).astype(float)},
    "constant_data": {"window_s": 0.5, "drug": np.array(["none", "ketamine"])},
}
DIMS = {"spikes_control": ("orientation", "trial"), "drug": ("condition",)}
COORDS = {"orientation": [0.0, 60.0, 120.0], "condition": ["control", "ketamine"]}


def example() -> xr.DataTree:
    return posterior_tree(
        GROUPS,
        dims=DIMS,
        coords=COORDS,
        units={"nmda_nS": "nS"},
        meaning={"nmda_nS": "peak NMDA conductance of one synapse"},
        attributes={"inference_library": "numpyro", "seed": 7, "sampling_time": 1.25},
    )


def test_a_tree_comes_back_as_it_was(tmp_path: Path):
    tree = example()
    back = read_posterior(write_posterior(tmp_path / "posterior.nc", tree))
    assert back.identical(tree)
    for group, variables in GROUPS.items():
        for name, values in variables.items():
            np.testing.assert_array_equal(back[group][name].values, values)
    assert back.attrs["format"] == "ketune-posterior/1"
    assert back["posterior"].attrs["seed"] == 7
    assert back["posterior"]["nmda_nS"].attrs == {
        "units": "nS",
        "long_name": "peak NMDA conductance of one synapse",
    }
    assert back["posterior"]["nmda_nS"].dims == ("chain", "draw")
    assert back["posterior_predictive"]["spikes_control"].dims == ("chain", "draw", "orientation", "trial")
    np.testing.assert_array_equal(back["observed_data"]["orientation"], COORDS["orientation"])
    assert [p.name for p in tmp_path.iterdir()] == ["posterior.nc"]


@settings(max_examples=20)
@given(arrays(np.float64, (2, 3)))
def test_every_float_survives(values: np.ndarray):
    tree = posterior_tree({"posterior": {"x": values}})
    with tempfile.TemporaryDirectory() as folder:
        back = read_posterior(write_posterior(Path(folder) / "p.nc", tree))
    np.testing.assert_array_equal(back["posterior"]["x"].values, values)


def test_arviz_reads_and_summarises_it(tmp_path: Path):
    arviz_stats = pytest.importorskip("arviz_stats")
    path = write_posterior(tmp_path / "posterior.nc", example())
    with xr.open_datatree(path, engine="h5netcdf") as tree:
        summary = arviz_stats.summary(tree, round_to="none")
    assert list(summary.index) == ["nmda_nS", "preferred_basal_deg"]
    np.testing.assert_allclose(summary["mean"], [x.mean() for x in GROUPS["posterior"].values()])
    assert (summary["r_hat"] < 1.1).all()


@settings(max_examples=20)
@given(st.floats(0.0, 0.98))
def test_a_truncated_file_gets_one_line(share: float):
    with tempfile.TemporaryDirectory() as folder:
        tree = posterior_tree({"posterior": {"x": GROUPS["posterior"]["nmda_nS"]}})
        path = write_posterior(Path(folder) / "p.nc", tree)
        whole = path.read_bytes()
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(InputError, match=r"p\.nc: not a netCDF4 file, or damaged") as caught:
            read_posterior(path)
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # h5netcdf's, of files it cannot open
def test_a_damaged_file_is_refused_or_read_right(tmp_path: Path):
    draws = RNG.normal(size=(4, 500))
    path = write_posterior(tmp_path / "p.nc", posterior_tree({"posterior": {"x": draws}}))
    whole = path.read_bytes()
    refused = []
    for at in np.random.default_rng(1).integers(0, len(whole), 60):
        broken = bytearray(whole)
        broken[at] ^= 0xFF
        path.write_bytes(broken)
        message, posterior = _try_to_read(path)
        if message:
            refused.append(message)
        else:
            assert "x" not in posterior or np.array_equal(posterior["x"].values, draws)
    assert len(refused) > 20
    assert not any("\n" in line for line in refused)


def _try_to_read(path: Path):
    try:
        return "", read_posterior(path)["posterior"]
    except InputError as error:
        return str(error), None


def test_other_files_and_versions_get_one_line(tmp_path: Path):
    tree = example()
    for name, format, message in (
        (
            "new.nc",
            "ketune-posterior/2",
            "posterior format 2, this ketune reads 1; use the ketune that wrote it",
        ),
        ("other.nc", "ketune-fit/1", "not a posterior of ketune"),
    ):
        tree.attrs["format"] = format
        with pytest.raises(InputError, match=message):
            read_posterior(write_posterior(tmp_path / name, tree))
    xr.Dataset({"a": 1}).to_netcdf(tmp_path / "plain.nc", engine="h5netcdf")
    with pytest.raises(InputError, match="'format' is None"):
        read_posterior(tmp_path / "plain.nc")
    (tmp_path / "text.nc").write_text("no netCDF")
    with pytest.raises(InputError, match="damaged"):
        read_posterior(tmp_path / "text.nc")
    for missing in (tmp_path / "none.nc", tmp_path):
        with pytest.raises(InputError, match="no such file"):
            read_posterior(missing)


FULL_DISK = """
import resource, sys
import numpy as np
from ketune.errors import InputError
from ketune.inference import posterior_tree, write_posterior
draws = np.random.default_rng(1).normal(size=(4, 20_000))
tree = posterior_tree({"posterior": {"a": draws}})
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    write_posterior(sys.argv[1], tree)
except InputError as error:
    print(error)
"""


def test_a_disk_that_fills_up_gets_one_line_and_not_a_crash(tmp_path: Path):
    """HDF5 brings the process down when it cannot write what it has buffered."""
    path = tmp_path / "posterior.nc"
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{path}: cannot be written (File too large)")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path):
    with pytest.raises(InputError, match="cannot be written"):
        write_posterior(tmp_path / "nowhere" / "p.nc", example())
    path = write_posterior(tmp_path / "p.nc", example())
    before = path.read_bytes()
    broken = example()
    broken.attrs["bad"] = object()
    with pytest.raises(TypeError):
        write_posterior(path, broken)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["p.nc"]


@pytest.mark.parametrize(
    ("groups", "dims", "message"),
    [
        ({"prior": {}}, {}, "groups are prior; give posterior"),
        ({"posterior": {}, "extra": {}}, {}, "groups are posterior, extra"),
        (
            {"posterior": {"a": np.zeros(5)}},
            {},
            r"a in posterior has shape \(5,\) for the dimensions \(chain, draw\)",
        ),
        ({"posterior": {"a": np.zeros((2, 5)), "b": np.zeros((2, 6))}}, {}, "draw differs"),
        ({"posterior": {"a": np.zeros((2, 5, 3))}}, {}, "name its further dimensions"),
        (
            {"posterior": {"a": np.zeros((2, 5, 4))}},
            {"a": ("orientation",)},
            "orientation has 3 values for 4",
        ),
    ],
)
def test_arrays_that_do_not_fit_are_refused(groups, dims, message: str):
    with pytest.raises(InputError, match=message):
        posterior_tree(groups, dims=dims, coords={"orientation": [0, 60, 120]})
