"""What every command has in common: what it prints where, in which form, and how it ends.

Standard output carries the answer and nothing else, as text or, with ``--json``, as one JSON object. Progress, errors
and whatever libraries and compilers have to say go to standard error. Exit codes:

==== ==========================================================================
   0 done
   1 it ran, and the answer is "no": verification failed, a fit did not converge
   2 it could not run with what it was given: one line says what, where, how to mend
  70 a bug in ketune: the traceback is for its authors
 130 interrupted by Ctrl-C
==== ==========================================================================
"""

from __future__ import annotations

import errno
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from typing import Any, cast

import typer

from ketune._progress_display import progress_display
from ketune.errors import InputError, Interrupted
from ketune.progress import Progress
from ketune.storage import jsonable

BAD_INPUT, BUG, INTERRUPTED = 2, 70, 130
_INTERRUPTED_MESSAGE = "interrupted: what had not finished was not written"

# The base class of Typer's complaints about arguments is in click, or, in newer versions, in its own copy of click.
_USAGE_ERROR = cast(type[Exception], typer.BadParameter.__base__)


@dataclass(frozen=True)
class Answer:
    """What a command has found out.

    result: what ``--json`` prints; "ok" (bool) or "status" (str) in it decide the exit code
    lines: the same for people
    as_json: which of the two to print
    bad_input: the answer names what is wrong with the input
    """

    result: Mapping[str, Any]
    lines: tuple[str, ...]
    as_json: bool
    bad_input: bool = False

    @property
    def exit_code(self) -> int:
        """0 for yes, 1 for no ("ok" is false, or "status" is neither "ok" nor "converged"), 2 for bad input."""
        if self.bad_input:
            return BAD_INPUT
        if "ok" in self.result:
            return 0 if self.result["ok"] else 1
        return 0 if self.result.get("status", "ok") in ("ok", "converged") else 1


def perform(
    body: Callable[[Progress], Mapping[str, Any]],
    describe: Callable[[Mapping[str, Any]], Iterable[str]],
    *,
    as_json: bool,
    is_bad_input: Callable[[Mapping[str, Any]], bool] = lambda result: False,
) -> Answer:
    """Run a command's body with a progress display. What it prints to standard output goes to standard error."""
    with redirect_stdout(sys.stderr), progress_display() as progress:
        result = body(progress)
    return Answer(result, () if as_json else tuple(describe(result)), as_json, is_bad_input(result))


def run(app: typer.Typer, arguments: Sequence[str]) -> int:
    """Run the command line, print the answer or the error, and return the exit code."""
    # Looked up here and not only by the commands, because an error in the arguments is also printed as JSON.
    as_json = "--json" in arguments
    try:
        _refuse_empty(arguments)
        answer = app(args=list(arguments) or ["--help"], prog_name="ketune", standalone_mode=False)
        if answer == INTERRUPTED:
            return _fail(_INTERRUPTED_MESSAGE, INTERRUPTED, as_json)
        if not isinstance(answer, Answer):  # --help and --version print for themselves
            sys.stdout.flush()
            return int(answer or 0)
        _print(_dump(answer.result) if answer.as_json else "\n".join(answer.lines))
        return answer.exit_code
    except Interrupted as interrupt:
        return _fail(str(interrupt), INTERRUPTED, as_json)
    except (KeyboardInterrupt, typer.Abort):
        return _fail(_INTERRUPTED_MESSAGE, INTERRUPTED, as_json)
    except InputError as error:
        return _fail(str(error), BAD_INPUT, as_json)
    except _USAGE_ERROR as error:
        return _fail(_explain_usage(error), BAD_INPUT, as_json)
    except OSError as error:
        return _fail(_explain_os_error(error), BAD_INPUT, as_json)
    except Exception as error:
        traceback.print_exc()
        return _fail(f"this is a bug in ketune: {type(error).__name__}: {error}", BUG, as_json)


def claim_output() -> None:
    """Keep standard output for `run`: whatever else writes to file descriptor 1 from now on reaches standard error.

    That takes in C libraries and child processes. It holds to the end of the process, because C libraries may flush
    what they have buffered only then.
    """
    if sys.stdout is None or sys.stderr is None:  # closed by the caller
        return
    sys.stdout.flush()
    own = os.fdopen(os.dup(1), "w", encoding=sys.stdout.encoding, errors=sys.stdout.errors)
    os.dup2(2, 1)
    sys.stdout = own


def _fail(message: str, code: int, as_json: bool) -> int:
    message = " ".join(message.split())
    print(f"Error: {message}", file=sys.stderr)
    if as_json:
        with suppress(OSError):
            _print(_dump({"error": message}))
    return code


def _print(text: str) -> None:
    try:
        print(text, flush=True)
    except BrokenPipeError:  # the reader has seen enough: `ketune ... | head`
        _discard_output()
    except OSError as error:
        _discard_output()
        raise OSError(error.errno, error.strerror, "standard output") from error


def _discard_output() -> None:
    """Point standard output at nothing, so that Python's own flush at the end does not fail once more."""
    with open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), sys.stdout.fileno())


def _dump(result: Mapping[str, Any]) -> str:
    return json.dumps(jsonable(result), indent=2, allow_nan=False)


def _explain_usage(error: Any) -> str:
    command = error.ctx.command_path if error.ctx is not None else "ketune"
    message = error.format_message().rstrip(".").replace("Value error, ", "")
    return f"{message} (see `{command} --help`)"


def _refuse_empty(arguments: Sequence[str]) -> None:
    """An empty argument is a shell variable that was not set, and an empty path would be the current directory."""
    for before, argument in zip(("", *arguments), arguments, strict=False):
        option = before if not argument.strip() else argument[:-1]
        if not argument.strip() or (argument.startswith("--") and argument.endswith("=")):
            after = f" after {option}" if option.startswith("-") else ""
            raise InputError(f"an empty argument{after}: give a value (a shell variable may not be set)")


def _explain_os_error(error: OSError) -> str:
    what = error.strerror or str(error) or type(error).__name__
    where = f"{error.filename}: " if error.filename else ""
    mend = {
        errno.ENOSPC: "free some space there, or write to another disk",
        errno.EDQUOT: "free some space there, or write to another disk",
        errno.EACCES: "change its permissions, or choose another place",
        errno.EPERM: "change its permissions, or choose another place",
        errno.EROFS: "choose a place that can be written to",
        errno.ENOENT: "check the path",
    }.get(error.errno or 0)
    return where + what + (f"; {mend}" if mend else "")
