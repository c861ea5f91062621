"""What a result says about where it comes from."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path

import pytest

import ketune
from ketune import provenance as module
from ketune.provenance import provenance

GIT = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c"]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small package in place of ketune's own files, in a repository that tracks it."""
    folder = tmp_path / "repository" / "package"
    (folder / "mod").mkdir(parents=True)
    (folder / "__init__.py").write_text("a = 1\n")
    (folder / "mod" / "k.mod").write_text("NEURON {}\n")
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"]):
        subprocess.run([*GIT, *arguments], cwd=folder.parent, check=True)
    monkeypatch.setattr(module, "_ROOT", folder)
    return folder


def test_describes_what_the_numbers_depend_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/bin/ketune", "fit", "my data.csv", "-o", "out"])
    found = provenance(seed=7)
    assert found["ketune"]["version"] == ketune.__version__
    assert found["versions"]["jax"] == metadata.version("jax")
    assert found["versions"]["neuron"] == metadata.version("neuron")
    assert found["python"].startswith(f"{sys.version_info.major}.{sys.version_info.minor}.")
    assert found["seed"] == 7
    assert found["command"] == "ketune fit 'my data.csv' -o out"
    assert abs(datetime.fromisoformat(found["date"]) - datetime.now(UTC)) < timedelta(minutes=1)
    assert found["machine"]["cores"] >= 1
    assert found["machine"]["memory_GiB"] > 0
    assert json.loads(json.dumps(found)) == found


def test_hashes_change_with_the_files_they_stand_for(package: Path) -> None:
    before = provenance()
    assert provenance()["ketune"]["sha256"] == before["ketune"]["sha256"]

    (package / "__init__.py").write_text("a = 2\n")
    code_changed = provenance()
    assert code_changed["ketune"]["sha256"] != before["ketune"]["sha256"]
    assert code_changed["mechanisms_sha256"] == before["mechanisms_sha256"]

    (package / "mod" / "k.mod").write_text("NEURON { SUFFIX k }\n")
    assert provenance()["mechanisms_sha256"] != before["mechanisms_sha256"]

    (package / "mod" / "k.mod").write_text("NEURON {}\n")
    assert provenance()["mechanisms_sha256"] == before["mechanisms_sha256"]
    (package / "mod" / "k.mod").rename(package / "mod" / "k2.mod")
    assert provenance()["mechanisms_sha256"] != before["mechanisms_sha256"]


def test_commit_and_whether_files_differ_from_it(package: Path) -> None:
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=package, capture_output=True, text=True
    ).stdout.strip()
    assert provenance()["ketune"]["git"] == {"commit": head, "modified": False}
    (package / "__init__.py").write_text("a = 2\n")
    assert provenance()["ketune"]["git"] == {"commit": head, "modified": True}


def test_installed_copy_does_not_take_somebody_elses_commit(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = package.parent / ".venv" / "package"
    shutil.copytree(package, installed)
    monkeypatch.setattr(module, "_ROOT", installed)
    assert provenance()["ketune"]["git"] is None


def test_works_without_git(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert provenance()["ketune"]["git"] is None
