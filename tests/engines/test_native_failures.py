"""Where the kernel cannot be compiled, kept or loaded: one warning that says why, then XLA; never a crash."""

import os
import re
import stat
import subprocess
import sys
import warnings
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from ketune import _compiled
from ketune._compiled import compiler
from ketune.engines import create, describe
from ketune.engines.jax_engine import JaxEngine
from ketune.engines.native_engine import NativeEngine
from ketune.verify_cases import DT_ms, mechanism_case

COMPILER = compiler()
pytestmark = pytest.mark.skipif(COMPILER is None, reason="needs a C++ compiler")

_X86_LINUX = Path("/proc/cpuinfo").exists() and "sse4_2" in Path("/proc/cpuinfo").read_text()

# Of a compiler's command line, the file that it is to write.
_EACH_OUTPUT = 'while [ $# -gt 1 ]; do [ "$1" = -o ] && output=$2; shift; done;'
_NOT_THE_CACHES_FAULT = "^(?!.*KETUNE_CACHE_DIR)"


OPTIONS = {"dt_ms": DT_ms, "dtype": np.float64}


@cache
def case():
    return mechanism_case("AMPA", 5.0)


@cache
def expected():
    return JaxEngine(case().cell, **OPTIONS).run(case().events).v_mV


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch, tmp_path):
    """A cache of the test's own, so that every test compiles."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("KETUNE_CACHE_DIR", str(folder))
    return folder


def compiler_script(folder: Path, body: str) -> str:
    """A program in the place of the compiler, which the real one is the first argument of."""
    path = folder / "compiler"
    path.write_text(f"#!/bin/sh\nreal={COMPILER}\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def assert_runs_under_xla(engine, match):
    """Two runs: one warning in one line in which the pattern is found, and the twin's voltages."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        runs = [engine.run(case().events) for _ in range(2)]
    told = [str(w.message) for w in caught]
    assert len(told) == 1, told
    assert "\n" not in told[0]
    assert re.search(match, told[0]), told[0]
    for run in runs:
        np.testing.assert_array_equal(run.v_mV, expected())


def libraries(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.so"))


def runs_natively(engine) -> bool:
    """Whether it gives the twin's voltages, without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_allclose(engine.run(case().events).v_mV, expected(), rtol=0, atol=1e-9)
    return describe(engine)["name"] == "native"


def test_what_works_here_gives_no_warning(empty_cache):
    assert runs_natively(NativeEngine(case().cell, **OPTIONS))
    assert len(libraries(empty_cache)) == 1


@pytest.mark.parametrize("setting", ["PATH", "CXX"])
def test_no_compiler(monkeypatch, tmp_path, setting):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv(setting, str(tmp_path / "nothing"))
    assert_runs_under_xla(NativeEngine(case().cell, **OPTIONS), r"no C\+\+ compiler")
    assert type(create(case().cell, **OPTIONS)) is JaxEngine


def test_the_provenance_says_why(monkeypatch):
    monkeypatch.setenv("CXX", "false")
    engine = NativeEngine(case().cell, **OPTIONS)
    with pytest.warns(UserWarning, match="exit status 1"):
        engine.run(case().events)
    what = describe(engine)
    assert what["name"] == "xla"
    assert "exit status 1" in what["not_native"]


@pytest.mark.parametrize(
    ("body", "match"),
    [
        ("echo 'out of luck' >&2; exit 1", "out of luck"),
        ("exit 1", "exit status 1"),
        ("exit 0", _NOT_THE_CACHES_FAULT),
        (f"{_EACH_OUTPUT} echo garbage > $output", _NOT_THE_CACHES_FAULT),
        ("kill -9 $$", "-9"),
    ],
    ids=["fails", "fails silently", "writes nothing", "writes garbage", "is killed"],
)
def test_a_compiler_that_does_not_compile(monkeypatch, tmp_path, empty_cache, body, match):
    monkeypatch.setenv("CXX", compiler_script(tmp_path, body))
    assert_runs_under_xla(NativeEngine(case().cell, **OPTIONS), match)
    assert not list(empty_cache.rglob("build-*"))


def test_garbage_is_not_kept(monkeypatch, tmp_path, empty_cache):
    """After a compiler that wrote garbage, one that works."""
    monkeypatch.setenv("CXX", compiler_script(tmp_path, f"{_EACH_OUTPUT} echo garbage > $output"))
    assert_runs_under_xla(NativeEngine(case().cell, **OPTIONS), _NOT_THE_CACHES_FAULT)
    compiler_script(tmp_path, 'exec $real "$@"')
    assert runs_natively(NativeEngine(case().cell, **OPTIONS))


def test_a_kernel_that_lacks_what_is_called(monkeypatch, tmp_path):
    """A library that loads, of something else."""
    other = tmp_path / "other.cpp"
    other.write_text("int nothing() { return 0; }\n")
    body = f"{_EACH_OUTPUT} exec $real -shared -fPIC {other} -o $output"
    monkeypatch.setenv("CXX", compiler_script(tmp_path, body))
    assert_runs_under_xla(NativeEngine(case().cell, **OPTIONS), "compile")


def test_a_kernel_that_this_processor_cannot_run(monkeypatch, tmp_path):
    """It loads, and dies of an unknown instruction when it is called."""
    other = tmp_path / "other.cpp"
    names = "".join(f'extern "C" long {name}() {{ __builtin_trap(); }}' for name in ("lanes", "advance"))
    other.write_text(names)
    body = f"{_EACH_OUTPUT} exec $real -shared -fPIC {other} -o $output"
    monkeypatch.setenv("CXX", compiler_script(tmp_path, body))
    assert_runs_under_xla(NativeEngine(case().cell, **OPTIONS), "exit status -")


@pytest.mark.parametrize("kind", ["cut short", "for another processor"])
def test_options_for_this_machine_that_do_not_work_give_way_to_plain_ones(monkeypatch, tmp_path, kind):
    """The compiler is content with -march=native, and what it links then cannot be used."""
    other = tmp_path / "other.cpp"
    other.write_text('extern "C" long lanes() { __builtin_trap(); } extern "C" void advance() {}')
    spoil = {
        "cut short": 'truncate -s 5000 "$output"',
        "for another processor": f'$real -shared -fPIC {other} -o "$output"',
    }
    flag = tmp_path / "native"
    body = f"""case "$*" in *-march=native*) touch {flag}; exec $real "$@";; *-c*) rm {flag}; exec $real "$@";; esac
