"""What cannot be exported is one line, and nothing is written."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from ketune import _console, cli


@pytest.fixture
def own(fitted: Path, tmp_path: Path) -> Path:
    """A copy of the fit that a test may damage."""
    return Path(shutil.copytree(fitted, tmp_path / "unit7"))


def refused(capfd: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Run `ketune export`; the one line that it says."""
    assert _console.run(cli.app, ["export", *map(str, arguments)]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    (line,) = err.strip().splitlines()
    return line


def edit(path: Path, change) -> None:
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--apply", "gabazine"], "no application 'gabazine'; there are ketamine-bath"),
        (["--to", "petab", "--apply", "ketamine-bath"], "--apply: is for --to neuron"),
        (["--to", "figures", "--trials", "3"], "--trials: is for --to neuron"),
        (["--format", "pdf"], "--format: is for --to figures"),
        (["--trials", "0"], "--trials 0: at least 1"),
        (["--to", "nestml"], "nestml"),
    ],
)
def test_arguments(
    own: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert message in refused(capfd, own, "-o", tmp_path / "out", *arguments)
    assert not (tmp_path / "out").exists()


def test_a_directory_without_a_fit(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert "holds no fit" in refused(capfd, tmp_path / "empty", "-o", tmp_path / "out")


def test_the_fit_itself_is_no_output(own: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = sorted(own.iterdir())
    assert "is the fit itself" in refused(capfd, own, "-o", own, "--overwrite", "--to", "petab")
    assert sorted(own.iterdir()) == before


@pytest.mark.parametrize("key", ["compartments_sha256", "cell_key"])
def test_a_cell_that_has_changed(
    own: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], key: str
) -> None:
    """Its geometry, or only what its mechanisms are set to."""
    edit(own / "fit.json", lambda fit: fit["settings"].update({key: "another"}))
    assert "its cell has changed since the fit" in refused(capfd, own, "-o", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("form", "key"), [("neuron", "kept_sets"), ("neuron", "check"), ("petab", "parameters")]
)
def test_a_damaged_fit(
    own: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], form: str, key: str
) -> None:
    edit(own / "fit.json", lambda fit: fit.pop(key))
    assert f"fit.json: '{key}' is missing" in refused(capfd, own, "--to", form, "-o", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_results_of_an_older_ketune(own: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    edit(own / "apply-ketamine-bath.json", lambda applied: applied["conditions"][1].pop("by_compartment"))
    line = refused(capfd, own, "--apply", "ketamine-bath", "-o", tmp_path / "out")
    assert "apply the drug again" in line
    edit(own / "fit.json", lambda fit: fit["settings"].pop("reading"))
    assert "fit again" in refused(capfd, own, "--to", "petab", "-o", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_output_that_holds_a_result(own: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    arguments = ["export", str(own), "--to", "petab", "-o", str(tmp_path / "out")]
    assert _console.run(cli.app, arguments) == 0
    capfd.readouterr()
    assert "--overwrite" in refused(capfd, *arguments[1:])
    (tmp_path / "out" / "mine.txt").write_text("notes")
    assert _console.run(cli.app, [*arguments, "--overwrite"]) == 0
    assert (tmp_path / "out" / "mine.txt").exists()


@pytest.mark.parametrize("what", ["missing", "another"])
def test_a_recording_that_is_not_the_fitted_one(
    own: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], what: str
) -> None:
    path = own / "recording.csv"
    if what == "missing":
        path.unlink()
    else:
        path.write_text("\n".join(path.read_text().splitlines()[:-10]) + "\n")
        path.write_text(path.read_text().replace("45.0,", "46.0,"))
    assert "recording.csv" in refused(capfd, own, "--to", "petab", "-o", tmp_path / "out")
    assert not (tmp_path / "out").exists()
