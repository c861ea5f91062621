"""Progress on the terminal: bars with the time left, or plain lines where standard error is no terminal.

A task shows itself only once it has lasted `DELAY_S`, so short work stays silent.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from ketune.progress import NullProgress, Progress, Task

if TYPE_CHECKING:
    from rich.progress import TaskID

DELAY_S = 2.0
LINE_INTERVAL_S = 15.0


@contextmanager
def progress_display() -> Iterator[Progress]:
    """The display that suits standard error, for the duration of a ``with`` block."""
    if sys.stderr is None:  # closed by the caller
        yield NullProgress()
        return
    # A copy of the descriptor: libraries that capture a compiler's noise point descriptor 2 elsewhere for a while.
    with os.fdopen(os.dup(sys.stderr.fileno()), "w", encoding="utf-8", errors="replace") as stream:
        display = BarProgress(stream) if stream.isatty() else LineProgress(stream)
        with display:
            yield display


def duration(seconds: float) -> str:
    """A length of time in words, for people: "35 s", "4 min", "1 h 10 min"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


class BarProgress:
    """One Rich bar a task, on a terminal."""

    def __init__(self, stream: TextIO, *, delay_s: float = DELAY_S) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            _time_left_column(),
            console=Console(file=stream),
            transient=True,
            speed_estimate_period=600.0,  # steps may take a minute each
        )
        self._delay_s = delay_s
        self._running = 0
        self._timer: threading.Timer | None = None

    def __enter__(self) -> BarProgress:
        return self

    def __exit__(self, *_: object) -> None:
        self._hide()

    @contextmanager
    def task(self, description: str, total: float | None = None) -> Iterator[Task]:
        bar = self._bars.add_task(description, total=total)
        self._running += 1
        if self._running == 1:
            self._timer = threading.Timer(self._delay_s, self._bars.start)
            self._timer.daemon = True
            self._timer.start()
        try:
            yield _BarTask(self._bars, bar)
        finally:
            self._bars.remove_task(bar)
            self._running -= 1
            if self._running == 0:
                self._hide()

    def _hide(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()  # it may be drawing the first picture just now
            self._timer = None
        self._bars.stop()


class _BarTask:
    def __init__(self, bars: Any, bar: TaskID) -> None:
        self._bars, self._bar = bars, bar

    def advance(self, n: float = 1) -> None:
        self._bars.advance(self._bar, n)

    def describe(self, text: str) -> None:
        self._bars.update(self._bar, description=text)


def _time_left_column() -> Any:
    from rich.progress import ProgressColumn
    from rich.progress import Task as RichTask
    from rich.text import Text

    class TimeLeft(ProgressColumn):
        max_refresh = 0.5

        def render(self, task: RichTask) -> Text:
            left = task.time_remaining
            return Text("" if left is None else f"{duration(left)} left", style="progress.remaining")

    return TimeLeft()


class LineProgress:
    """A line when a task turns out to be long, one now and then while it goes on, one when it is done."""

    def __init__(
        self,
        stream: TextIO,
        *,
        delay_s: float = DELAY_S,
        interval_s: float = LINE_INTERVAL_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream
        self._delay_s, self._interval_s, self._clock = delay_s, interval_s, clock

    def __enter__(self) -> LineProgress:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    @contextmanager
    def _task(self, description: str, total: float | None) -> Iterator[Task]:
        task = _LineTask(self._stream, description, total, self._interval_s, self._clock)
        timer = threading.Timer(self._delay_s, task.announce)
        timer.daemon = True
        timer.start()
        try:
            yield task
        finally:
            timer.cancel()
            timer.join()
        task.finish()

    def task(self, description: str, total: float | None = None) -> AbstractContextManager[Task]:
        return self._task(description, total)


class _LineTask:
    def __init__(
        self, stream: TextIO, text: str, total: float | None, interval_s: float, clock: Callable[[], float]
    ) -> None:
        self._stream, self._text, self._total = stream, text, total
        self._interval_s, self._clock = interval_s, clock
        self._done = 0.0
        self._begun = clock()
        self._last_line: float | None = None  # None while the task is too young to be shown

    def announce(self) -> None:
        self._say(self._state() or " ...")

    def advance(self, n: float = 1) -> None:
        self._done += n
        self._say_if_due()

    def describe(self, text: str) -> None:
        self._text = text
        self._say_if_due()

    def finish(self) -> None:
        if self._last_line is not None:
            self._say(f": done in {duration(self._clock() - self._begun)}")

    def _say_if_due(self) -> None:
        if self._last_line is not None and self._clock() - self._last_line >= self._interval_s:
            self._say(self._state() or " ...")

    def _state(self) -> str:
        if not self._total or not self._done:
            return ""
        share = min(self._done / self._total, 1.0)
        left = (self._clock() - self._begun) * (1 - share) / share
        return f": {share:.0%}, about {duration(left)} left"

    def _say(self, what: str) -> None:
        self._last_line = self._clock()
        print(self._text + what, file=self._stream, flush=True)
