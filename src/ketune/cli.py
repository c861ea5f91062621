"""The command ``ketune``: options and help. What commands do is in the library; how they speak is in `_console`."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

import ketune
from ketune import (
    _cli_apply,
    _cli_batch,
    _cli_evidence,
    _cli_explore,
    _cli_export,
    _cli_exposure,
    _cli_inspect,
    _cli_reproduce,
    _console,
)
from ketune._cli_options import (
    ConditionColumn,
    Engine,
    EngineOption,
    Json,
    OrientationColumn,
    Overwrite,
    Seed,
    SpikesColumn,
    TrialsTable,
    Window,
    require_output,
)
from ketune.errors import InputError
from ketune.progress import Progress

app = typer.Typer(
    help="""Fit dendritic neurons to orientation tuning curves, apply drugs to them, and report what changed.

    Start with the whole path on a shipped macaque recording, then use your own:

    ```
    ketune demo -o demo
    ketune fit recording.csv -o cell7
    ketune apply cell7 --drug ketamine --dose "10 mg/ml" --at "30 min"
    ketune report cell7
    ```

    Every command takes --json: one JSON object on standard output, everything else on standard error.
    Exit codes: 0 done; 1 it ran and the answer is no (not verified, not converged); 2 bad input, in one line.
    """,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
mechanisms_app = typer.Typer(
    help="The ion channels and synapses: what there is, and their compiled form.", rich_markup_mode="markdown"
)
app.add_typer(mechanisms_app, name="mechanisms")
drugs_app = typer.Typer(
    help="The drugs: what each acts on, and every number with its range, source and what is not known.",
    rich_markup_mode="markdown",
)
app.add_typer(drugs_app, name="drugs")
app.add_typer(_cli_batch.batch_app, name="batch")


class Effort(StrEnum):
    """How much work a fit may spend."""

    quick = "quick"
    standard = "standard"
    thorough = "thorough"


def main() -> None:
    """Entry point of the installed command."""
    _console.claim_output()
    sys.exit(_console.run(app, sys.argv[1:]))


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ketune {ketune.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    pass


@app.command()
def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Where fits and report go.")
    ] = Path("ketune-demo"),
    seed: Seed = 1,
    overwrite: Overwrite = False,
    json: Json = False,
) -> _console.Answer:
    """Run the whole path on shipped data: fit, ketamine, report.

    Fits the neuron to one V1 and one V2 unit of a macaque, applies topical ketamine (10 mg/ml: before, wash-in,
    30 min, recovery), predicts other routes, doses and times for the report's sliders, writes DIR/report.html and
    prints its path and a summary. Takes up to half an hour on two cores.

    Example:

    ```
    ketune demo -o demo
    ```
    """
    from ketune.workflow import run_demo

    return _console.perform(
        lambda progress: run_demo(output, seed=seed, overwrite=overwrite, progress=progress),
        _describe_summary,
        as_json=json,
    )


@app.command()
def fit(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="The recording, as described above.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Where the fit goes.")],
    model: Annotated[
        Path | None,
        typer.Option("--model", metavar="FILE.toml", help="Another model neuron than the default one."),
    ] = None,
    window: Window = None,
    neuron: Annotated[
        str | None,
        typer.Option("--neuron", metavar="NAME", help="Which neuron, where the file holds several."),
    ] = None,
    condition: Annotated[
        str | None,
        typer.Option(
            "--condition", metavar="NAME", help="Which condition to fit, where the file holds several."
        ),
    ] = None,
    fold: Annotated[
        bool, typer.Option("--fold", help="Orientations are directions, 0 to 360: fold them onto 0 to 180.")
    ] = False,
    radians: Annotated[bool, typer.Option("--radians", help="Orientations are in radians.")] = False,
    orientation_column: OrientationColumn = None,
    condition_column: ConditionColumn = None,
    spikes_column: SpikesColumn = None,
    trials_table: TrialsTable = None,
    spontaneous: Annotated[
        str | None,
        typer.Option(
            "--spontaneous",
            metavar="RATE",
            help="Rate on a blank screen, such as '2 Hz', where the file has no blank trials.",
            show_default="at most the smallest mean response",
        ),
    ] = None,
    seed: Seed = 1,
    starts: Annotated[
        int | None,
        typer.Option(
            "--starts",
            min=1,
            help="How many starting points the optimisation tries.",
            show_default="the effort's: 1, 2 or 4",
        ),
    ] = None,
    effort: Annotated[Effort, typer.Option("--effort", help="How much work to spend.")] = Effort.standard,
    engine: EngineOption = Engine.auto,
    dt: Annotated[
        str | None,
        typer.Option(
            "--dt",
            metavar="TIME|auto",
            help="Time step, such as '0.025 ms'; auto measures the largest that is accurate enough.",
            show_default="0.05 ms spiking, 0.1 ms silent",
        ),
    ] = None,
    dt_error: Annotated[
        float | None,
        typer.Option(
            "--dt-error",
            metavar="SHARE",
            help="Largest error of the expected spike counts that --dt auto allows.",
            show_default="0.01",
        ),
    ] = None,
    morphology: Annotated[
        Path | None,
        typer.Option(
            "--morphology", metavar="FILE", help="Another dendritic tree than the default one: SWC or ASC."
        ),
    ] = None,
    joint: Annotated[
        list[str] | None,
        typer.Option(
            "--with",
            metavar="NAME|FILE",
            help="Fit this condition too, the same neuron under a drug: the cell is shared, the drug's factors come on "
            "top. Repeatable.",
        ),
    ] = None,
    actions: Annotated[
        str | None,
        typer.Option(
            "--actions",
            metavar="LIST",
            help="What the conditions of --with may change: NMDA conductance, the firing of PV and of SST cells.",
            show_default="nmda,pv,sst",
        ),
    ] = None,
    prior: Annotated[
        list[str] | None,
        typer.Option(
            "--prior",
            metavar="NAME=LOW..HIGH",
            help="Range that holds 95 % of a parameter's prior, such as nmda_nS=0.3..0.9. Repeatable.",
            show_default="the cell's working range",
        ),
    ] = None,
    start: Annotated[
        list[str] | None,
        typer.Option("--start", metavar="NAME=VALUE", help="One more starting point. Repeatable."),
    ] = None,
    posterior: Annotated[
        bool | None,
        typer.Option(
            "--posterior/--no-posterior",
            help="Sample the posterior, or leave it at profile intervals.",
            show_default="yes, but for quick fits",
        ),
    ] = None,
    compare: Annotated[
        bool,
        typer.Option("--compare", help="Rank the sets of --actions by cross-validation over trials."),
    ] = False,
    estimator: Annotated[
        str,
        typer.Option(
            "--estimator",
            metavar="auto|surface|silent",
            help="The cell's response surface, which is built once for each cell (minutes), or gradients of the silent "
            "twin (one condition, no intervals); auto takes the surface where it is known or needed.",
        ),
    ] = "auto",
    overwrite: Overwrite = False,
    json: Json = False,
) -> _console.Answer:
    """Fit the model neuron to a recording of orientation tuning.

    DATA is a .csv, .parquet, .mat or .nwb file; `ketune inspect DATA` shows what of it can be fitted. A .csv has one
    row for each trial; the orientation is in degrees, and empty where the screen was blank:

    ```
    orientation_deg,trial,spikes,condition,window_s
    0,1,12,control,1.28
    0,2,9,control,1.28
    22.5,1,17,control,1.28
    ,1,3,control,1.28
    ```

    The columns orientation_deg, trial and spikes (a count) are required. condition is "control" where it is left out;
    window_s, the length of the counting window, may be given by --window instead; a column neuron tells several neurons
    apart. Trial numbers may differ between orientations, and orientations may be missing. docs/recordings.md has the
    layouts of the other formats.

    Examples:

    ```
    ketune fit recording.csv -o cell7
    ketune fit population.csv -o cell7 --neuron 7 --window "1.28 s" --fold
    ketune fit session.nwb -o unit12 --neuron 12 --window "1 s"
    ketune fit recording.csv -o cell7 --with ketamine --compare
    ```

    Every parameter is called identified, one-sided, unidentified or at bound, with its 90 % interval. The directory
    holds fit.json, summary.txt and posterior.nc, which ArviZ and xarray read.

    The exit code is 1 where the fit did not converge.
    """
    from ketune.recordings import Layout
    from ketune.workflow import fit_recording

    layout = Layout(
        orientation=orientation_column, condition=condition_column, spikes=spikes_column, trials=trials_table
    )
    return _console.perform(
        lambda progress: fit_recording(
            data,
            output,
            model=model,
            window=window,
            neuron=neuron,
            condition=condition,
            fold=fold,
            radians=radians,
            layout=layout,
            spontaneous=spontaneous,
            seed=seed,
            starts=starts,
            effort=effort.value,
            engine=engine.value,
            dt=dt,
            dt_error=dt_error,
            morphology=morphology,
            joint=joint or (),
            actions=actions,
            priors=prior or (),
            start=start or (),
            estimator=estimator,
            posterior=posterior,
            compare=compare,
            overwrite=overwrite,
            progress=progress,
        ),
        _describe_fit,
        as_json=json,
    )


app.command()(_cli_inspect.inspect)


app.command()(_cli_apply.apply)


app.command()(_cli_explore.explore)


app.command()(_cli_exposure.exposure)


app.command()(_cli_evidence.evidence)


app.command()(_cli_reproduce.reproduce)


app.command()(_cli_batch.collect)


app.command()(_cli_batch.rerun)


@app.command()
def report(
    directories: Annotated[
        list[Path],
        typer.Argument(
            metavar="DIR...",
            help="Fits, with or without drugs applied to them; or one batch, or run of reproduce.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE.html", help="Where it goes.", show_default="DIR/report.html"
        ),
    ] = None,
    each: Annotated[
        bool, typer.Option("--each", help="Of a batch: the report of each finished job that has none, too.")
    ] = False,
    verdicts: Annotated[
        Path | None,
        typer.Option(
            "--verdicts", metavar="DIR", help="Of a batch: with the verdicts of a `ketune reproduce` run."
        ),
    ] = None,
    pdf: Annotated[
        bool,
        typer.Option(
            "--pdf", help="As a PDF beside it, too; needs Chromium, Chrome or Edge on this machine."
        ),
    ] = False,
    json: Json = False,
) -> _console.Answer:
    """Write a report on one or several fits, or on a batch: one HTML file that needs nothing else.

    Of a batch, finished or not: a table of all fits to sort and filter, populations before and under each drug, and
    what failed. Of a directory that `ketune reproduce` wrote: its page again.

    Examples:

    ```
    ketune report cell7
    ketune report cell7 cell8 cell9 -o cells.html --pdf
    ketune report runs/first
    ```
    """

    def written(progress: Progress) -> dict[str, Any]:
        batches, runs = (
            [directory for directory in directories if (directory / name).exists()]
            for name in ("batch.json", "verdicts.json")
        )
        if (batches or runs) and len(directories) > 1:
            raise InputError(
                f"{(batches + runs)[0]}: is a batch or a run of `ketune reproduce`; report it alone"
            )
        if batches:
            from ketune.batch import report_batch

            return report_batch(batches[0], output=output, each=each, verdicts=verdicts, progress=progress)
        if each or verdicts:
            raise InputError(
                f"{'--each' if each else '--verdicts'}: is for a batch, and {directories[0]} is none"
            )
        if runs:
            from ketune.reproduce import report_verdicts

            return report_verdicts(runs[0], output=output, progress=progress)
        from ketune.workflow import write_report

        return write_report(directories, output=output, progress=progress)

    def perform(progress: Progress) -> dict[str, Any]:
        if output is not None and output.suffix.lower() == ".pdf":
            raise InputError(
                f"--output {output}: names the HTML file; give FILE.html, and --pdf for a PDF beside it"
            )
        if not pdf:
            return written(progress)
        from ketune.report import pdf_browser, write_pdf

        # Asked for before the work begins.
        pdf_browser()
        result = written(progress)
        with progress.task("printing the PDF", None):
            return {**result, "pdf": str(write_pdf(Path(result["report"])))}

    return _console.perform(perform, _describe_summary, as_json=json)


app.command()(_cli_export.export)


@app.command()
def verify(
    engine: Annotated[
        Engine,
        typer.Option("--engine", help="Only xla against NEURON, or only native against xla; auto does both."),
    ] = Engine.auto,
    biology: Annotated[
        bool, typer.Option("--biology", help="Reference single-cell experiments instead (see below).")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="With --biology: where figure and numbers go."),
    ] = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> _console.Answer:
    """Compare the JAX engine with NEURON, and the native engine with the JAX engine.

    Every mechanism alone, the calcium channels with their pool, and all mechanisms together on the default cell, at
    6.3, 23 and 37 degC where the temperature matters; the spiking cell with synapses on two morphologies; with and
    without the drug; mechanisms, calcium and a spiking cell in second-order steps too. The voltages agree within
    1e-6 mV over one second in every compartment, or the exit code is 1. How far the native engine is from NEURON
    itself, which linearises currents less exactly, stands beside it.

    With --biology: NMDA and AMPA block, subthreshold tuning, ablated dendrites, contrast and HCN1 channels on the
    calibrated cell, each with its bounds and source. These are calibration checks, not predictions. Takes minutes; the
    exit code is 1 where one fails.

    Examples:

    ```
    ketune verify
    ketune verify --engine native --json
    ketune verify --biology -o biology
    ```
    """
    if biology:
        require_output(output, overwrite)
        from ketune.biology import describe, run_biology

        return _console.perform(
            lambda progress: run_biology(
                engine=engine.value, output=output, overwrite=overwrite, progress=progress
            ),
            describe,
            as_json=json,
        )
    if output is not None or overwrite:
        raise InputError(
            "--output and --overwrite of `ketune verify` need --biology; leave them out or add it"
        )
    from ketune.verify import run_verify

    return _console.perform(
        lambda progress: run_verify(engine=engine.value, progress=progress), _describe_verify, as_json=json
    )


@app.command()
def translate(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE.mod...", help="NMODL files, or names of shipped mechanisms.")
    ],
    show: Annotated[bool, typer.Option("--show", help="Print the generated JAX functions too.")] = False,
    table: Annotated[
        list[str] | None,
        typer.Option(
            "--table",
            metavar="NAME=FILE.csv",
            help="Values of a FUNCTION_TABLE: two columns, argument and value. Repeatable.",
        ),
    ] = None,
    duration: Annotated[
        str, typer.Option("--duration", metavar="TIME", help="Simulated time of each comparison.")
    ] = "1 s",
    alone: Annotated[
        bool, typer.Option("--alone", help="Do not simulate several files together on one cell.")
    ] = False,
    json: Json = False,
) -> _console.Answer:
    """Translate your own mechanisms to JAX and prove that they do what NEURON does.

    Each file is simulated by NEURON and by its translation, in double precision: current steps, a family of clamped
    voltages, trains of events for synapses, at 6.3, 23 and 37 degC where temperature matters. Several files are also
    put on one cell together, so a calcium pool meets the channels that fill and read it. They agree when every
    voltage is within 1e-6 mV, every state and concentration within 1e-8 and every current within 1e-6 of its largest
    value.

    What is not translated (VERBATIM, POINTER, WATCH, random numbers, ...) is listed with its line.

    Examples:

    ```
    ketune translate my_channel.mod
    ketune translate cad.mod cah.mod kca.mod
    ketune translate my_channel.mod --show
    ```

    The exit code is 0 when all agree, 1 when not, and 2 where a file cannot be used.
    """
    from ketune.units import parse
    from ketune.verify_files import read_tables, translate_files

    duration_ms = parse(duration, "ms", "--duration")

    def run(progress: Any) -> dict[str, Any]:
        result = translate_files(
            files,
            tables=read_tables(table or ()),
            duration_ms=duration_ms,
            together=not alone,
            progress=progress,
        )
        if not show:
            for entry in result["files"]:
                del entry["source"]
        return result

    return _console.perform(
        run,
        _describe_translation,
        as_json=json,
        is_bad_input=lambda result: any(entry["errors"] for entry in result["files"]),
    )


@app.command()
def bench(
    against: Annotated[
        str,
        typer.Option(
            "--against",
            metavar="NAMES",
            help="Others to compare with, separated by commas. NEURON is the reference and always takes part.",
        ),
    ] = "neuron,coreneuron,jaxley",
    quick: Annotated[
        bool, typer.Option("--quick", help="A few minutes: few lanes, short windows, few points of scaling.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Where the numbers and the figure go."),
    ] = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> _console.Answer:
    """Measure the speed of ketune's engines on this machine, against NEURON, CoreNEURON and Jaxley.

    Two workloads, the same compartments, step and events for all: W1, a spiking soma with passive dendrites and
    current steps; W2, the default cell with all channels and synapses. Every simulator is compared with NEURON before
    it is timed; one that is off its bound is struck out. Jaxley: pip install 'ketune[bench]'.

    Examples:

    ```
    ketune bench --quick
    ketune bench -o speed
    ketune bench --against neuron,jaxley --json
    ```

    The exit code is 1 where one of ketune's own engines is off its bound.
    """
    from ketune.bench import describe, run_bench

    names = [name.strip() for name in against.split(",") if name.strip()]
    return _console.perform(
        lambda progress: run_bench(names, quick=quick, output=output, overwrite=overwrite, progress=progress),
        describe,
        as_json=json,
    )


@mechanisms_app.command("build")
def mechanisms_build(json: Json = False) -> _console.Answer:
    """Compile the mechanisms for NEURON, unless that has been done already.

    Every command that needs them does this by itself; the result is kept for the next time.

    Example:

    ```
    ketune mechanisms build
    ```
    """
    from ketune import mechanisms

    def build(progress: Any) -> dict[str, Any]:
        with progress.task("compiling the mechanisms"):
            return {"library": mechanisms.library(), "key": mechanisms.cache_key()}

    return _console.perform(build, lambda result: [f"compiled: {result['library']}"], as_json=json)


@mechanisms_app.command("list")
def mechanisms_list(json: Json = False) -> _console.Answer:
    """List the mechanisms with their states and parameters.

    Examples:

    ```
    ketune mechanisms list
    ketune mechanisms list --json
    ```
    """
    from ketune import mechanisms

    def collect(progress: Any) -> dict[str, Any]:
        names = mechanisms.names()
        found = []
        with progress.task("reading the mechanisms", total=len(names)) as task:
            for name in names:
                found.append(_mechanism_entry(mechanisms.load(name)))
                task.advance()
        return {"mechanisms": found, "key": mechanisms.cache_key()}

    return _console.perform(collect, _describe_mechanisms, as_json=json)


@drugs_app.command("list")
def drugs_list(json: Json = False) -> _console.Answer:
    """List the drugs and what each acts on.

    Examples:

    ```
    ketune drugs list
    ketune drugs list --json
    ```
    """
    from ketune.pharmacology import describe_list, list_drugs

    return _console.perform(lambda progress: list_drugs(), describe_list, as_json=json)


@drugs_app.command("show")
def drugs_show(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A drug, a synonym, or the path of a drug file of your own.")
    ],
    json: Json = False,
) -> _console.Answer:
    """Show every number of a drug with its 95 % range, tags and source, and what is not known of it.

    Tags: retrieved (read in the source), recalled (from memory of the paper), derived (arithmetic from cited values),
    assumed (no measurement behind it).

    Examples:

    ```
    ketune drugs show memantine
    ketune drugs show esketamine --json
    ```
    """
    from ketune.pharmacology import describe_drug, show_drug

    return _console.perform(lambda progress: show_drug(name), describe_drug, as_json=json)


def _mechanism_entry(mechanism: Any) -> dict[str, Any]:
    return {
        "name": mechanism.name,
        "kind": mechanism.kind,
        "states": mechanism.states,
        "ions": [ion.name for ion in mechanism.ions],
        "parameters": {
            name: {"value": parameter.value, "unit": parameter.unit}
            for name, parameter in mechanism.parameters.items()
        },
        "path": mechanism.path,
        "sha256": mechanism.sha256,
    }


def _describe_mechanisms(result: Mapping[str, Any]) -> Iterator[str]:
    for entry in result["mechanisms"]:
        yield f"{entry['name']} ({entry['kind']}), states: {', '.join(entry['states']) or 'none'}"
        for name, parameter in entry["parameters"].items():
            yield f"    {name} = {parameter['value']:g} {parameter['unit'] or ''}".rstrip()


def _describe_verify(result: Mapping[str, Any]) -> Iterator[str]:
    width = max((len(case["name"]) for case in result["cases"]), default=0)
    for case in result["cases"]:
        line = f"{case['name']:{width}}  {case['condition']:10}  {case['celsius']:4g} degC"
        if case["scheme"] == "second_order":
            line += "  second order"
        if case["max_dv_mV"] is not None:
            line += f"  max |dV| {case['max_dv_mV']:.1e} mV"
        if case["max_dstate_rel"] is not None:
            line += f", states {case['max_dstate_rel']:.1e}"
        if "n_spikes" in case:
            line += f"  {case['n_spikes']} spikes, {case['n_nmda_spikes']} NMDA spikes"
        if case["native"] is not None:
            line += f"  {_describe_native(case['native'])}"
        yield line if case["ok"] else f"{line}  FAILED: {case['problem']}"
    failed = sum(not case["ok"] for case in result["cases"])
    pairs = (("NEURON and JAX", "max_dv_mV"), ("native and JAX", "max_dv_native_mV"))
    compared = [(who, result[key]) for who, key in pairs if result[key] is not None]
    parts = [f"FAILED in {failed} of {len(result['cases'])} cases"] if failed else []
    parts += [f"{who}{'' if failed else ' agree'}: max |dV| {worst:.1e} mV" for who, worst in compared]
    allowed = f"(allowed {result['contract_mV']:g} mV over {result['duration_ms']:g} ms)"
    yield f"{'; '.join(parts)} {allowed}"


def _describe_native(native: Mapping[str, Any]) -> str:
    if native["engine"] == "xla":
        return f"runs under XLA: {native['reason']}"
    line = f"native {native['max_dv_mV']:.1e} mV"
    if native["max_dv_neuron_mV"] is not None:
        line += f", from NEURON {native['max_dv_neuron_mV']:.1e} mV"
    if (single := native["float32"]) is not None:
        line += f"; float32 {single['n_spikes']} spikes, {single['share_kept']:.0%} of them within 0.1 ms"
    return line


def _describe_translation(result: Mapping[str, Any]) -> Iterator[str]:
    entries = list(result["files"])
    for entry in entries:
        yield entry["file"]
        if entry["mechanism"]:
            yield f"    {entry['mechanism']} ({entry['kind']}), states: {', '.join(entry['states']) or 'none'}"
            yield f"    constructs: {', '.join(entry['constructs'])}"
        if entry["merging"] in _MERGING:
            yield f"    {_MERGING[entry['merging']]}"
        yield from (f"    {line}" for line in _differences(entry))
        for error in entry["errors"]:
            place = f"line {error['line']}: " if error["line"] else ""
            construct = f"{error['construct']}: " if error["construct"] else ""
            yield f"    ERROR {place}{construct}{error['message']}"
        yield from (f"    note: {warning}" for warning in entry["warnings"])
        if entry.get("source"):
            yield ""
            yield entry["source"]
    if result["together"]:
        yield f"together on one cell: {', '.join(result['together']['mechanisms'])}"
        yield from (f"    {line}" for line in _differences(result["together"]))
        yield from (f"    ERROR {error['message']}" for error in result["together"]["errors"])
    good = sum(entry["ok"] for entry in entries)
    unusable = sum(bool(entry["errors"]) for entry in entries)
    verdict = "NEURON and JAX agree" if result["ok"] else "NEURON and JAX do NOT agree on everything"
    verdict = f"{unusable} of {len(entries)} files cannot be used" if unusable else verdict
    how = f"{result['duration_ms']:g} ms in steps of {result['dt_ms']:g} ms"
    yield f"{verdict}; {good} of {len(entries)} agree over {how}"


_MERGING = {
    "linear": "synapses on one compartment share one set of states (exact)",
    "plastic": "synapses on one compartment share one set of states (exact), each event weighted by its connection",
    "separate": "every synapse has its own states",
}
_FIGURES = {
    "max_dv_mV": ("max |dV|", " mV"),
    "max_dstate_rel": ("states", ""),
    "max_di_rel": ("currents", ""),
}


def _differences(entry: Mapping[str, Any]) -> Iterator[str]:
    """The largest differences, and where those were that are too large."""
    shown = [
        f"{name} {entry[key]:.1e}{unit}" for key, (name, unit) in _FIGURES.items() if entry[key] is not None
    ]
    if shown:
        yield ", ".join(shown)
    for key, where in entry["too_large"].items():
        yield f"DIFFERS: {_FIGURES[key][0]}: {where}"


def _describe_fit(result: Mapping[str, Any]) -> Iterator[str]:
    width = max((len(name) for name in result["parameters"]), default=0)
    intervals, verdicts = result.get("intervals", {}), result.get("identifiability", {})
    for name, entry in result["parameters"].items():
        error = "" if entry["se"] is None else f" +/- {entry['se']:.2g}"
        line = f"{name:{width}}  {entry['value']:.4g}{error} {entry['unit']}"
        if name in intervals:
            low, high = intervals[name]["low"], intervals[name]["high"]
            line = f"{line:{width + 30}} {_span(low, high)}, {verdicts[name]['verdict']}"
        yield line + ("  (at a bound)" if entry["at_bound"] else "")
    if "diagnostics" in result:
        yield from result["diagnostics"].messages
    for h in result.get("hypotheses", ()):
        yield f"{h['actions']:{width}}  elpd {h['elpd']:.1f} +/- {h['se']:.1f}: {h['words']}"
    if "seconds" in result:
        yield f"{result['seconds']:.0f} s"
    yield f"{result['status']}: {result['directory']}"


def _span(low: float, high: float) -> str:
    """An interval in words; ends that are open are left out."""
    if math.isinf(low):
        return "open" if math.isinf(high) else f"below {high:.3g}"
    return f"above {low:.3g}" if math.isinf(high) else f"{low:.3g} to {high:.3g}"


def _describe_summary(result: Mapping[str, Any]) -> Iterator[str]:
    yield from result["summary"]
    written = [str(result[key]) for key in ("report", "pdf") if key in result]
    if written:
        yield f"written: {', '.join(written)}"
