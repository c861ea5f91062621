"""The command as users meet it: a process with arguments, two output streams and an exit code."""

from __future__ import annotations

import errno
import json
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

import ketune
from ketune import _console, cli
from ketune.pharmacology import ROUTES, load_drug

COMMANDS = [
    "demo",
    "fit",
    "inspect",
    "apply",
    "explore",
    "exposure",
    "evidence",
    "report",
    "export",
    "verify",
    "translate",
    "bench",
    "mechanisms build",
    "mechanisms list",
    "drugs list",
    "drugs show",
]

# Stands in for the library behind `ketune report`, so that how a command speaks and ends can be tested with any body:
# the process, its streams, signals and exit codes are the real ones.
STAND_IN = """
import os, subprocess, sys, time, types
from ketune.errors import InputError
def write_report(directories, *, output, progress):
{body}
sys.modules["ketune.workflow"] = types.ModuleType("ketune.workflow")
sys.modules["ketune.workflow"].write_report = write_report
from ketune.cli import main
main()
"""


def ketune_command(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ketune", *arguments],
        **{"capture_output": True, "text": True, "timeout": 120, **options},  # type: ignore[call-overload]
    )


def stand_in(body: str, *arguments: str) -> list[str]:
    indented = "\n".join("    " + line for line in body.strip().splitlines())
    return [sys.executable, "-c", STAND_IN.format(body=indented), "report", "somewhere", *arguments]


def run_stand_in(body: str, *arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        stand_in(body, *arguments),
        **{"capture_output": True, "text": True, "timeout": 60, **options},  # type: ignore[call-overload]
    )


