"""How long work tells how far it is, without knowing who listens.

Library functions take ``progress: Progress = NullProgress()`` and report through it; the command line passes an object
that draws bars. Nothing here imports a terminal library.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Task(Protocol):
    """One piece of work under way."""

    def advance(self, n: float = 1) -> None:
        """Say that `n` more units of the task's total are done."""

    def describe(self, text: str) -> None:
        """Replace the task's description, for example by the stage that it has reached."""


class Progress(Protocol):
    """Where tasks are announced. Tasks may be nested."""

    def task(self, description: str, total: float | None = None) -> AbstractContextManager[Task]:
        """Announce a task for the duration of a ``with`` block.

        `total` is the number of units that `Task.advance` will count up to, or None where it is not known.
        """


class _NullTask:
    def advance(self, n: float = 1) -> None:
        pass

    def describe(self, text: str) -> None:
        pass


class NullProgress:
    """Says nothing: the default of every library function."""

    def task(self, description: str, total: float | None = None) -> AbstractContextManager[Task]:
        return nullcontext(_NullTask())
