"""What the whole jobs refuse: one line, exit code 2, nothing written."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from ketune import _console, cli
from ketune.afferents import Drive
from ketune.storage import result_directory, write_json

HEADER = "orientation_deg,trial,spikes,window_s\n"
GOOD = HEADER + "".join(f"{o},{t},{t + o // 30},1.0\n" for o in (0, 45, 90, 135) for t in range(1, 4))


def run(capfd: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Run the command, check how it fails, and return the line."""
    code = _console.run(cli.app, [str(a) for a in arguments])
    out, err = capfd.readouterr()
    assert code == 2, err
    assert out == ""
    assert "Traceback" not in err
    # On a busy machine progress may show itself before.
    *_, line = err.splitlines(keepends=True)
    assert line.startswith("Error: ")
    assert err.count("Error") == 1
    return line


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "empty"),
        (HEADER, ""),
        ("orientation_deg,trial\n0,1\n", "spikes"),
        (GOOD.replace("45,1,2", "45,1,-2"), "-2"),
        (GOOD.replace("45,1,2", "45,1,2.5"), "2.5"),
        (GOOD.replace("45,1,2", "45,1,many"), "many"),
        (HEADER + "90,1,3,1.0\n90,2,4,1.0\n", "orientation"),
        (GOOD.replace("\n45,", "\n0.785,").replace("\n90,", "\n1.571,").replace("\n135,", "\n2.356,"), "--radians"),
        (GOOD.replace(",window_s", "").replace(",1.0\n", "\n"), "--window"),
    ],
    ids=["empty", "no rows", "no column", "negative", "no integer", "words", "one orientation", "radians", "no window"],
)  # fmt: skip
def test_recordings_that_cannot_be_fitted(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], content: str, message: str
) -> None:
    data = tmp_path / "unit.csv"
    data.write_text(content)
    line = run(capfd, "fit", data, "-o", tmp_path / "out")
    assert "unit.csv" in line
    assert message in line
    assert not (tmp_path / "out").exists()


def test_a_recording_that_is_not_there(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert "nowhere.csv" in run(capfd, "fit", tmp_path / "nowhere.csv", "-o", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("tree.swc", "1 1 0 0 0 5 -1\n2 3 0 10 0 1 7\n", ""),
        ("tree.swc", "1 1 0 0 0 5 -1\n2 3 0 10 0 1 1\n3 1 50 0 0 5 -1\n4 3 50 10 0 1 3\n", ""),
        ("tree.txt", "1 1 0 0 0 5 -1\n", ".txt"),
    ],
    ids=["missing parent", "two roots", "unknown kind"],
)
def test_morphologies_that_cannot_be_read(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str, content: str, message: str
) -> None:
    (tmp_path / "unit.csv").write_text(GOOD)
    (tmp_path / name).write_text(content)
    line = run(capfd, "fit", tmp_path / "unit.csv", "-o", tmp_path / "out", "--morphology", tmp_path / name)
    assert name in line
    assert message in line
    assert not (tmp_path / "out").exists()


def test_models_that_cannot_be_built(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "unit.csv").write_text(GOOD)
    (tmp_path / "mine.toml").write_text("name = 'mine'\n")
    line = run(capfd, "fit", tmp_path / "unit.csv", "-o", tmp_path / "out", "--model", tmp_path / "mine.toml")
    assert "mine.toml" in line
    assert not (tmp_path / "out").exists()


def test_an_output_that_is_a_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "unit.csv").write_text(GOOD)
    (tmp_path / "out").write_text("mine")
    assert "is a file" in run(capfd, "fit", tmp_path / "unit.csv", "-o", tmp_path / "out")
    assert (tmp_path / "out").read_text() == "mine"


@pytest.fixture
def fit_directory(tmp_path: Path) -> Path:
    """What a fit leaves, as far as `ketune apply` reads it before it begins to work."""
    directory = tmp_path / "fit"
    document = {
        "settings": {
            "seed": 1,
            "cell": {"model": None, "morphology": None},
            "compartments_sha256": "another",
            "drive": Drive().as_dict(),
        }
    }
    with result_directory(directory, "fit") as folder:
        write_json(folder / "fit.json", document, "ketune-fit/1")
    return directory


def test_a_fit_of_an_older_version(fit_directory: Path, capfd: pytest.CaptureFixture[str]) -> None:
    document = json.loads((fit_directory / "fit.json").read_text())
    del document["settings"]["drive"]
    (fit_directory / "fit.json").write_text(json.dumps(document))
    line = run(capfd, "apply", fit_directory, "--dose", "10 mg/ml", "--at", "30 min")
    assert "older ketune" in line


@pytest.mark.parametrize(
    ("rows", "rate", "message"),
    [("", "2", "unit"), ("", "2 mV", "--spontaneous"), (",1,2,1.0\n,2,0,1.0\n", "2 Hz", "blank")],
    ids=["no unit", "no rate", "recorded anyway"],
)
def test_a_spontaneous_rate_that_cannot_be_used(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], rows: str, rate: str, message: str
) -> None:
    (tmp_path / "unit.csv").write_text(GOOD + rows)
    line = run(capfd, "fit", tmp_path / "unit.csv", "-o", tmp_path / "out", "--spontaneous", rate)
    assert message in line
    assert not (tmp_path / "out").exists()


