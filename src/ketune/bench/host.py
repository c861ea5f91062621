"""The process of one contender: it makes a runner and does what it is asked, one message after the other.

A process each, so that peak memory is a contender's own, one's settings of JAX are not another's, and NEURON's
mechanisms do not meet.
"""

from __future__ import annotations

import importlib
import os
import resource
import sys
import traceback
from typing import Any

from ketune.bench.runner import repeated
from ketune.engines.neuron_worker import read_message, write_message


def serve(runner: str, options: dict[str, str], cores: tuple[int, ...] | None) -> None:
    """Answer ``(method, arguments)`` from standard input: ``(result, None)`` or ``(None, (why not, traceback))``."""
    # Answers keep the original standard output; whatever simulators print goes to standard error.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    if cores is not None:
        os.sched_setaffinity(0, cores)
    made: Any = None
    while True:
        try:
            method, arguments = read_message(sys.stdin.buffer)
        except EOFError:
            return
        answer: tuple[Any, tuple[str, str] | None]
        try:
            if made is None:
                made = importlib.import_module(f"ketune.bench.{runner}").Runner(**options)
            answer = (_do(made, method, *arguments), None)
        except Exception as error:  # the parent decides what it means
            why = str(error).strip().splitlines() or [type(error).__name__]
            answer = (None, (why[0], traceback.format_exc()))
        write_message(answers, answer)


def _do(made: Any, method: str, *arguments: Any) -> Any:
    if method == "memory":
        return peak_memory_MiB()
    if method == "repeat":
        name, workload, at_least_s = arguments
        return repeated(lambda: getattr(made, name)(workload), at_least_s)
    return getattr(made, method)(*arguments)


def peak_memory_MiB() -> float:
    """The most that this process ever held in memory."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
