"""The examples of docs/own-mechanisms.md run as printed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ketune import _console, cli

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "own-mechanisms.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def run(sources: list[str]) -> dict[str, Any]:
    """Run one after the other, as a reader would."""
    namespace: dict[str, Any] = {}
    for block in sources:
        exec(compile(block, "own-mechanisms.md", "exec"), namespace)
    return namespace


def test_a_channel_and_an_event_from_python(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(ROOT)
    *by_hand, _ = blocks("python")
    found = run(by_hand)
    after = [float(x) for x in capsys.readouterr().out.split()[-3:]]
    assert after == [0.5, 0.75, 0.875]
    clamp, h = found["clamp"], 1e-2
    slope = float(clamp(-35.0 + h)[99] - clamp(-35.0 - h)[99]) / (2 * h)
    assert float(found["jax"].grad(lambda x: clamp(x)[99])(-35.0)) == pytest.approx(slope, rel=1e-2)


@pytest.mark.neuron
def test_own_files_in_a_cell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.chdir(ROOT)
    run(blocks("python")[-1:])
    mine, neurons, difference = map(float, capsys.readouterr().out.split())
    assert mine == neurons > 0
    assert difference <= 1e-6


def test_the_toml_is_that_of_the_example() -> None:
    (shown,) = blocks("toml")
    assert shown in (ROOT / "docs" / "examples" / "my_cell.toml").read_text(encoding="utf-8")


@pytest.mark.neuron
def test_the_command(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture) -> None:
    monkeypatch.chdir(ROOT)
    (line,) = blocks("bash")
    assert _console.run(cli.app, [*line.split()[1:], "--duration", "50 ms", "--json"]) == 0
    entries = json.loads(capfd.readouterr().out)["files"]
    for entry in entries:
        assert f"{entry['mechanism']} ({entry['kind']}), states: {', '.join(entry['states'])}" in TEXT
        assert f"constructs: {', '.join(entry['constructs'])}" in TEXT


def test_kinds_of_synapses_and_links() -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", TEXT):
        assert (ROOT / "docs" / target).exists(), target
