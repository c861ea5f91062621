"""Fit a recording and write the fit directory."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from ketune import tuning
from ketune.afferents import Drive
from ketune.cell import Cell
from ketune.engines import create, describe
from ketune.fitting import (
    KEPT_WITHIN,
    Effort,
    Fitter,
    SpikeCounts,
    SpontaneousRate,
    StepChoice,
    StepSizes,
)
from ketune.inference import (
    Findings,
    NeuronFit,
    compare_hypotheses,
    every_hypothesis,
    findings,
    fit_neuron,
)
from ketune.progress import NullProgress, Progress
from ketune.provenance import provenance
from ketune.recordings import Layout
from ketune.storage import check_output_directory, result_directory, write_json, write_text
from ketune.surface import surface_key
from ketune.tuning import Recording
from ketune.workflow._estimates import PointFit, from_silent_twin, from_surface
from ketune.workflow._fit_files import CHECK_SEED, FIT_FILE, FIT_FORMAT, RECORDING_FILE
from ketune.workflow._fit_plan import FitPlan, trials_of
from ketune.workflow._fit_request import FitRequest
from ketune.workflow._inference_files import (
    SUMMARY_FILE,
    check_fields,
    hypotheses_fields,
    identifiability_fields,
    predictive_check,
    summary_text,
    write_draws,
)
from ketune.workflow._scores import REQUIRED, Scores, score
from ketune.workflow._simulation import CONTROL, FittedNeuron, summary_fields

# What an inference adds to the answer.
_INFERRED = ("identifiability", "intervals", "diagnostics", "hypotheses", "seconds", "gradients")


def fit_recording(
    data: str | Path | Recording,
    output: str | Path,
    *,
    model: Path | None = None,
    window: str | None = None,
    neuron: str | None = None,
    condition: str | None = None,
    fold: bool = False,
    radians: bool = False,
    layout: Layout | None = None,
    spontaneous: str | None = None,
    seed: int = 1,
    starts: int | None = None,
    effort: str = "standard",
    engine: str = "auto",
    dt: str | None = None,
    dt_error: float | None = None,
    morphology: Path | None = None,
    joint: Sequence[str] = (),
    actions: str | None = None,
    priors: Sequence[str] = (),
    start: Sequence[str] = (),
    estimator: str = "auto",
    posterior: bool | None = None,
    compare: bool = False,
    correction_trials: Sequence[int] | None = None,
    check_trials: int | None = None,
    replay_trials: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Fit the default cell, or another, to one recording; check it with spikes; write ``output``.

    Parameters
    ----------
    data
        Recording as CSV, Parquet, MAT or NWB (docs/recordings.md), or one already read; ``window`` to ``layout`` then
        have no effect.
    output
        Directory of the fit.
    model, morphology
        Cell model (TOML) and morphology (SWC, ASC); the shipped ones if not given.
    window, neuron, condition, fold, radians, layout
        How to read the recording: see :func:`ketune.tuning.read_recording`.
    spontaneous
        Rate on a blank screen ("2 Hz") where the recording has no blank trials. Where it is not known either, the
        fit assumes that it does not exceed the smallest mean response.
    seed
        Of everything random.
    starts
        Ascents; the effort's own number if not given.
    effort
        ``"quick"``, ``"standard"`` or ``"thorough"``.
    engine
        What simulates spikes: see :func:`ketune.engines.create`.
    dt, dt_error
        Time step: ``"auto"`` measures which steps keep the error of the expected counts below ``dt_error`` (default
        0.01), of the spiking and of the silent cell; a time ("0.025 ms") is the step of both. The effort's own steps if
        not given.
    joint
        Further conditions fitted together with the control, which share its cell: names of conditions in the same file,
        or other files with one condition each.
    actions
        What these conditions may change, ``"nmda,pv,sst"``.
    priors
        Ranges that hold 95 % of a prior, ``"nmda_nS=0.3..0.9"``; a drug's factor is ``"ketamine.nmda"``.
    start
        One more starting point, ``"nmda_nS=0.5"``.
    estimator
        ``"surface"``: the cell's response surface, which is built first where it is not known (minutes, once for each
        cell); ``"silent"``: gradients of the silent twin, one condition and no intervals beyond those of the curvature;
        ``"auto"``: the surface where it is known or needed.
    posterior
        Whether the posterior is sampled; by default all but quick fits do.
    compare
        Rank the sets of actions by cross-validation over trials.
    correction_trials, check_trials, replay_trials
        Trials per stimulus of each correction by the spiking cell, of the final check, and of the replay in NEURON (0
        leaves it out), in place of the effort's.

    Returns
    -------
    dict
        ``status``, ``directory``, ``parameters``, ``tuning``, the check's scores, ``identifiability``, ``intervals``,
        ``seconds`` and ``gradients``.

    Raises
    ------
    InputError
        The recording, model, morphology or directory cannot be used. Nothing is written then.
    """

    return fit_as_requested(
        data,
        output,
        FitRequest(
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
            effort=effort,
            engine=engine,
            dt=dt,
            dt_error=dt_error,
            morphology=morphology,
            joint=joint,
            actions=actions,
            priors=priors,
            start=start,
            estimator=estimator,
            posterior=posterior,
            compare=compare,
            correction_trials=correction_trials,
            check_trials=check_trials,
            replay_trials=replay_trials,
        ),
        overwrite=overwrite,
        progress=progress,
    )


