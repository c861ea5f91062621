"""`ketune translate`: what it says of good files, and of every kind of file that cannot be used."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ketune import _console, cli, mechanisms, verify_files
from ketune.engines.jax_engine import JaxEngine
from ketune.engines.neuron_engine import NeuronResult
from ketune.errors import InputError
from ketune.verify_files import _comparison, read_tables, translate_files

REFUSED = Path(__file__).parent / "mechanisms" / "mods" / "refused"
SHOWN = {
    "file", "mechanism", "kind", "states", "constructs", "merging", "translated", "max_dv_mV", "max_di_rel",
    "max_dstate_rel", "worst", "errors", "warnings", "ok", "too_large",
}  # fmt: skip

GOOD = """NEURON { SUFFIX good NONSPECIFIC_CURRENT i RANGE g, i }
PARAMETER { g = 2e-4 }
ASSIGNED { v i }
STATE { m }
INITIAL { m = 0 }
BREAKPOINT { SOLVE s METHOD cnexp i = g*m*(v + 80) }
DERIVATIVE s { m' = (1/(1 + exp(-(v + 50)/8)) - m)/5 }
"""
TABLE = """NEURON { SUFFIX tab NONSPECIFIC_CURRENT i RANGE g }
PARAMETER { g = 1e-4 }
ASSIGNED { v i }
BREAKPOINT { i = g*open(v)*(v + 70) }
FUNCTION_TABLE open(v)
"""
FILES = {
    "good.mod": GOOD,
    "kv.mod": GOOD.replace("SUFFIX good", "SUFFIX kv"),
    "twin.mod": GOOD,
    "hh.mod": GOOD.replace("SUFFIX good", "SUFFIX hh"),
    "passive.mod": "\n" + GOOD.replace("SUFFIX good", "SUFFIX pas"),
    "sparsed.mod": GOOD.replace("SUFFIX good", "SUFFIX sparsed").replace("cnexp", "sparse"),
    "grows.mod": GOOD.replace("SUFFIX good", "SUFFIX grows").replace("g*m*(v + 80)", "-100*g*m*(v + 80)"),
    "clash.mod": GOOD.replace("SUFFIX good", "SUFFIX clash").replace("ASSIGNED { v i", "ASSIGNED { v i log"),
    "faraday.mod": (
        "NEURON { SUFFIX farad NONSPECIFIC_CURRENT i }\nUNITS {\n  (mV) = (millivolt)\n"
        "  FARADAY = (faraday) (mV)\n}\nASSIGNED { v (mV) i }\nBREAKPOINT { i = 1e-9*FARADAY*v }\n"
    ),
    "broken.mod": (
        "NEURON { SUFFIX broken NONSPECIFIC_CURRENT i }\nASSIGNED { v i }\n"
        "BREAKPOINT {\n  i = 1e-4*+*(v + 70)\n}\n"
    ),
    "tab.mod": TABLE,
    "verbatim.mod": (REFUSED / "verbatim.mod").read_text(),
}  # fmt: skip


def write(folder: Path, *names: str) -> list[Path]:
    for name in names:
        (folder / name).write_text(FILES[name])
    return [folder / name for name in names]


def command(folder: Path, *arguments: str, cache: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = dict(os.environ) | ({} if cache is None else {"KETUNE_CACHE_DIR": str(cache)})
    return subprocess.run(
        [sys.executable, "-m", "ketune", "translate", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every file above."""
    path = tmp_path_factory.mktemp("files")
    write(path, *FILES)
    return path


@pytest.fixture(scope="module")
def all_at_once(folder: Path) -> subprocess.CompletedProcess[str]:
    """Good files among bad ones, in a cache of their own."""
    names = [*FILES, "missing.mod", "nosuch"]
    return command(folder, *names, "--duration", "60 ms", "--json", cache=folder / "cache")


@pytest.fixture(scope="module")
def entries(all_at_once: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    return {entry["file"]: entry for entry in json.loads(all_at_once.stdout)["files"]}


def the_error(entry: dict[str, Any]) -> dict[str, Any]:
    (error,) = entry["errors"]
    return error


@pytest.mark.neuron
class TestManyFiles:
    def test_the_answer_is_one_object_and_the_code_2(self, all_at_once, entries) -> None:
        assert all_at_once.returncode == 2
        assert "Traceback" not in all_at_once.stderr
        result = json.loads(all_at_once.stdout)
        assert set(result) == {
            "ok", "files", "together", "contract", "duration_ms", "dt_ms", "seconds",
        }  # fmt: skip
        assert result["ok"] is False
        assert list(entries) == [*FILES, "missing.mod", "nosuch"]
        for entry in entries.values():
            assert set(entry) == SHOWN
            assert all(set(error) == {"line", "construct", "message"} for error in entry["errors"])
            assert entry["ok"] == (not entry["errors"])

    def test_good_files_are_compared_whatever_the_others_are(self, entries) -> None:
        entry = entries["good.mod"]
        assert (entry["mechanism"], entry["kind"], entry["states"]) == ("good", "density", ["m"])
        assert entry["translated"] is entry["ok"] is True
        assert 0.0 <= entry["max_dv_mV"] < 1e-9
        assert entry["max_dstate_rel"] < 1e-10
        assert entry["max_di_rel"] < 1e-6
        assert "DERIVATIVE" in " ".join(entry["constructs"])

    def test_a_users_file_may_be_called_like_a_shipped_mechanism(self, entries) -> None:
        entry = entries["kv.mod"]
        assert entry["ok"]
        assert entry["states"] == ["m"]  # not those of the shipped one

    @pytest.mark.parametrize(
        ("file", "line", "construct", "message"),
        [
            ("twin.mod", None, "good", "good.mod defines good too; choose another name"),
            ("hh.mod", 1, "SUFFIX hh", "NEURON has a mechanism hh of its own; choose another name"),
            ("passive.mod", 2, "SUFFIX pas", "NEURON has a mechanism pas of its own; choose another name"),
            (
                "faraday.mod",
                4,
                "FARADAY",
                "(faraday) cannot be expressed in (mV): unknown or different units",
            ),
            ("broken.mod", 4, "syntax", 'in "i = 1e-4*+*(v + 70)"'),
            ("tab.mod", None, "", "FUNCTION_TABLE open has no values"),
            ("missing.mod", None, "", "missing.mod: there is no such mechanism file"),
            ("nosuch", None, "", "no mechanism 'nosuch': the shipped ones are"),
        ],
    )
    def test_a_file_that_cannot_be_used_has_one_message_of_one_line(
        self, entries, file, line, construct, message
    ) -> None:
        error = the_error(entries[file])
        assert message in error["message"]
        assert (error["line"], error["construct"]) == (line, construct)
        assert "\n" not in error["message"]
        assert entries[file]["max_dv_mV"] is None

    @pytest.mark.parametrize(
        ("file", "words"),
        [
            ("sparsed.mod", "Method sparse can't be used with Block s at line 7 in file sparsed.mod"),
            ("clash.mod", "multiple uses for same variable"),
        ],
    )
    def test_a_file_that_neuron_refuses_shows_the_compilers_words(self, entries, file, words) -> None:
        error = the_error(entries[file])
        assert error["construct"] == "NEURON"
        assert error["message"].startswith(f"{file}: nrnivmodl refused")
        assert words in error["message"]
        assert len(error["message"].splitlines()) < 20
        assert entries[file]["max_dv_mV"] is None

    def test_nothing_half_built_stays_in_the_cache(self, all_at_once, folder) -> None:
        kept = [path for path in (folder / "cache" / "mechanisms").iterdir() if path.suffix != ".lock"]
        assert kept
        for entry in kept:
            assert [path.name.split(".")[0] for path in entry.iterdir()] == ["libnrnmech"]

    def test_a_file_that_diverges_says_when_and_where(self, entries) -> None:
        errors = entries["grows.mod"]["errors"]
        assert entries["grows.mod"]["translated"]
        assert errors
        for error in errors:
            assert error["message"].startswith("diverges in NEURON, ")
            assert " at 37 degC: after " in error["message"]
        assert entries["grows.mod"]["max_dv_mV"] is None

    def test_every_foreign_passage_is_listed(self, entries) -> None:
        errors = entries["verbatim.mod"]["errors"]
        assert [(e["line"], e["construct"]) for e in errors] == [(7, "VERBATIM"), (15, "VERBATIM")]
        assert "NEURON alone" in entries["verbatim.mod"]["warnings"][0]
        assert entries["verbatim.mod"]["mechanism"] == "refverb"


@pytest.mark.neuron
class TestCommand:
    def test_good_files_as_text_with_their_source(self, folder) -> None:
        done = command(
            folder, "good.mod", "tab.mod", "--table", "open=open.csv", "--show", "--duration", "40 ms"
        )
        assert done.returncode == 2  # there is no such table
        assert "open.csv: cannot read this table" in done.stderr
        (folder / "open.csv").write_text("v,open\n-100,0\n0,1\n")
        done = command(
            folder, "good.mod", "tab.mod", "--table", "open=open.csv", "--show", "--duration", "40 ms"
        )
        assert done.returncode == 0, done.stdout + done.stderr
        shown = done.stdout
        assert "good (density), states: m" in shown
        assert "def advance(v, s, p):" in shown
        assert "together on one cell: good, tab" in shown
        assert "NEURON and JAX agree; 2 of 2 agree over 40 ms in steps of 0.025 ms" in shown
        quiet = command(folder, "good.mod", "--alone", "--duration", "40 ms")
        assert quiet.returncode == 0
        assert "def advance" not in quiet.stdout
        assert "together" not in quiet.stdout

    @pytest.mark.parametrize(
        ("option", "message"),
        [
            ("open", "--table open: write NAME=FILE.csv, with the name of the FUNCTION_TABLE"),
            ("=x.csv", "--table =x.csv: write NAME=FILE.csv"),
            ("open=", "--table open=: write NAME=FILE.csv"),
            ("open=none.csv", "none.csv: cannot read this table"),
        ],
    )
    def test_a_malformed_table_option(self, folder, option, message) -> None:
        done = command(folder, "good.mod", "--table", option)
        assert done.returncode == 2
        assert message in done.stderr
        assert done.stderr.count("\n") == 1

    def test_a_duration_without_unit(self, folder) -> None:
        done = command(folder, "good.mod", "--duration", "60")
        assert done.returncode == 2
        assert "--duration" in done.stderr
        assert done.stderr.count("\n") == 1

    @pytest.mark.parametrize(
        ("ok", "errors", "code"), [(True, [], 0), (False, [], 1), (False, [{"message": "no"}], 2)]
    )
    def test_exit_codes(self, monkeypatch, capfd, ok, errors, code) -> None:
        result = {"ok": ok, "files": [{"errors": errors, "source": ""}]}
        monkeypatch.setattr(verify_files, "translate_files", lambda *_, **__: result)
        assert _console.run(cli.app, ["translate", "x.mod", "--json"]) == code
        assert json.loads(capfd.readouterr().out)["ok"] is ok


@pytest.mark.neuron
class TestComparison:
    def spoiled(self, monkeypatch: pytest.MonkeyPatch, parameter: str, factor: float) -> None:
        """NEURON simulates another parameter than JAX."""
        run = _comparison.run_in_processes

        def other(jobs, **options):
            changed = []
            for job in jobs:
                label = next(
                    (p.label for p in job.cell.placements if parameter in p.parameters and p.label == "good"),
                    None,
                )
                cell = job.cell
                if label:
                    value = cell.placement(label).parameters[parameter] * factor
                    cell = cell.with_parameters({(label, parameter): value})
                changed.append(replace(job, cell=cell))
            return run(changed, **options)

        monkeypatch.setattr(_comparison, "run_in_processes", other)

    def test_a_difference_is_a_no_and_names_its_place(self, monkeypatch, tmp_path) -> None:
        self.spoiled(monkeypatch, "g", 1.0 + 1e-4)
        result = translate_files(write(tmp_path, "good.mod", "kv.mod"), duration_ms=60.0)
        good, kv = result["files"]
        assert not result["ok"]
        assert not good["ok"]
        assert good["errors"] == []
        assert good["max_dv_mV"] > 1e-6
        assert " at 37 degC" in good["too_large"]["max_dv_mV"]
        assert kv["ok"]
        assert kv["too_large"] == {}
        assert not result["together"]["ok"]
        assert "max_dv_mV" in result["together"]["too_large"]
        lines = list(cli._describe_translation(result))
        assert any(line.strip().startswith("DIFFERS: max |dV|") for line in lines)
        assert any("do NOT agree" in line for line in lines)

    def test_neuron_that_does_not_finish_is_an_error(self, monkeypatch, tmp_path) -> None:
        lost = NeuronResult("crashed", None, "the NEURON process ended with code -11", 1.0)
        monkeypatch.setattr(_comparison, "run_in_processes", lambda jobs, **_: [lost for _ in jobs])
        (entry,) = translate_files(write(tmp_path, "good.mod"), duration_ms=5.0)["files"]
        assert not entry["ok"]
        assert entry["max_dv_mV"] is None
        assert "NEURON, current steps at 37 degC: the NEURON process ended" in entry["errors"][0]["message"]

    def test_what_is_no_number_never_agrees(self, monkeypatch, tmp_path) -> None:
        run = JaxEngine.run

        def broken(self, *arguments, **options):
            result = run(self, *arguments, **options)
            result.v_mV[100:, 3] = np.nan
            return result

        monkeypatch.setattr(JaxEngine, "run", broken)
        (entry,) = translate_files(write(tmp_path, "good.mod"), duration_ms=5.0)["files"]
        assert not entry["ok"]
        assert entry["max_dv_mV"] == np.inf

    def test_all_files_are_compiled_once(self, monkeypatch, tmp_path) -> None:
        monkeypatch.setenv("KETUNE_CACHE_DIR", str(tmp_path / "cache"))
        result = translate_files(write(tmp_path, "good.mod", "kv.mod"), duration_ms=5.0)
        assert result["ok"], result
        assert len(list((tmp_path / "cache" / "mechanisms").glob("*/libnrnmech*"))) == 1

    def test_temperatures_only_where_they_matter(self, monkeypatch, tmp_path) -> None:
        seen: list[float] = []
        run = _comparison.run_in_processes

        def note(jobs, **options):
            seen.extend(job.cell.celsius for job in jobs)
            return run(jobs, **options)

        monkeypatch.setattr(_comparison, "run_in_processes", note)
        (path,) = write(tmp_path, "good.mod")
        assert translate_files([path], duration_ms=5.0)["ok"]
        assert set(seen) == {37.0}
        seen.clear()
        path.write_text(GOOD.replace("ASSIGNED { v", "ASSIGNED { v celsius").replace(")/5", ")*celsius/100"))
        assert translate_files([path], duration_ms=5.0)["ok"]
        assert set(seen) == {6.3, 23.0, 37.0}

    def test_two_folders_may_have_files_of_one_name(self, tmp_path) -> None:
        files = []
        for suffix in ("first", "second"):
            (tmp_path / suffix).mkdir()
            files.append(tmp_path / suffix / "channel.mod")
            files[-1].write_text(GOOD.replace("SUFFIX good", f"SUFFIX {suffix}"))
        result = translate_files(files, duration_ms=5.0)
        assert result["ok"], result["files"]
        assert result["together"]["mechanisms"] == ["first", "second"]

    def test_an_ion_of_two_charges_is_told_before_neuron_crashes(self, tmp_path) -> None:
        files = []
        for name, valence in (("plus", 1), ("minus", -1)):
            files.append(tmp_path / f"{name}.mod")
            files[-1].write_text(
                f"NEURON {{ SUFFIX {name} USEION x WRITE ix VALENCE {valence} }}\n"
                "ASSIGNED { v ix }\nBREAKPOINT { ix = 1e-5*(v + 70) }\n"
            )
        assert translate_files(files, duration_ms=5.0, together=False)["ok"]
        with pytest.raises(InputError, match="ion x has different charges"):
            translate_files(files, duration_ms=5.0)

    def test_shipped_mechanisms_by_name(self) -> None:
        result = translate_files(["gabatonic", "leak"], duration_ms=5.0, together=False)
        assert [entry["mechanism"] for entry in result["files"]] == ["gabatonic", "leak"]
        assert result["ok"]


class TestTables:
    def test_columns_with_and_without_a_header(self, tmp_path) -> None:
        (tmp_path / "a.csv").write_text("v,open\n# a comment\n-100, 0.5\n\n0,1\n")
        (tmp_path / "b.csv").write_text("1,2\n3,4\n5,6\n")
        tables = read_tables([f"a={tmp_path}/a.csv", f"b={tmp_path}/b.csv"])
        assert [x.tolist() for x in tables["a"]] == [[-100.0, 0.0], [0.5, 1.0]]
        assert [x.tolist() for x in tables["b"]] == [[1.0, 3.0, 5.0], [2.0, 4.0, 6.0]]
        assert read_tables([]) == {}

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "at least two rows"),
            ("v,open\n1,2\n", "at least two rows"),
            ("1,2\n3\n", r":2: '3' is not two numbers with a comma"),
            ("1,2\n3,4,5\n", r":2: '3,4,5' is not two numbers"),
            ("1;2\n3;4\n", r":2: '3;4' is not two numbers"),
            ("1,2\n3,x\n", ":2: '3,x'"),
        ],
    )
    def test_bad_files_are_one_line(self, tmp_path, text, message) -> None:
        (tmp_path / "a.csv").write_text(text)
        with pytest.raises(InputError, match=message) as error:
            read_tables([f"a={tmp_path}/a.csv"])
        assert "\n" not in str(error.value)

    def test_a_file_that_is_no_text(self, tmp_path) -> None:
        (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00\x01")
        with pytest.raises(InputError, match="cannot read this table"):
            read_tables([f"a={tmp_path}/a.csv"])

    @pytest.mark.parametrize(
        "points", [([0.0, 1.0], [1.0]), ([0.0], [1.0]), ([1.0, 0.0], [0.0, 1.0]), ([0.0, 0.0], [0.0, 1.0])]
    )
    def test_points_in_no_order(self, tmp_path, points) -> None:
        (tmp_path / "tab.mod").write_text(TABLE)
        with pytest.raises(InputError, match="two columns of at least two rows, the first increasing"):
            mechanisms.load(tmp_path / "tab.mod", tables={"open": points})


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_without_a_compiler_it_says_what_is_missing(folder, tmp_path) -> None:
    environment = {**os.environ, "CXX": "/no/such/compiler", "KETUNE_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "ketune", "translate", "good.mod", "--json"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2
    assert "needs a C++ compiler (g++), which this machine lacks" in json.loads(done.stdout)["error"]
