"""A contender's processes as the benchmark sees them: one, or one on each core whose speeds are summed."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from ketune.bench.contenders import Contender
from ketune.bench.runner import Prepared, Trace
from ketune.bench.workloads import Workload
from ketune.engines.neuron_worker import read_message, write_message


class ContenderError(Exception):
    """A contender could not do what it was asked; ``str`` is one line, ``details`` its traceback."""

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.details = details


def cores() -> tuple[int, ...]:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


class Team:
    """A contender at work on so many cores.

    Parameters
    ----------
    options
        Replace those of the contender.
    """

    def __init__(
        self,
        contender: Contender,
        threads: int,
        *,
        options: dict[str, str] | None = None,
        cache: Path | None = None,
    ) -> None:
        self.contender, self.threads = contender, threads
        n = threads if contender.one_process_per_core else 1
        limited = threads < len(cores()) and hasattr(os, "sched_setaffinity")
        own = cores()[:threads] if limited else None
        self._hosts = [
            _Host(contender, {**dict(contender.options), **(options or {})}, own, cache) for _ in range(n)
        ]
        # of each process, for what is ready
        self._lanes: dict[tuple[str, Workload], int] = {}

    def __enter__(self) -> Team:
        return self

    def __exit__(self, *exception: object) -> None:
        for host in self._hosts:
            host.stop()

    def prepare(self, workload: Workload) -> Prepared:
        """Each process gets its own share of the lanes."""
        answers: list[Prepared] = self._all("prepare", self._share(workload))
        self._lanes["forward", workload] = answers[0].lanes
        return Prepared(
            setup_s=max(a.setup_s for a in answers),
            compile_s=max(a.compile_s for a in answers),
            lanes=sum(a.lanes for a in answers),
        )

    def prepare_gradient(self, workload: Workload) -> Prepared:
        """As `Runner.prepare_gradient`."""
        (prepared,) = self._all("prepare_gradient", self._share(workload))
        self._lanes["gradient", workload] = prepared.lanes
        return Prepared(prepared.setup_s, prepared.compile_s, prepared.lanes)

    def forward(self, workload: Workload, at_least_s: float) -> float:
        """Simulated seconds per wall second, from runs that last so long together."""
        return self._speed("forward", workload, at_least_s)

    def gradient(self, workload: Workload, at_least_s: float) -> float:
        """The same with the gradient."""
        return self._speed("gradient", workload, at_least_s)

    def _speed(self, method: str, workload: Workload, at_least_s: float) -> float:
        simulated_s = self._lanes[method, workload] * workload.n_steps * workload.dt_ms * 1e-3
        answers = self._all("repeat", method, self._share(workload), at_least_s)
        return float(sum(simulated_s / seconds for seconds in answers))

    def _share(self, workload: Workload) -> Workload:
        return replace(workload, lanes=-(-workload.lanes // len(self._hosts)))

    def trace(self, workload: Workload) -> Trace:
        """What the accuracy gate compares."""
        host = self._hosts[0]
        host.ask("trace", workload)
        found: Trace = host.answer()
        return found

    def peak_memory_MiB(self) -> float:
        """Of all processes together."""
        return float(sum(self._all("memory")))

    def _all(self, method: str, *arguments: Any) -> list[Any]:
        """Answers of all processes, which work at the same time."""
        for host in self._hosts:
            host.ask(method, *arguments)
        return [host.answer() for host in self._hosts]


class _Host:
    """A process that runs `ketune.bench.host.serve`, started when it is first asked something."""

    def __init__(
        self, contender: Contender, options: dict[str, str], own: tuple[int, ...] | None, cache: Path | None
    ) -> None:
        self._name = contender.name
        self._call = f"serve({contender.runner!r}, {options!r}, {own!r})"
        self._cache = cache
        self._process: subprocess.Popen[bytes] | None = None

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            root = Path(__file__).parents[2]
            paths = [str(root), *filter(None, [os.environ.get("PYTHONPATH")])]
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
            if self._cache is not None:
                environment["KETUNE_CACHE_DIR"] = str(self._cache)
            self._process = subprocess.Popen(
                [sys.executable, "-c", f"from ketune.bench.host import serve; {self._call}"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=environment,
                # Ctrl-C is for the parent, which stops its contenders.
                start_new_session=True,
            )
        return self._process

    def ask(self, method: str, *arguments: Any) -> None:
        stdin = self._started().stdin
        assert stdin is not None
        try:
            write_message(stdin, (method, arguments))
        except OSError:
            raise self._gone() from None

    def answer(self) -> Any:
        stdout = self._started().stdout
        assert stdout is not None
        try:
            result, failure = read_message(stdout)
        except (EOFError, OSError):
            raise self._gone() from None
        if failure is not None:
            raise ContenderError(*failure)
        return result

    def _gone(self) -> ContenderError:
        return ContenderError(f"the process of {self._name} ended with code {self._started().wait()}")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
