"""Keeps NEURON's parser and compiler away from standard output, which belongs to `--json`."""

from __future__ import annotations

import ctypes
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


@contextmanager
def captured_output() -> Iterator[list[str]]:
    """Collect everything that is written to file descriptors 1 and 2 within the block.

    The parser logs from C++, past Python's `sys.stdout`, so the descriptors themselves are redirected. The list
    holds one string, the collected text, once the block is left.
    """
    collected: list[str] = []
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    with tempfile.TemporaryFile() as sink:
        os.dup2(sink.fileno(), 1)
        os.dup2(sink.fileno(), 2)
        try:
            yield collected
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            ctypes.CDLL(None).fflush(None)  # C's own buffers, or the text appears after the restore
            for descriptor, original in zip((1, 2), kept, strict=True):
                os.dup2(original, descriptor)
                os.close(original)
            sink.seek(0)
            collected.append(sink.read().decode(errors="replace"))


def import_neuron() -> ModuleType:
    """Import NEURON without its graphics, silently."""
    os.environ.setdefault("NEURON_MODULE_OPTIONS", "-nogui")
    with captured_output():
        import neuron
    return neuron