def fit_as_requested(
    data: str | Path | Recording,
    output: str | Path,
    request: FitRequest,
    *,
    cell: Cell | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """:func:`fit_recording` with its options in one object; ``cell`` is theirs, where it has been built already."""
    check_output_directory(Path(output), "fit", overwrite=overwrite)
    reading = request.reading(data)
    return fit_to_directory(
        request.plan(data, cell),
        Path(output),
        cell_source=request.cell_source,
        data_file=None if reading is None or isinstance(data, Recording) else Path(data),
        reading=reading,
        seed=request.seed,
        effort=request.fit_effort(),
        dt_error=request.step_error(),
        engine=request.engine,
        overwrite=overwrite,
        progress=progress or NullProgress(),
    )


def fit_to_directory(
    plan: FitPlan,
    output: Path,
    *,
    cell_source: Mapping[str, Path | None],
    data_file: Path | None,
    seed: int,
    effort: Effort,
    engine: str,
    overwrite: bool,
    progress: Progress,
    dt_error: float | None = None,
    reading: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Do a planned fit and write it.

    With ``dt_error`` the steps are those that :meth:`Fitter.step_sizes` finds for it. ``reading`` says how
    ``data_file`` was read, so that its copy can be read again.
    """
    check_output_directory(output, "fit", overwrite=overwrite)
    begun = time.monotonic()
    recording, condition, inference, cell = plan.recording, plan.condition, plan.inference, plan.cell
    stimuli, orientations, angles = list(plan.stimuli), plan.orientations, plan.angles
    fitted, spontaneous = plan.fitted, plan.spontaneous
    conditions = plan.conditions()

    def fitter_at(effort: Effort) -> Fitter:
        return Fitter(
            cell,
            angles,
            plan.observed(),
            window_ms=recording.window_s * 1e3,
            spontaneous=spontaneous,
            effort=effort,
            engine=engine,
            seed=seed,
            progress=progress,
        )

    steps = None if dt_error is None else fitter_at(effort).step_sizes(dt_error)
    if steps is not None:
        effort = replace(effort, spiking_dt_ms=steps.spiking.dt_ms, silent_dt_ms=steps.silent.dt_ms)
    joint: NeuronFit | None = None
    found: Findings | None = None
    if not plan.by_surface:
        fitter = fitter_at(effort)
        fit, spiking = from_silent_twin(fitter.run()), fitter.spiking
    else:
        spiking = create(cell, engine, dt_ms=effort.spiking_dt_ms, dtype=np.float32)
        joint = fit_neuron(
            cell,
            conditions,
            [*angles, *([] if spontaneous is None else [np.nan])],
            window_s=recording.window_s,
            spiking=spiking,
            fitted=plan.conditions(only_fitted=True) if plan.split else None,
            priors=plan.priors,
            start=plan.start,
            effort=inference.effort,
            surface=plan.surface,
            engine=engine,
            seed=seed,
            progress=progress,
        )
        found = findings(joint, seed=seed)
        fit = from_surface(joint, found, effort)
    neuron = FittedNeuron(
        cell,
        fit.values,
        placement_seed=seed,
        orientation_deg=tuple(orientations),
        window_ms=recording.window_s * 1e3,
        engine=spiking,
    )
    check = neuron.counts(
        CONTROL,
        trials=effort.check_trials,
        seed=CHECK_SEED + seed,
        progress=progress,
        text="check with spikes",
    )
    test = [trials_of(plan.held_out, o, condition) for o in orientations]
    scores = score(check.only(np.isfinite(check.orientation_deg)), test, seed=seed)
    replay = neuron.replay(CONTROL, trials=effort.replay_trials, seed=CHECK_SEED + seed, progress=progress)
    summary = neuron.summary(check)
    status, message = _verdict(fit, scores)
    document: dict[str, Any] = {
        "status": status,
        "message": message,
        "recording": {
            "name": recording.name,
            "source": recording.source,
            "sha256": recording.sha256,
            "window_s": recording.window_s,
            "orientation_deg": orientations,
            "n_trials": [len(recording.counts(o, condition)) for o in orientations],
            "has_blank": plan.has_blank,
            "assumed_degrees": "assum" in recording.source.lower(),
            "split": "half" if plan.split else "all",
        },
        "parameters": _parameters(fit),
        "undetermined": [{"combination": words, "sd_log": size} for words, size in fit.undetermined],
        "kept_within": KEPT_WITHIN,
        "kept_sets": [
            {
                "values": k.values,
                "log_likelihood_difference": k.log_likelihood_difference,
                "placement_seed": k.placement_seed,
                "event_seed": seed,
            }
            for k in fit.kept
        ],
        "tuning": _tuning(fitted, stimuli, condition, fit),
        "spontaneous": _spontaneous_fields(spontaneous, fit, check, recording.window_s),
        "check": _check(check, scores, test, fit, orientations),
        "replay": replay,
        "readout": {
            **fit.readout,
            "dt_ms": effort.silent_dt_ms if joint is None else None,
            "spiking_dt_ms": effort.spiking_dt_ms,
        },
        "summary": {
            "recorded": summary_fields(tuning.summarise_recording(recording, condition)),
            "spiking": summary_fields(summary),
        },
        "traces": [neuron.traces(CONTROL, orientation_deg=summary.preferred_deg, seed=CHECK_SEED + seed)],
        "history": [{"stage": stage, "log_likelihood": value} for stage, value in fit.history],
        "settings": {
            "seed": seed,
            "condition": condition,
            "reading": {"fold": recording.direction_deg is not None} if reading is None else reading,
            "effort": asdict(effort),
            "cell": {k: None if v is None else str(Path(v).resolve()) for k, v in cell_source.items()},
            "drive": Drive().as_dict(),
            "log_likelihood": fit.log_likelihood,
            "bias_correction": fit.bias_correction,
            "compartments": cell.table.n,
            "compartments_sha256": cell.table.sha256(),
            "cell_key": surface_key(cell),
        },
        "provenance": provenance(seed=seed, engine=describe(spiking))
        | ({} if steps is None else {"time_steps": _steps_fields(steps)}),
    }
    replicated: dict[str, np.ndarray] = {}
    if joint is not None and found is not None:
        checked, replicated = predictive_check(joint, seed=seed)
        document |= identifiability_fields(found)
        document["predictive_check"] = check_fields(checked)
        if found.diagnostics is not None:
            document["diagnostics"] = found.diagnostics
        document["conditions"] = [
            {"label": c.label, "actions": c.actions, "source": r.source}
            for c, r in zip(conditions, [recording, *(r for r, _ in inference.further)], strict=True)
        ]
        if inference.compare:
            ranked = compare_hypotheses(
                joint.model,
                joint.optimum.coordinates,
                every_hypothesis(inference.actions),
                seed=seed,
                progress=progress,
            )
            document["hypotheses"] = hypotheses_fields(ranked)
    document["seconds"] = round(time.monotonic() - begun, 1)
    if joint is not None:
        document["gradients"] = joint.gradients
    with result_directory(output, "fit", overwrite=overwrite) as folder:
        if joint is not None and found is not None:
            write_draws(folder, joint, found, replicated, document["provenance"])
            text = summary_text(
                joint,
                found,
                recording=recording.name,
                values=fit.values,
                errors=fit.standard_error,
                seconds=document["seconds"],
            )
            write_text(folder / SUMMARY_FILE, text + "\n")
        write_json(folder / FIT_FILE, document, FIT_FORMAT)
        _store_recording(folder, recording, data_file)
    return {
        "status": status,
        "message": message,
        "directory": str(output),
        "recording": recording.name,
        "parameters": {
            n: {k: p[k] for k in ("value", "se", "unit", "at_bound")}
            for n, p in document["parameters"].items()
        },
        "tuning": {k: document["tuning"][k] for k in ("orientation_deg", "recorded_mean", "fitted_mean")},
        "check": {k: v for k, v in document["check"].items() if not isinstance(v, list | np.ndarray)},
        "replay": replay,
        **{name: document[name] for name in _INFERRED if name in document},
    }


def _store_recording(folder: Path, recording: Recording, data_file: Path | None) -> None:
    """Keep what was fitted as recording.csv: the file itself where it can be read again, else the recording."""
    if data_file is not None:
        shutil.copyfile(data_file, folder / RECORDING_FILE)
    else:
        recording.to_csv(folder / RECORDING_FILE)


def _spontaneous_fields(
    assumed: SpontaneousRate | None, fit: PointFit, check: SpikeCounts, window_s: float
) -> dict[str, Any]:
    blank = ~np.isfinite(check.orientation_deg)
    return {
        "source": "recorded" if assumed is None else "given" if assumed.known else "assumed",
        "assumed_hz": None if assumed is None else assumed.count / window_s,
        "fitted_hz": float(fit.mean[-1]) / window_s,
        "spiking_hz": float(check.mean[blank][0]) / window_s,
    }


def _steps_fields(steps: StepSizes) -> dict[str, Any]:
    """How the time steps were chosen, with the measured errors by step."""

    def choice(made: StepChoice) -> dict[str, Any]:
        return {
            "dt_ms": made.dt_ms,
            "within": made.within,
            "error": {f"{e.dt_ms:g} ms": e.error for e in made.errors},
            "standard_error": {f"{e.dt_ms:g} ms": e.standard_error for e in made.errors},
        }

    return {
        "bound": steps.bound,
        "spiking": choice(steps.spiking),
        "silent": choice(steps.silent),
        "reference": {"dt_ms": steps.reference_ms, "scheme": steps.reference_scheme},
        "n_lanes": steps.n_lanes,
        "mean_count": steps.mean_count,
    }


def _verdict(fit: PointFit, scores: Scores) -> tuple[str, str]:
    if not scores.passed:
        return "out_of_reach", f"the spiking cell does not reproduce this recording: {_missed(fit, scores)}"
    if fit.status != "converged":
        return "stopped", "the likelihood had not settled when the iterations were used up"
    return "converged", "the spiking cell reproduces this recording"


def _missed(fit: PointFit, scores: Scores) -> str:
    """What falls short, and which parameters stand at a bound and so keep the cell from going further."""
    ratio = REQUIRED["fano_ratio"]
    missed = []
    if not scores.correlation >= REQUIRED["correlation"]:
        missed.append("the shape of the tuning curve")
    if not scores.rmse_fraction_of_range <= REQUIRED["rmse_fraction_of_range"]:
        missed.append("the mean counts")
    if not scores.fano_ratio_median <= ratio:
        missed.append("the regularity of its counts (the model varies too much)")
    elif not scores.fano_ratio_median >= 1 / ratio:
        missed.append("the variability of its counts (the model varies too little)")
    bound = [p.name for p in fit.parameters if p.at_bound(fit.values[p.name])]
    return " and ".join(missed) + (
        f"; at a bound: {', '.join(bound)}" if bound else "; no parameter is at a bound"
    )


def _parameters(fit: PointFit) -> dict[str, dict[str, Any]]:
    by_name = {p.name: p for p in fit.parameters}
    return {
        name: {
            "value": fit.values[name],
            "se": fit.standard_error[name],
            "unit": by_name[name].unit,
            "low": by_name[name].low,
            "high": by_name[name].high,
            "at_bound": by_name[name].at_bound(fit.values[name]),
            "meaning": by_name[name].meaning,
            "determined": fit.determined[name],
        }
        for name in by_name
    }


def _tuning(
    fitted: Recording, stimuli: list[float | None], condition: str | None, fit: PointFit
) -> dict[str, Any]:
    counts = [trials_of(fitted, o, condition) for o in stimuli]
    fano = [tuning.fano_factor(c) for c in counts]
    return {
        "orientation_deg": stimuli,
        "recorded_mean": [c.mean() for c in counts],
        "recorded_sem": [c.std(ddof=1) / np.sqrt(len(c)) if len(c) > 1 else np.nan for c in counts],
        "recorded_fano": [f.value for f in fano],
        "recorded_fano_se": [f.se for f in fano],
        "fitted_mean": fit.mean[: len(stimuli)],
        "fitted_fano": fit.fano[: len(stimuli)],
    }


def _check(
    check: SpikeCounts, scores: Scores, test: list[np.ndarray], fit: PointFit, orientations: list[float]
) -> dict[str, Any]:
    fano = [tuning.fano_factor(c) for c in test]
    blank = [np.nan] * (len(check.mean) - len(test))
    return {
        "n_trials": check.n_trials,
        "orientation_deg": check.orientation_deg,
        "spiking_mean": check.mean,
        "spiking_sem": check.sem,
        "spiking_fano": check.fano,
        "spiking_fano_se": check.fano_se,
        "prediction_mean": [*fit.mean[: len(orientations)], *blank],
        "test_mean": [*(c.mean() for c in test), *blank],
        "test_sem": [*(c.std(ddof=1) / np.sqrt(len(c)) if len(c) > 1 else np.nan for c in test), *blank],
        "test_fano": [*(f.value for f in fano), *blank],
        "test_fano_se": [*(f.se for f in fano), *blank],
        **asdict(scores),
        "passed": scores.passed,
        "required": REQUIRED,
    }