$real "$@" || exit 1
if [ -e {flag} ]; then {_EACH_OUTPUT} {spoil[kind]}; fi"""
    monkeypatch.setenv("CXX", compiler_script(tmp_path, body))
    assert runs_natively(NativeEngine(case().cell, **OPTIONS))


def test_the_tape_tells_too_and_only_once(monkeypatch):
    monkeypatch.setenv("CXX", "false")
    engine = NativeEngine(case().cell, **OPTIONS)
    with pytest.warns(UserWarning, match="exit status 1"):
        tape = engine.tape(case().events, wrt=[("AMPA", "gmax")])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        engine.run(case().events)
    twins = JaxEngine(case().cell, **OPTIONS).tape(case().events, wrt=[("AMPA", "gmax")])
    np.testing.assert_array_equal(tape.v_mV, twins.v_mV)


def test_more_placements_than_a_kernel_takes():
    cell = case().cell
    leak = cell.placement("leak")
    more = tuple(replace(leak, label=f"leak{i}") for i in range(64))
    crowded = replace(cell, placements=(*cell.placements, *more))
    engine = NativeEngine(crowded, **OPTIONS)
    assert "66 placements" in describe(engine)["not_native"]
    assert np.all(np.isfinite(engine.run(case().events).v_mV))


def test_a_cache_below_a_file(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KETUNE_CACHE_DIR", str(tmp_path / "file" / "cache"))
    assert_runs_under_xla(NativeEngine(case().cell, **OPTIONS), "KETUNE_CACHE_DIR")


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only to the superuser")
def test_a_cache_that_is_read_only(empty_cache):
    empty_cache.mkdir()
    empty_cache.chmod(0o500)
    assert_runs_under_xla(NativeEngine(case().cell, **OPTIONS), "KETUNE_CACHE_DIR")


@pytest.mark.parametrize("largest_file", [1000, 40000], ids=["for the source", "for the kernel"])
def test_a_cache_without_room(monkeypatch, empty_cache, largest_file):
    """No file may grow beyond a size: to whoever writes it that is as a full disk."""
    monkeypatch.setenv("CXX", f"{COMPILER} -g")  # so that the kernel is larger than its source
    empty_cache.mkdir()
    np.save(empty_cache / "expected.npy", expected())
    done = in_another_process(empty_cache, limit=largest_file)
    assert done.returncode == 0, done.stderr
    _, n_warnings, worst = done.stdout.split()
    assert n_warnings == "1"
    assert float(worst) == 0
    assert not libraries(empty_cache)


@pytest.mark.parametrize("damage", ["empty", "cut", "text", "one byte"])
def test_a_damaged_library_in_the_cache(empty_cache, damage):
    """Built again; in a process of its own, which has not loaded the sound one."""
    assert runs_natively(NativeEngine(case().cell, **OPTIONS))
    (library,) = libraries(empty_cache)
    content = library.read_bytes()
    library.unlink()  # the one that this process has loaded stays as it is
    half = len(content) // 2
    damaged = {
        "empty": b"",
        "cut": content[:half],
        "text": b"garbage\n" * 1000,
        "one byte": content[:half] + bytes([content[half] ^ 1]) + content[half + 1 :],
    }
    library.write_bytes(damaged[damage])
    np.save(empty_cache / "expected.npy", expected())
    done = in_another_process(empty_cache)
    assert done.returncode == 0, done.stderr
    name, n_warnings, worst = done.stdout.split()
    assert (name, n_warnings) == ("native", "0")
    assert float(worst) < 1e-9
    assert len(libraries(empty_cache)) == 1
    assert library.read_bytes() != damaged[damage]


def test_an_entry_without_its_library_is_built_again(empty_cache):
    assert runs_natively(NativeEngine(case().cell, **OPTIONS))
    (library,) = libraries(empty_cache)
    library.unlink()
    np.save(empty_cache / "expected.npy", expected())
    done = in_another_process(empty_cache)
    assert done.stdout.split()[:2] == ["native", "0"], done.stderr


def in_another_process(folder: Path, limit: int | None = None) -> subprocess.CompletedProcess[str]:
    """Prints the engine's name, the number of warnings, and the largest difference from what is expected (mV)."""
    script = """
import resource, sys, warnings
import numpy as np
from ketune.engines import describe
from ketune.engines.native_engine import NativeEngine
from ketune.verify_cases import DT_ms, mechanism_case
case = mechanism_case("AMPA", 5.0)
engine = NativeEngine(case.cell, dt_ms=DT_ms, dtype=np.float64)
if sys.argv[2:]:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
with warnings.catch_warnings(record=True) as caught:
    v = engine.run(case.events).v_mV
print(describe(engine)["name"], len(caught), np.abs(v - np.load(sys.argv[1])).max())
"""
    arguments = [str(folder / "expected.npy"), *([] if limit is None else [str(limit)])]
    return subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, timeout=300
    )


