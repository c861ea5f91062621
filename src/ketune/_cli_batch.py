"""The commands `ketune batch`, `collect` and `rerun`: options and help."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from ketune import _console
from ketune._cli_options import Json, Overwrite
from ketune.errors import InputError

if TYPE_CHECKING:
    from ketune.batch import Where

_RUN = "run"


class _RunIsDefault(TyperGroup):
    """`ketune batch CONFIG.toml` is `ketune batch run CONFIG.toml`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the command in where none is named."""
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            args = [_RUN, *args]
        return super().parse_args(ctx, args)


batch_app = typer.Typer(
    cls=_RunIsDefault,
    help="""Fit many recordings with many models, hypotheses and seeds, and lose none.

    ```
    ketune batch fits/ci_batch.toml --dry-run
    ketune batch fits/ci_batch.toml -o runs/first
    ketune batch status runs/first
    ketune collect runs/first -o first.parquet
    ```

    Every job is written the moment it is finished. The same command goes on after Ctrl-C, a crash or a full disk, and
    does only what is missing.
    """,
    rich_markup_mode="markdown",
)

Directory = Annotated[Path, typer.Argument(metavar="DIR", help="A batch's directory.")]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=1,
        help="How many jobs run at a time.",
        show_default="one for each core; 1 of a queueing system",
        rich_help_panel="Where it runs",
    ),
]
Threads = Annotated[
    int, typer.Option("--threads", min=1, help="Of each job.", rich_help_panel="Where it runs")
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        metavar="tcp://HOST:PORT",
        help="A running Dask scheduler, whose workers see the same directories.",
        rich_help_panel="Where it runs",
    ),
]
Slurm = Annotated[
    bool, typer.Option("--slurm", help="Start workers through Slurm.", rich_help_panel="Where it runs")
]
Pbs = Annotated[bool, typer.Option("--pbs", help="Through PBS.", rich_help_panel="Where it runs")]
Sge = Annotated[bool, typer.Option("--sge", help="Through SGE.", rich_help_panel="Where it runs")]
QueueOption = Annotated[
    list[str] | None,
    typer.Option(
        "--queue-option",
        metavar="NAME=VALUE",
        help="For the queueing system, as dask-jobqueue takes it: walltime=08:00:00, memory=8GB, queue=NAME, "
        "account=NAME. Repeatable.",
        rich_help_panel="Where it runs",
    ),
]


@batch_app.command(_RUN)
def run(
    configuration: Annotated[Path, typer.Argument(metavar="CONFIG.toml", help="What is to be done.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="Where results go and are looked for.",
            show_default="the configuration's path without its ending",
        ),
    ] = None,
    workers: Workers = None,
    threads: Threads = 1,
    scheduler: Scheduler = None,
    slurm: Slurm = False,
    pbs: Pbs = False,
    sge: Sge = False,
    queue_option: QueueOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, say what would be done, and write nothing.")
    ] = False,
    json: Json = False,
) -> _console.Answer:
    """Do what is missing of a batch (the command's name may be left out).

    CONFIG.toml names recordings, and what is to be done with each:

    ```
    seeds = [1, 2, 3]

    [[recording]]
    file = "cells/*.csv"

    [fit]
    effort = "quick"

    [[apply]]
    drug = "ketamine"
    dose = "10 mg/ml"
    at = ["30 min"]
    ```

    Examples:

    ```
    ketune batch fits/ketamine.toml --dry-run
    ketune batch fits/ketamine.toml -o runs/ketamine --workers 8
    ketune batch fits/ketamine.toml --slurm --workers 50 --queue-option walltime=08:00:00
    ```

    The exit code is 1 where a job failed; `ketune batch status DIR` lists them.
    """
    from ketune.batch import preview_batch, run_batch

    where = _where(workers, threads, scheduler, slurm, pbs, sge, queue_option)
    if dry_run:
        return _console.perform(
            lambda progress: preview_batch(configuration, output, where=where, progress=progress),
            _describe_preview,
            as_json=json,
        )
    with _ended_in_order():
        return _console.perform(
            lambda progress: run_batch(configuration, output, where=where, progress=progress),
            _describe_run,
            as_json=json,
        )


@batch_app.command()
def status(
    directory: Directory,
    versions: Annotated[
        bool, typer.Option("--versions", help="Also which versions of ketune and which hosts made the jobs.")
    ] = False,
    json: Json = False,
) -> _console.Answer:
    """How many jobs are done, running, missing and failed, and why.

    Example:

    ```
    ketune batch status runs/first
    ```
    """
    from ketune.batch import batch_status, describe_status

    return _console.perform(
        lambda progress: batch_status(directory, versions=versions), describe_status, as_json=json
    )


@batch_app.command()
def retry(
    directory: Directory,
    job: Annotated[
        list[str] | None,
        typer.Option("--job", metavar="KEY", help="Only this one, by the beginning of its key. Repeatable."),
    ] = None,
    workers: Workers = None,
    threads: Threads = 1,
    scheduler: Scheduler = None,
    slurm: Slurm = False,
    pbs: Pbs = False,
    sge: Sge = False,
    queue_option: QueueOption = None,
    json: Json = False,
) -> _console.Answer:
    """Try failed jobs again, and do what else is missing.

    Example:

    ```
    ketune batch retry runs/first --job 3fa9
    ```
    """
    from ketune.batch import retry_batch

    where = _where(workers, threads, scheduler, slurm, pbs, sge, queue_option)
    with _ended_in_order():
        return _console.perform(
            lambda progress: retry_batch(directory, job or (), where=where, progress=progress),
            _describe_run,
            as_json=json,
        )


@batch_app.command()
def clean(
    directory: Directory,
    others: Annotated[
        bool,
        typer.Option("--others", help="Also remove finished jobs that the configuration no longer asks for."),
    ] = False,
    json: Json = False,
) -> _console.Answer:
    """Remove what killed runs left behind. Finished jobs stay.

    Example:

    ```
    ketune batch clean runs/first
    ```
    """
    from ketune.batch import clean_batch

    return _console.perform(
        lambda progress: clean_batch(directory, others=others),
        lambda result: (
            [f"removed {len(result['removed'])} jobs of an earlier configuration"] if others else ["clean"]
        ),
        as_json=json,
    )


def collect(
    directory: Directory,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="TABLE.parquet|csv", help="Where the table goes.")
    ],
    overwrite: Overwrite = False,
    json: Json = False,
) -> _console.Answer:
    """Put all finished jobs of a batch into one table: a row for each fit and condition, units in the header.

    Examples:

    ```
    ketune collect runs/first -o first.parquet
    ketune collect runs/first -o first.csv --overwrite
    ```
    """
    from ketune.batch import check_table, write_table
    from ketune.batch import collect as collected

    check_table(output)
    if output.exists() and not overwrite:
        raise InputError(f"{output}: is there already; choose another name, or add --overwrite")

    def body(progress: Any) -> dict[str, Any]:
        table = collected(directory, progress=progress)
        write_table(table, output)
        return {
            "table": str(output),
            "rows": len(table),
            "jobs": table["job"].nunique(),
            "columns": list(table),
        }

    return _console.perform(
        body,
        lambda r: [f"{r['table']}: {r['rows']} rows of {r['jobs']} jobs, {len(r['columns'])} columns"],
        as_json=json,
    )


def rerun(
    job: Annotated[Path, typer.Argument(metavar="DIR/jobs/JOB", help="The directory of a finished job.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="DIR", help="Keep the new result here.", show_default="not kept"
        ),
    ] = None,
    json: Json = False,
) -> _console.Answer:
    """Do a job of a batch once more, from the batch's copies of its inputs, and compare the numbers.

    Example:

    ```
    ketune rerun runs/first/jobs/cell7-nmda-seed-1-3fa9c2d10b7e
    ```

    The exit code is 1 where the numbers differ.
    """
    from ketune.batch import describe_rerun, rerun_job

    return _console.perform(
        lambda progress: rerun_job(job, output, progress=progress), describe_rerun, as_json=json
    )


def _where(
    workers: int | None,
    threads: int,
    scheduler: str | None,
    slurm: bool,
    pbs: bool,
    sge: bool,
    options: list[str] | None,
) -> Where:
    from ketune.batch import Where

    queues = [name for name, wanted in (("slurm", slurm), ("pbs", pbs), ("sge", sge)) if wanted]
    if len(queues) > 1:
        raise InputError(f"--{queues[0]} and --{queues[1]}: choose one queueing system")
    pairs = {}
    for text in options or ():
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise InputError(f"--queue-option: '{text}' is no NAME=VALUE; write such as walltime=08:00:00")
        pairs[name] = value
    return Where(workers, threads, scheduler, queues[0] if queues else None, pairs)


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """A queueing system ends a job by SIGTERM: treat it as Ctrl-C."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _describe_preview(result: Mapping[str, Any]) -> Iterator[str]:
    from ketune._progress_display import duration

    counts = result["counts"]
    product = " x ".join(
        f"{n} {what if n != 1 else what[:-1] if what != 'hypotheses' else 'hypothesis'}"
        for what, n in counts.items()
        if n > 1 or what in ("recordings", "seeds")
    )
    yield f"{result['name']}: {result['jobs']} jobs ({product})"
    if result["applications"]:
        yield f"a fit and {result['applications']} drug applications each"
    yield f"in {result['directory']}: {result['done']} done, {result['failed']} failed, {len(result['to_do'])} to do"
    each = f"about {duration(result['seconds_each'])} each, {result['seconds_basis']}"
    total = result["seconds_total"]
    yield f"on {result['where']}: {each}" + (f"; about {duration(total)} altogether" if total else "")
    for job in result["to_do"][:20]:
        yield f"    {job['job']}  {job['label']}"
    if len(result["to_do"]) > 20:
        yield f"    and {len(result['to_do']) - 20} more"
    if result["job_script"]:
        yield "each worker is submitted as:"
        yield from result["job_script"].splitlines()


def _describe_run(result: Mapping[str, Any]) -> Iterator[str]:
    from ketune._progress_display import duration
    from ketune.batch import describe_failures

    yield f"{result['message']}, in {duration(result['seconds'])}: {result['directory']}"
    yield from describe_failures(result)
    if result["failed"]:
        yield f"`ketune batch retry {result['directory']}` tries them again"