class TestHelp:
    def test_starts_within_a_second_and_loads_nothing_heavy(self) -> None:
        script = (
            "import sys, time; begin = time.perf_counter()\n"
            "from ketune import _console, cli\n"
            "code = _console.run(cli.app, ['--help'])\n"
            "heavy = {'jax', 'neuron', 'numpy', 'scipy', 'matplotlib', 'pint', 'pydantic', 'morphio'}\n"
            "heavy |= {'pyarrow', 'h5py', 'pynwb', 'pandas'}\n"
            "print(time.perf_counter() - begin, sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
            "sys.exit(code)"
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
        seconds, _, heavy = done.stderr.strip().partition(" ")
        assert done.returncode == 0
        assert heavy == "[]"
        assert float(seconds) < 1

    def test_no_argument_shows_help(self) -> None:
        done = ketune_command()
        assert done.returncode == 0
        for command in COMMANDS:
            assert command.split()[0] in done.stdout

    @pytest.mark.parametrize("command", COMMANDS)
    def test_each_command_teaches_by_examples_that_work_as_printed(
        self, command: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """An example that the terminal wraps, or with an option that is no more, would fail when pasted."""
        monkeypatch.setenv("COLUMNS", "80")
        assert _console.run(cli.app, [*command.split(), "--help"]) == 0
        shown = capfd.readouterr().out
        examples = re.findall(rf"^ *ketune ({command}.*?) *$", shown, re.MULTILINE)
        assert examples
        assert "--json" in shown

        _replace_library(monkeypatch, lambda *arguments, **options: {"report": "report.html"})
        for example in examples:
            arguments = shlex.split(example)
            assert (
                _console.run(cli.app, arguments if "--json" in arguments else [*arguments, "--json"]) == 0
            ), example

    def test_every_command_that_draws_random_numbers_takes_a_seed(self) -> None:
        for command in ("demo", "fit", "apply"):
            assert "--seed" in ketune_command(command, "--help").stdout

    def test_fit_shows_the_recording_format(self) -> None:
        shown = ketune_command("fit", "--help").stdout
        for column in ("orientation_deg", "trial", "spikes", "condition", "window_s", "neuron"):
            assert column in shown

    @pytest.mark.parametrize("command", ["apply", "exposure"])
    def test_defaults_and_routes_shown_are_those_of_the_drug_model(
        self, command: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("COLUMNS", "200")
        assert _console.run(cli.app, [command, "--help"]) == 0
        shown = capfd.readouterr().out
        numbers = load_drug("ketamine").parameters
        depth, paper, pipette = (
            f"{numbers[name].value:g} {numbers[name].unit}"
            for name in ("topical.soma_depth", "topical.lateral_distance", "focal.lateral_distance")
        )
        for option, default in (
            ("--soma-depth", depth),
            ("--lateral-distance", f"{paper}; pipette {pipette}"),
        ):
            in_its_entry = rf"{option}\b((?!--).)*default: \({default}\)"
            assert re.search(in_its_entry, shown, re.DOTALL), option
        for route in ROUTES:
            assert re.search(rf"--route .*\b{route}\b", shown)

    def test_version(self) -> None:
        assert ketune_command("--version").stdout == f"ketune {ketune.__version__}\n"


class TestUsageErrors:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--no-such-option"], "No such option: --no-such-option"),
            (["fit", "--no-such-option"], "No such option: --no-such-option"),
            (["no-such-command"], "No such command 'no-such-command'"),
            (["fit", "data.csv"], "Missing option '--output' / '-o'"),
            (["fit", "-o", "out"], "Missing argument 'DATA'"),
            (["fit", "data.csv", "-o", "out", "--seed", "-1"], "'--seed'"),
            (["fit", "data.csv", "-o", "out", "--seed", "x"], "'--seed'"),
            (["fit", "data.csv", "-o", "out", "--effort", "heroic"], "'--effort'"),
            (["fit", "data.csv", "-o", "out", "--engine", "gpu"], "'--engine'"),
            (["verify", "--engine", "gpu"], "'--engine'"),
            (["apply", "dir", "--dose", "1 uM", "--block-model", "exact"], "'--block-model'"),
            (["report"], "Missing argument 'DIR...'"),
            (["translate"], "Missing argument 'FILE.mod...'"),
            (["bench", "--against", "neuron,foo"], "--against: 'foo' is no peer"),
            (["mechanisms", "destroy"], "No such command 'destroy'"),
        ],
    )
    def test_one_line_and_exit_code_2_also_as_json(self, arguments: list[str], message: str) -> None:
        done = ketune_command(*arguments)
        assert done.returncode == 2
        assert done.stdout == ""
        assert message in done.stderr
        assert done.stderr.startswith("Error: ")
        assert done.stderr.count("\n") == 1

        done = ketune_command(*arguments, "--json")
        assert done.returncode == 2
        assert message in json.loads(done.stdout)["error"]
        assert "Traceback" not in done.stderr


class TestAnswers:
    @pytest.mark.parametrize(
        ("result", "code"),
        [
            ({"summary": ["fine"]}, 0),
            ({"ok": True, "summary": ["fine"]}, 0),
            ({"ok": False, "summary": ["no"]}, 1),
            ({"status": "converged", "summary": ["fine"]}, 0),
            ({"status": "out of reach", "summary": ["no"]}, 1),
        ],
    )
    def test_exit_code_says_yes_or_no_and_the_answer_is_printed_either_way(
        self, result: dict[str, object], code: int
    ) -> None:
        plain = run_stand_in(f"return {result!r}")
        assert (plain.returncode, plain.stderr) == (code, "")
        assert plain.stdout == f"{result['summary'][0]}\n"  # type: ignore[index]
        as_json = run_stand_in(f"return {result!r}", "--json")
        assert (as_json.returncode, as_json.stderr) == (code, "")
        assert json.loads(as_json.stdout) == result

    def test_nothing_but_the_answer_reaches_standard_output(self) -> None:
        """Neither Python's prints, nor a child's output, nor what a C library flushes only when the process ends."""
        body = """
import ctypes
print("noise")
os.write(1, b"noise\\n")
subprocess.run(["echo", "noise"], check=True)
ctypes.CDLL(None).printf(b"noise, buffered\\n")
return {"summary": []}
"""
        done = run_stand_in(body, "--json")
        assert json.loads(done.stdout) == {"summary": []}
        assert done.stderr.count("noise") == 4

    def test_numbers_that_json_lacks(self) -> None:
        done = run_stand_in("import numpy\nreturn {'x': numpy.array([1.0, numpy.nan])}", "--json")
        assert json.loads(done.stdout) == {"x": [1.0, None]}


def _listen_to_ctrl_c() -> None:
    """In a child: a test run in the background may have been told to ignore Ctrl-C, and children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class TestFailures:
    BAD = "raise InputError('data.csv, row 3: spikes is -1:\\n  give a count of 0 or more')"
    LINE = "data.csv, row 3: spikes is -1: give a count of 0 or more"

    def test_bad_input(self) -> None:
        done = run_stand_in(self.BAD)
        assert (done.returncode, done.stdout, done.stderr) == (2, "", f"Error: {self.LINE}\n")

    def test_bad_input_as_json(self) -> None:
        done = run_stand_in(self.BAD, "--json")
        assert done.returncode == 2
        assert json.loads(done.stdout) == {"error": self.LINE}
        assert done.stderr == f"Error: {self.LINE}\n"

    @pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EIO])
    def test_errors_of_the_system(self, number: int) -> None:
        done = run_stand_in(f"raise OSError({number}, os.strerror({number}), 'out/fit.json')", "--json")
        assert done.returncode == 2
        assert json.loads(done.stdout)["error"].startswith(f"out/fit.json: {os.strerror(number)}")
        assert done.stderr.count("\n") == 1

    @pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux's /dev/full")
    @pytest.mark.parametrize("arguments", [[], ["--json"]])
    def test_standard_output_on_a_full_disk(self, arguments: list[str]) -> None:
        with open("/dev/full", "w") as full:
            done = run_stand_in(
                "return {'summary': ['x']}",
                *arguments,
                capture_output=False,
                stdout=full,
                stderr=subprocess.PIPE,
            )
        assert done.returncode == 2
        assert done.stderr.startswith("Error: standard output: No space left on device")
        assert done.stderr.count("\n") == 1

    def test_reader_that_leaves_early_is_no_error(self) -> None:
        with subprocess.Popen(
            stand_in("time.sleep(0.5); return {'summary': ['x' * 1_000_000]}"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.close()
            assert process.stderr.read() == b""
        assert process.returncode == 0

    def test_bug_is_told_from_a_no(self) -> None:
        done = run_stand_in("raise ZeroDivisionError('oops')", "--json")
        assert done.returncode == 70
        assert "ZeroDivisionError: oops" in json.loads(done.stdout)["error"]
        assert "Traceback" in done.stderr

    @pytest.mark.parametrize("arguments", [[], ["--json"]])
    def test_ctrl_c(self, arguments: list[str]) -> None:
        body = "with progress.task('long work', 10):\n    os.write(2, b'ready\\n')\n    time.sleep(60)"
        with subprocess.Popen(
            stand_in(body, *arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=_listen_to_ctrl_c,
        ) as process:
            assert process.stderr is not None
            assert process.stderr.readline() == "ready\n"
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=20)
        assert process.returncode == 130
        assert err.startswith("Error: interrupted")
        assert err.count("\n") == 1
        assert (json.loads(out)["error"].startswith("interrupted")) if arguments else (out == "")

    def test_ctrl_c_leaves_nothing_half_written(self, tmp_path: Path) -> None:
        body = f"""
from pathlib import Path
from ketune.storage import result_directory
with result_directory(Path({str(tmp_path / "out")!r}), "fit") as folder:
    (folder / "fit.json").write_text("half")
    os.write(2, b"ready\\n")
    time.sleep(60)
"""
        with subprocess.Popen(
            stand_in(body), stderr=subprocess.PIPE, text=True, preexec_fn=_listen_to_ctrl_c
        ) as process:
            assert process.stderr is not None
            process.stderr.readline()
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=20)
        assert process.returncode == 130
        assert list(tmp_path.iterdir()) == []


class TestProgress:
    WORK = """
with progress.task("long work", 4) as task:
    for _ in range(4):
        time.sleep({pause}); task.advance()
"""

    def test_short_work_is_silent(self) -> None:
        assert run_stand_in(self.WORK.format(pause=0.05) + "return {'summary': []}").stderr == ""

    def test_plain_lines_where_standard_error_is_no_terminal(self) -> None:
        done = run_stand_in(self.WORK.format(pause=0.9) + "return {'summary': ['answer']}")
        assert done.stdout == "answer\n"
        first, last = done.stderr.splitlines()
        assert re.fullmatch(r"long work: 50%, about \d s left", first)
        assert re.fullmatch(r"long work: done in \d s", last)

    def test_bar_with_time_left_on_a_terminal(self) -> None:
        terminal, end = pty.openpty()
        with subprocess.Popen(
            stand_in(self.WORK.format(pause=1.0) + "return {'summary': ['answer']}"),
            stdout=subprocess.PIPE,
            stderr=end,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
        ) as process:
            os.close(end)
            seen, begin, first = b"", time.monotonic(), None
            while chunk := _read(terminal):
                first = first or time.monotonic() - begin
                seen += chunk
            assert process.stdout is not None
            assert process.stdout.read() == b"answer\n"
        os.close(terminal)
        assert process.returncode == 0
        assert first is not None
        assert first > 2
        assert b"long work" in seen
        assert re.search(rb"\d s left", seen)


class TestDrugs:
    def test_list(self) -> None:
        done = ketune_command("drugs", "list", "--json")
        assert done.returncode == 0, done.stderr
        listed = {entry["name"]: entry for entry in json.loads(done.stdout)["drugs"]}
        assert listed["gabazine"]["laws"] == {"gabaa": "block", "gabatonic": "block"}
        assert "sst" in listed["memantine"]["targets"]

    def test_show(self) -> None:
        done = ketune_command("drugs", "show", "AP5")
        assert done.returncode == 0, done.stderr
        assert "nmda.ic50_2A = 0.28 uM (95 % range 0.12 to 2.8 uM)" in done.stdout
        assert "not known: the DL form" in done.stdout

    def test_unknown_drug_is_bad_input(self) -> None:
        done = ketune_command("drugs", "show", "nothing", "--json")
        assert done.returncode == 2
        assert "unknown drug 'nothing'; known: cnqx" in json.loads(done.stdout)["error"]


class TestMechanisms:
    @pytest.mark.neuron
    def test_list(self) -> None:
        done = ketune_command("mechanisms", "list", "--json")
        assert done.returncode == 0, done.stderr
        listed = {entry["name"]: entry for entry in json.loads(done.stdout)["mechanisms"]}
        assert {"leak", "nav", "kv", "km", "ka", "hcn1", "AMPA", "NMDA", "GABAA"} <= set(listed)
        assert listed["NMDA"]["kind"] == "point"
        assert listed["NMDA"]["parameters"]["mg"] == {"value": 1.0, "unit": "mM"}
        plain = ketune_command("mechanisms", "list")
        assert plain.returncode == 0
        assert "hcn1 (density)" in plain.stdout

    @pytest.mark.neuron
    @pytest.mark.slow
    def test_build_compiles_once_and_keeps_the_result(self, tmp_path: Path) -> None:
        environment = {**os.environ, "KETUNE_CACHE_DIR": str(tmp_path)}
        first = ketune_command("mechanisms", "build", "--json", env=environment)
        assert first.returncode == 0, first.stderr
        library = Path(json.loads(first.stdout)["library"])
        assert library.is_relative_to(tmp_path)
        built = library.stat().st_mtime_ns
        again = ketune_command("mechanisms", "build", env=environment)
        assert again.stdout == f"compiled: {library}\n"
        assert library.stat().st_mtime_ns == built

    @pytest.mark.neuron
    def test_missing_compiler_is_one_line(self, tmp_path: Path) -> None:
        environment = {**os.environ, "KETUNE_CACHE_DIR": str(tmp_path), "PATH": str(tmp_path)}
        done = ketune_command("mechanisms", "build", "--json", env=environment)
        assert done.returncode == 2
        assert "apt-get install" in json.loads(done.stdout)["error"]
        assert done.stderr.count("\n") == 1

    def test_the_native_engine_without_a_compiler_is_one_line(self, tmp_path: Path) -> None:
        environment = {**os.environ, "PATH": str(tmp_path)}
        environment.pop("CXX", None)
        done = ketune_command("verify", "--engine", "native", "--json", env=environment)
        assert done.returncode == 2
        assert "no C++ compiler" in json.loads(done.stdout)["error"]
        assert done.stderr.count("\n") == 1


def test_a_pdf_is_not_the_name_of_the_page(tmp_path: Path) -> None:
    done = ketune_command("report", str(tmp_path), "-o", "cell7.pdf", "--pdf")
    assert done.returncode == 2
    assert (
        done.stderr
        == "Error: --output cell7.pdf: names the HTML file; give FILE.html, and --pdf for a PDF beside it\n"
    )


def _replace_library(monkeypatch: pytest.MonkeyPatch, function: Callable[..., object]) -> None:
    """Put `function` in the place of everything that commands call."""
    names = (
        "run_demo",
        "fit_recording",
        "inspect_recording",
        "describe_inspection",
        "apply_drug",
        "explore",
        "run_exposure",
        "describe_exposure",
        "show_effects",
        "describe_effects",
        "write_report",
        "pdf_browser",
        "write_pdf",
        "export_fit",
        "run_verify",
        "run_biology",
        "run_bench",
        "describe",
        "library",
        "cache_key",
    )
    module = SimpleNamespace(
        **dict.fromkeys(names, function),
        names=tuple,
        DrugRequest=dict,
        translate_files=lambda *arguments, **options: {"files": []},
        read_tables=dict,
    )
    for name in (
        "workflow",
        "verify",
        "biology",
        "verify_files",
        "bench",
        "mechanisms",
        "evidence",
        "tuning",
        "export",
        "report",
    ):
        monkeypatch.setitem(sys.modules, f"ketune.{name}", module)
        monkeypatch.setattr(ketune, name, module, raising=False)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # how a terminal says that its other end was closed
        return b""