def files_of(directory: Path) -> dict[str, bytes]:
    return {str(p.relative_to(directory)): p.read_bytes() for p in directory.rglob("*") if p.is_file()}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dose", "10 mg/ml", "--at", "30 min", "--drug", "placebo"], "ketamine"),
        (["--dose", "10", "--at", "30 min"], "--dose"),
        (["--dose", "10 min", "--at", "30 min"], "--dose"),
        (["--dose", "much", "--at", "30 min"], "--dose"),
        (["--dose", "10 mg/ml", "--at", "30"], "--at"),
        (["--dose", "10 mg/ml", "--at", "30 um"], "--at"),
        (["--dose", "10 mg/ml", "--at", "30 min", "--route", "oral"], "topical"),
        (["--dose", "10 mg/ml", "--at", "30 min", "--soma-depth", "300"], "--soma-depth"),
        (["--dose", "10 mg/ml", "--at", "30 min", "--lateral-distance", "3 min"], "--lateral-distance"),
        (["--dose", "10 mg/ml", "--at", "30 min", "--trials", "1"], "--trials"),
        (["--dose", "10 mg/ml"], "--at"),
        (["--at", "30 min"], "--dose: say how much"),
        (["--dose", "30 mg/kg", "--at", "30 min"], "--dose"),
        (["--dose", "10 mg/ml", "--at", "30 min", "--route", "ip"], "--dose"),
        (["--dose", "-1 uM", "--at", "30 min", "--route", "bath"], "negative"),
        (["--dose", "10 mg/ml", "--at", "30 min", "--at", "5 min"], "--at '5 min' does not come after '30 min'"),
        (["--dose", "10 mg/ml", "--at", "30 min", "--targets", "cal"], "--targets: the cell"),
        (["--dose", "10 mg/ml", "--at", "30 min", "--targets", "d2"], "--targets: unknown target 'd2'"),
        (["--dose", "10 mg/ml", "--at", "30 min", "--targets", "ampa"], "not known to act on ampa"),
        (["--dose", "10 mg/ml", "--at", "30 min", "--targets", "nmda", "--without", "nmda"], "nothing is left"),
        (["--dose", "10 mg/ml", "--at", "30 min", "--set", "hcn1.ec5=3 uM"], "unknown parameter 'hcn1.ec5'"),
        (["--dose", "10 mg/ml", "--at", "30 min", "--set", "hcn1.ec50"], "--set 'hcn1.ec50': write NAME=VALUE"),
        (["--dose", "10 mg/ml", "--at", "30 min", "--baseline", "isoflurane"], "--baseline 'isoflurane'"),
        (["--dose", "10 mg/ml", "--at", "30 min", "--baseline", "ketamine 30 min"], "--baseline ketamine"),
        (["--dose", "10 mg/ml", "--at", "30 min", "--soma-depth", "5 mm"], "outside the cortex"),
        (["--dose", "10 mg/ml", "--at", "30 min", "--set", "hcn1.ec50=67"], "--set hcn1.ec50"),
        (["--dose", "10 mg/ml", "--at", "30 min", "--assay", "no.csv"], "no.csv: cannot be read"),
        (["--doses", "0.1uM:1mM"], "--doses"),
        (["--doses", "1mM:0.1uM:log12"], "doses must rise"),
        (["--doses", "0.1uM:1mM:log12", "--samples", "3"], "--samples 3"),
        (["--doses", "1 mg/kg:9 mg/kg:lin3"], "--doses"),
        (["--protocol", "no.toml"], "no.toml: cannot read the protocol"),
        (["--dose", "10 mg/ml", "--at", "30 min"], "fit again"),
    ],
    ids=[
        "unknown drug", "dose without unit", "dose in minutes", "dose in words", "time without unit", "time in um",
        "unknown route", "depth without unit", "distance in minutes", "one trial", "no time", "no dose",
        "dose per weight on the cortex", "concentration injected", "negative", "times in disorder",
        "target the cell lacks", "unknown target", "target the drug lacks", "no target left", "unknown number",
        "number without value", "baseline without amount", "baseline in minutes", "too deep",
        "setting without unit", "no assay", "no spacing", "falling doses", "few samples", "doses by weight in a bath",
        "no protocol",
        "another cell",
    ],
)  # fmt: skip
def test_applications_that_cannot_be_made(
    fit_directory: Path, capfd: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    before = files_of(fit_directory)
    assert message in run(capfd, "apply", fit_directory, *arguments)
    assert files_of(fit_directory) == before


@pytest.mark.parametrize("what", ["no directory", "empty directory", "another file", "a newer format"])
def test_directories_that_hold_no_fit(
    tmp_path: Path, fit_directory: Path, capfd: pytest.CaptureFixture[str], what: str
) -> None:
    directory = tmp_path / "other"
    if what == "empty directory":
        directory.mkdir()
    elif what == "another file":
        directory.mkdir()
        (directory / "fit.json").write_text(json.dumps({"mine": 1}))
    elif what == "a newer format":
        shutil.copytree(fit_directory, directory)
        (directory / "fit.json").write_text(json.dumps({"format": "ketune-fit/99"}))
    for arguments in (["apply", directory, "--dose", "10 mg/ml", "--at", "30 min"], ["report", directory]):
        line = run(capfd, *arguments)
        assert "other" in line
    left = files_of(directory) if directory.exists() else {}
    assert set(left) <= {"fit.json", "ketune.json"}
