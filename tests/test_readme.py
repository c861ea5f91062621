"""The README's examples run as printed."""

import math
import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from ketune.fitting import EFFORTS
from ketune.inference import InferenceEffort
from ketune.workflow._estimates import INFERENCE_EFFORTS

README = Path(__file__).parents[1] / "README.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


def test_every_command_line_is_accepted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Arguments are parsed by the real command line; the work itself is replaced by a record of what it was given."""
    import pandas as pd

    from ketune import _console, batch, cli, verify_files, workflow

    calls: list[str] = []
    fit = {"status": "converged", "message": "", "directory": "cell7", "parameters": {}, "tuning": {}}
    for name, result in (
        ("fit_recording", fit),
        ("apply_drug", {"status": "ok", "summary": []}),
        ("explore", {"status": "ok"}),
        ("write_report", {"status": "ok", "report": "cell7/report.html", "summary": []}),
        ("run_exposure", {"status": "ok"}),
        ("describe_exposure", []),
    ):
        monkeypatch.setattr(
            workflow, name, lambda *a, _name=name, _result=result, **k: calls.append(_name) or _result
        )
    monkeypatch.setattr(
        verify_files,
        "translate_files",
        lambda *a, **k: calls.append("translate_files") or {"ok": True, "files": []},
    )
    state = {"name": "b", "jobs": 1, "done": 1, "running": 0, "missing": 0, "failed": [], "others": 0}
    preview = {"counts": {}, "applications": 0, "to_do": [], "job_script": None}
    for name, result in (
        ("preview_batch", preview),
        ("run_batch", {"ok": True, "message": "", "seconds": 1.0, "directory": "", **state}),
        ("batch_status", state),
        ("collect", pd.DataFrame({"job": ["a"]})),
        ("write_table", None),
        ("report_batch", {"status": "ok", "report": "runs/first/report.html", "summary": []}),
    ):
        monkeypatch.setattr(
            batch, name, lambda *a, _name=name, _result=result, **k: calls.append(_name) or _result
        )
    # What `ketune batch` leaves tells a batch from a fit.
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "first").mkdir(parents=True)
    (tmp_path / "runs" / "first" / "batch.json").write_text("{}")
    lines = [line for block in blocks("bash") for line in block.splitlines() if line.startswith("ketune ")]
    for line in lines:
        assert _console.run(cli.app, [*shlex.split(line)[1:], "--json"]) == 0, line
    assert '"status": "converged"' in capfd.readouterr().out
    assert calls == [
        "fit_recording",
        "fit_recording",
        "apply_drug",
        "apply_drug",
        "write_report",
        "apply_drug",
        "explore",
        "write_report",
        "run_exposure",
        "preview_batch",
        "run_batch",
        "batch_status",
        "collect",
        "write_table",
        "report_batch",
        "translate_files",
    ]


@pytest.mark.slow
@pytest.mark.neuron
def test_python_example(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """Runs with the least effort; what it prints is the document's business, that it runs is this test's."""
    tiny = replace(
        EFFORTS["quick"], calibration_sets=3, screening_sets=6, iterations=1, trials=2, window_ms=100.0,
        corrections=((4, 1),), placements=1, draws=1, kept=2, check_trials=4, replay_trials=0,
    )  # fmt: skip
    monkeypatch.setitem(EFFORTS, "quick", tiny)
    monkeypatch.setitem(
        INFERENCE_EFFORTS, "quick", InferenceEffort(screened=16, followed=1, corrections=(4,), draws=0)
    )
    monkeypatch.chdir(tmp_path)
    block = blocks("python")[0]
    exec(compile(block.replace('at=["30 min"],', 'at=["30 min"], trials=4,'), "README.md", "exec"), {})
    assert (tmp_path / "cell7" / "report.html").stat().st_size > 10_000
    assert "ketamine" in capsys.readouterr().out


def test_example_of_an_own_channel(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.chdir(README.parent)
    _, block = blocks("python")
    exec(compile(block, "README.md", "exec"), {})
    current, slope = map(float, capsys.readouterr().out.split())
    m = 1 / (1 + math.exp(5 / 6))
    assert current == pytest.approx(1e-3 * m * 45, rel=1e-5)
    assert slope == pytest.approx(m * 45, rel=1e-5)
