"""The shipped configuration of twelve real fits, through the command line, and what is made of its results."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import polars
import pytest

from ketune.batch import BatchFolder, batch_status, collect, differences

CONFIGURATION = Path(__file__).parents[2] / "fits" / "ci_batch.toml"

pytestmark = [pytest.mark.slow, pytest.mark.neuron]


def ketune(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ketune", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def batch(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("batch") / "ci"
    done = ketune("batch", CONFIGURATION, "-o", out, "--workers", 2, "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["jobs"], answer["done"], answer["failed"]) == (12, 12, [])
    return out


def test_status_as_json(batch):
    answer = json.loads(ketune("batch", "status", batch, "--json").stdout)
    assert {k: answer[k] for k in ("jobs", "done", "running", "missing", "failed")} == {
        "jobs": 12,
        "done": 12,
        "running": 0,
        "missing": 0,
        "failed": [],
    }


def test_a_second_run_does_nothing(batch):
    before = {path: path.stat().st_mtime_ns for path in (batch / "jobs").rglob("*")}
    assert ketune("batch", CONFIGURATION, "-o", batch).returncode == 0
    assert {path: path.stat().st_mtime_ns for path in (batch / "jobs").rglob("*")} == before


def test_one_row_for_each_fit_and_condition(batch):
    table = collect(batch)
    # Recorded, control, and of each of two applications before and 30 min.
    assert len(table) == 12 * (2 + 2 * 2)
    assert table["job"].nunique() == 12
    assert set(table["recording"]) == {"before", "under drug"}
    assert set(table["application"].dropna()) == {"nmda-only", "all-targets"}
    assert sorted(table.loc[table["drug"].notna(), "time_min"].dropna().unique()) == [30.0]
    one = table[(table["seed"] == 3) & (table["recording"] == "under drug")]
    (directory,) = (p for k, p in BatchFolder(batch).done().items() if k == one["job"].iloc[0])
    fit = json.loads((directory / "fit.json").read_text())
    assert set(one["fit.nmda_nS"]) == {fit["parameters"]["nmda_nS"]["value"]}
    control = one[one["condition"] == "control"].iloc[0]
    assert control["preferred_deg"] == fit["summary"]["spiking"]["preferred_deg"]
    # The neuron's peak rate, and the afferents', which is a parameter.
    assert control["peak_rate_hz"] == fit["summary"]["spiking"]["peak_rate_hz"]
    assert control["fit.peak_rate_hz"] == fit["parameters"]["peak_rate_hz"]["value"]
    assert control["peak_rate_hz"] != control["fit.peak_rate_hz"]
    assert control["fit.nmda_nS.verdict"] == fit["identifiability"]["nmda_nS"]["verdict"]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_the_table_is_read_by_pandas_and_polars(batch, tmp_path, ending):
    path = tmp_path / f"table.{ending}"
    answer = json.loads(ketune("collect", batch, "-o", path, "--json").stdout)
    table = collect(batch)
    assert (answer["rows"], answer["jobs"]) == (len(table), 12)
    by_pandas = pd.read_csv(path) if ending == "csv" else pd.read_parquet(path)
    by_polars = (
        polars.read_csv(path, infer_schema_length=None) if ending == "csv" else polars.read_parquet(path)
    )
    for column in ("peak_rate_hz", "fit.nmda_nS", "shift_deg"):
        expected = table[column].astype(float).to_numpy()
        np.testing.assert_allclose(by_pandas[column].astype(float), expected)
        found = by_polars[column].cast(polars.Float64).fill_null(float("nan")).to_numpy()
        np.testing.assert_allclose(found, expected)
    again = ketune("collect", batch, "-o", path)
    assert again.returncode == 2
    assert "is there already; choose another name, or add --overwrite" in again.stderr


def test_a_job_again_gives_the_same_numbers_and_a_changed_one_does_not(batch, tmp_path):
    job = next(p for p in BatchFolder(batch).done().values() if "before-small-seed-2" in p.name)
    # Elsewhere, in a process that has done nothing before: batches can be moved.
    moved = tmp_path / "moved"
    shutil.copytree(batch, moved)
    done = ketune("rerun", moved / "jobs" / job.name)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "the same numbers"
    changed = moved / "jobs" / job.name / "fit.json"
    text = changed.read_text()
    fit = json.loads(text)
    fit["parameters"]["nmda_nS"]["value"] *= 1 + 1e-9
    changed.write_text(json.dumps(fit))
    (one,) = differences(moved / "jobs" / job.name, job)
    assert (one["file"], one["key"]) == ("fit.json", "parameters.nmda_nS.value")


def test_provenance_of_a_job(batch):
    record = json.loads((next(iter(BatchFolder(batch).done().values())) / "job.json").read_text())
    own = record["provenance"]
    assert {"ketune", "versions", "mechanisms_sha256", "machine", "seed", "date"} <= own.keys()
    assert own["command"] == f"ketune rerun {own['command'].split()[-1]}"
    assert (batch / own["command"].split()[-1]).is_dir()
    assert record["inputs"]["recording"]["sha256"]
    assert record["seconds"] > 0
    assert record["host"]


def test_interrupted_by_ctrl_c_it_says_so_and_goes_on(batch, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(batch, out)
    for directory in sorted(BatchFolder(out).done().values())[:3]:
        shutil.rmtree(directory)
    command = [sys.executable, "-m", "ketune", "batch", str(CONFIGURATION), "-o", str(out), "--workers", "1"]
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    deadline = time.monotonic() + 240
    while not BatchFolder(out).running() and time.monotonic() < deadline:
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    done = batch_status(out)["done"]
    assert 9 <= done < 12
    assert (
        said.splitlines()[-1]
        == f"Error: interrupted: {done} of 12 jobs are done and kept; the same command goes on"
    )
    assert list((out / "unfinished").iterdir()) == []


def test_page_of_a_batch_that_is_not_finished(batch, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(batch, out)
    folder = BatchFolder(out)
    for directory in sorted(folder.done().values())[:10]:
        shutil.rmtree(directory)
    (given_up, *_) = [job for job in folder.jobs if job.key not in folder.done()]
    folder.give_up(given_up, [{"kind": "time limit", "reason": "took longer than 9 s", "seed": 1}])
    done = ketune("report", out, "--each", "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["jobs"], answer["done"], answer["report"]) == (12, 2, str(out / "report.html"))
    page = (out / "report.html").read_text()
    assert "1 failed, 0 running, 9 missing" in page
    assert "took longer than 9 s" in page
    for directory in folder.done().values():
        assert (directory / "report.html").exists()
        assert f'"jobs/{directory.name}/report.html"' in page


def test_bad_input_is_one_line_and_exit_code_2(tmp_path):
    newer = tmp_path / "newer"
    newer.mkdir()
    (newer / "batch.json").write_text('{"format": "ketune-batch/2"}')
    for arguments, message in (
        (["batch", tmp_path / "no.toml"], "cannot read the batch configuration"),
        (["batch", "status", tmp_path], "holds no batch"),
        (["batch", CONFIGURATION, "--slurm", "--pbs"], "--slurm and --pbs: choose one queueing system"),
        (["batch", CONFIGURATION, "--queue-option", "walltime=1"], "add one of them"),
        (["batch", CONFIGURATION, "--scheduler", "tcp://h:1", "--workers", 2], "leave out --workers"),
        (["collect", tmp_path, "-o", "table.xls"], "give .csv or .parquet"),
        (["rerun", tmp_path], "holds no job"),
        (["report", newer], "batch format 2, this ketune reads 1"),
        (["report", newer, tmp_path], "is a batch or a run of `ketune reproduce`; report it alone"),
        (["report", tmp_path, "--each"], "--each: is for a batch"),
        (["report", tmp_path, "--verdicts", tmp_path], "--verdicts: is for a batch"),
        (["report", tmp_path], "holds no fit"),
    ):
        done = ketune(*arguments)
        assert done.returncode == 2
        assert done.stderr.startswith("Error: ")
        assert message in done.stderr
        assert done.stderr.count("\n") == 1
