"""The compiled library: its cache, its errors, and NEURON's side of loading it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ketune import mechanisms
from ketune.errors import InputError

pytestmark = pytest.mark.neuron

LEAK = """NEURON { SUFFIX %s NONSPECIFIC_CURRENT i }
ASSIGNED { v i }
BREAKPOINT { i = 1e-5*v }
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KETUNE_CACHE_DIR", str(tmp_path / "cache dir"))
    return tmp_path / "cache dir" / "mechanisms"


def entries(cache: Path) -> list[Path]:
    return sorted(path for path in cache.iterdir() if path.is_dir())


def write(folder: Path, name: str, text: str = LEAK) -> Path:
    path = folder / f"{name}.mod"
    path.write_text(text % name if "%s" in text else text)
    return path


def run_python(code: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


def test_two_processes_compile_once_and_agree(cache: Path, tmp_path: Path) -> None:
    path = write(tmp_path, "raced")
    count = tmp_path / "count"
    compiler = tmp_path / "counting-compiler"
    compiler.write_text(f'#!/bin/sh\necho "$@" >> "{count}"\nexec {shutil.which("g++")} "$@"\n')
    compiler.chmod(0o755)
    code = f"from ketune import mechanisms; print(mechanisms.library([{str(path)!r}]))"
    both = [run_python(code, CXX=str(compiler)) for _ in range(2)]
    (first, noise), (second, _) = (process.communicate(timeout=120) for process in both)
    assert [process.returncode for process in both] == [0, 0], noise
    assert first == second
    assert first.count("\n") == 1  # the compiler said nothing on standard output
    assert [Path(first.strip()).parent] == entries(cache)
    assert count.read_text().count("raced.cpp") == 1
    # a third call, in this process, finds it
    assert mechanisms.library([path]) == Path(first.strip())
    assert Path(first.strip()).parent.name == mechanisms.cache_key([path])


def test_a_file_that_neuron_refuses_leaves_no_entry(cache: Path, tmp_path: Path) -> None:
    path = write(tmp_path, "broken", LEAK.replace("1e-5*v", "unheard*v"))
    with pytest.raises(mechanisms.CompilationError, match=r"broken\.mod: nrnivmodl refused") as caught:
        mechanisms.library([path])
    assert "‘unheard’ was not declared" in str(caught.value) or "undeclared" in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 13
    assert entries(cache) == []


def test_missing_tools_are_named(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, "alone")
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        InputError, match=r"needs a C\+\+ compiler \(g\+\+\) and make, .*apt-get install g\+\+ make"
    ):
        mechanisms.library([path])
    assert entries(cache) == []


def test_unwritable_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KETUNE_CACHE_DIR", str(tmp_path / "file"))
    with pytest.raises(InputError, match="set KETUNE_CACHE_DIR to a writable directory"):
        mechanisms.library([write(tmp_path, "alone")])


def test_key_changes_with_text_and_name_and_neuron(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, "keyed")
    keys = [mechanisms.cache_key(), mechanisms.cache_key([path])]
    path.write_text(path.read_text() + ": changed\n")
    keys.append(mechanisms.cache_key([path]))
    keys.append(mechanisms.cache_key([path.rename(tmp_path / "renamed.mod")]))
    monkeypatch.setattr("ketune.mechanisms._library.version", lambda package: "99.0")
    keys.append(mechanisms.cache_key())
    assert len(set(keys)) == len(keys)
    assert mechanisms.cache_key() == keys[-1]


def test_loading_is_idempotent_and_silent(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    mechanisms.load_into_neuron()
    mechanisms.load_into_neuron()
    mechanisms.load_into_neuron(["nav"])  # part of what is there already
    from neuron import h

    section = h.Section()
    for name in mechanisms.names():
        if mechanisms.load(name).kind == "density":
            section.insert(name)
    assert section(0.5).nav.vshift == -10.0
    assert capfd.readouterr().out == ""


def test_a_name_that_neuron_has_already_is_refused(cache: Path, tmp_path: Path) -> None:
    mechanisms.load_into_neuron()
    with pytest.raises(InputError, match=r"hh\.mod: NEURON already has a mechanism 'hh'"):
        mechanisms.load_into_neuron([write(tmp_path, "hh")])
    with pytest.raises(InputError, match=r"nav\.mod: NEURON already has a mechanism 'nav'"):
        mechanisms.load_into_neuron([write(tmp_path, "nav")])
    assert not cache.exists()


def test_the_jax_half_needs_no_compiler(tmp_path: Path) -> None:
    code = "from ketune import mechanisms; print(mechanisms.load('nav').current(-50., {'m': .5, 'h': .5}, "
    code += "{'gbar': 1., 'tadj': 1., 'block': 0., 'ena': 50.}))"
    process = run_python(code, PATH=str(tmp_path), KETUNE_CACHE_DIR=str(tmp_path / "none"))
    out, err = process.communicate(timeout=60)
    assert (process.returncode, float(out)) == (0, -100 * 0.5**4), err
    assert not (tmp_path / "none").exists()