class TestKey:
    """Another machine, compiler or version has a library of its own in a cache that they share."""

    def other(self, empty_cache):
        assert runs_natively(NativeEngine(case().cell, **OPTIONS))
        return len(libraries(empty_cache))

    def test_the_same_is_found_again(self, empty_cache):
        assert [self.other(empty_cache) for _ in range(2)] == [1, 1]

    @pytest.mark.skipif(not _X86_LINUX, reason="the features of other processors have other names")
    def test_features_of_the_processor(self, monkeypatch, request, empty_cache):
        request.addfinalizer(_compiled.machine.cache_clear)
        assert self.other(empty_cache) == 1
        read = Path.read_text

        def weaker(path, **options):
            text = read(path, **options)
            return text.replace(" sse4_2", "") if str(path) == "/proc/cpuinfo" else text

        monkeypatch.setattr(Path, "read_text", weaker)
        _compiled.machine.cache_clear()
        assert self.other(empty_cache) == 2

    def test_the_compilers_version(self, monkeypatch, tmp_path, empty_cache):
        """Another compiler under the same name, as after an upgrade."""
        version = (
            'case "$1" in --version|-dumpversion|-dumpfullversion|-v) echo {}; exit 0;; esac; exec $real "$@"'
        )
        monkeypatch.setenv("CXX", compiler_script(tmp_path, version.format("g++ 12.2.0")))
        assert self.other(empty_cache) == 1
        compiler_script(tmp_path, version.format("g++ 13.1.0"))
        assert self.other(empty_cache) == 2

    def test_the_packages_version(self, monkeypatch, empty_cache):
        assert self.other(empty_cache) == 1
        monkeypatch.setattr("ketune.__version__", "0.0.0+other")
        assert self.other(empty_cache) == 2

    def test_the_flags(self, monkeypatch, empty_cache):
        assert self.other(empty_cache) == 1
        monkeypatch.setenv("CXX", f"{COMPILER} -fno-builtin")
        assert self.other(empty_cache) == 2

    def test_the_precision(self, empty_cache):
        assert self.other(empty_cache) == 1
        NativeEngine(case().cell, dt_ms=DT_ms, dtype=np.float32).run(case().events)
        assert len(libraries(empty_cache)) == 2


def test_an_old_processor_gets_plain_flags(monkeypatch, tmp_path, empty_cache):
    """A compiler that refuses the options for this machine still gives a kernel."""
    refuse = (
        'for a; do case "$a" in -march=*) echo "unknown option" >&2; exit 1;; esac; done; exec $real "$@"'
    )
    monkeypatch.setenv("CXX", compiler_script(tmp_path, refuse))
    assert runs_natively(NativeEngine(case().cell, **OPTIONS))
