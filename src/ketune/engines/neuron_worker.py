"""NEURON's side of the reference engine in a process of its own.

A worker reads pickled `Problem`s from its standard input and answers each with a pickled `(traces, None)` or
`(None, message)`. Nothing but NumPy and NEURON is imported, so that it starts quickly.
"""

from __future__ import annotations

import os
import pickle
import sys
import traceback
from dataclasses import replace
from typing import IO, Any

from ketune.engines.neuron_model import Traces, simulate


def read_message(stream: IO[bytes]) -> Any:
    """The next pickled object of a pipe. Raises EOFError at its end."""
    header = _read_exactly(stream, 8)
    return pickle.loads(_read_exactly(stream, int.from_bytes(header, "little")))


def write_message(stream: IO[bytes], message: Any) -> None:
    """Send an object through a pipe."""
    body = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    stream.write(len(body).to_bytes(8, "little"))
    stream.write(body)
    stream.flush()


def _read_exactly(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data


def serve() -> None:
    """Answer problems from standard input until it closes."""
    # Answers keep the original standard output; whatever NEURON prints goes to standard error.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    loaded: set[str] = set()
    while True:
        try:
            problem = read_message(sys.stdin.buffer)
        except EOFError:
            return
        answer: tuple[Traces | None, str | None]
        try:
            needed = tuple(path for path in problem.libraries if path not in loaded)
            loaded.update(needed)
            answer = (simulate(replace(problem, libraries=needed)), None)
        except Exception as error:  # the parent reports it as the job's status
            answer = (None, "".join(traceback.format_exception_only(error)).strip())
        write_message(answers, answer)
