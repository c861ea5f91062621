"""Fit a recording and write the fit directory."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ketune import tuning, units
from ketune.afferents import Drive
from ketune.engines import create, describe
from ketune.errors import InputError
from ketune.fitting import (
    BOUND,
    KEPT_WITHIN,
    PARAMETERS,
    DirectionCounts,
    Effort,
    Fitter,
    SpikeCounts,
    SpontaneousRate,
    StepChoice,
    StepSizes,
    effort_named,
)
from ketune.inference import (
    ACTIONS,
    ConditionCounts,
    Findings,
    InferenceEffort,
    NeuronFit,
    check_conditions,
    compare_hypotheses,
    every_hypothesis,
    findings,
    fit_neuron,
)
from ketune.progress import NullProgress, Progress
from ketune.provenance import provenance
from ketune.storage import check_output_directory, result_directory, write_json, write_text
from ketune.surface import known_surface, surface_key
from ketune.tuning import DEFAULT_CONDITION, Recording
from ketune.workflow._estimates import INFERENCE_EFFORTS, PointFit, from_silent_twin, from_surface
from ketune.workflow._fit_files import CHECK_SEED, FIT_FILE, FIT_FORMAT, RECORDING_FILE, cell_from
from ketune.workflow._inference_files import (
    SUMMARY_FILE,
    check_fields,
    hypotheses_fields,
    identifiability_fields,
    predictive_check,
    summary_text,
    write_draws,
)
from ketune.workflow._joint import (
    check_alike,
    condition_counts,
    further_conditions,
    parse_actions,
    parse_priors,
    parse_start,
)
from ketune.workflow._scores import REQUIRED, Scores, score
from ketune.workflow._simulation import CONTROL, FittedNeuron, summary_fields

# Fewer trials than this at an orientation are all fitted: half of them would carry too little.
_SPLIT_FROM_TRIALS = 20
_LARGEST_DT_MS = 0.2
ESTIMATORS = ("auto", "surface", "silent")
# What an inference adds to the answer.
_INFERRED = ("identifiability", "intervals", "diagnostics", "hypotheses", "seconds", "gradients")
# Nothing is assumed of the spontaneous rate under a drug: no count exceeds this.
_LARGEST_ASSUMED = 1e9


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
    overwrite: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Fit the default cell, or another, to one recording; check it with spikes; write ``output``.

    Parameters
    ----------
    data
        Recording as CSV (docs/recordings.md), or one already read; ``window`` to ``radians`` then have no effect.
    output
        Directory of the fit.
    model, morphology
        Cell model (TOML) and morphology (SWC, ASC); the shipped ones if not given.
    window, neuron, condition, fold, radians
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

    reading: dict[str, Any] = {"window": window, "neuron": neuron, "fold": fold, "radians": radians}

    def read(path: str | Path, wanted: str | None) -> Recording:
        return tuning.read_recording(path, condition=wanted, **reading)

    # Conditions that are fitted together may share a file: it is then read whole.
    wanted = None if joint else condition
    recording = data if isinstance(data, Recording) else read(data, wanted)
    if joint and condition is None:
        condition = DEFAULT_CONDITION if DEFAULT_CONDITION in recording.conditions() else None
    further = further_conditions(joint, recording, lambda path: read(path, None))
    return fit_to_directory(
        recording,
        Path(output),
        cell_source={"model": model, "morphology": morphology},
        data_file=None if isinstance(data, Recording) else Path(data),
        reading=None
        if isinstance(data, Recording)
        else {name: value for name, value in {**reading, "condition": wanted}.items() if value},
        condition=condition,
        spontaneous_hz=None if spontaneous is None else units.parse(spontaneous, "Hz", "--spontaneous"),
        seed=seed,
        effort=_with_step(
            effort_named(effort) if starts is None else _with_starts(effort_named(effort), starts), dt
        ),
        dt_error=_dt_error(dt, dt_error),
        engine=engine,
        inference=Inference(
            further=tuple(further),
            actions=parse_actions(actions),
            priors=tuple(priors),
            start=tuple(start),
            estimator=estimator,
            effort=_inference_effort(effort, starts, posterior),
            compare=compare,
        ),
        overwrite=overwrite,
        progress=progress or NullProgress(),
    )


@dataclass(frozen=True, eq=False)
class Inference:
    """How a fit infers: see :func:`fit_recording`.

    Attributes
    ----------
    further
        Recordings fitted jointly, each with the label of its condition.
    """

    further: tuple[tuple[Recording, str], ...] = ()
    actions: tuple[str, ...] = ACTIONS
    priors: tuple[str, ...] = ()
    start: tuple[str, ...] = ()
    estimator: str = "auto"
    effort: InferenceEffort = field(default_factory=InferenceEffort)
    compare: bool = False

    @property
    def needs_surface(self) -> bool:
        """Whether something is asked for that the silent twin cannot do."""
        return bool(self.further or self.priors or self.start or self.compare)


def _inference_effort(effort: str, starts: int | None, posterior: bool | None) -> InferenceEffort:
    effort_named(effort)
    found = INFERENCE_EFFORTS[effort]
    if starts is not None:
        found = replace(found, followed=starts)
    if posterior is not None:
        found = replace(found, draws=(found.draws or InferenceEffort().draws) if posterior else 0)
    return found


def fit_to_directory(
    recording: Recording,
    output: Path,
    *,
    cell_source: dict[str, Any],
    data_file: Path | None,
    condition: str | None,
    spontaneous_hz: float | None,
    seed: int,
    effort: Effort,
    engine: str,
    overwrite: bool,
    progress: Progress,
    inference: Inference | None = None,
    dt_error: float | None = None,
    reading: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The work of :func:`fit_recording` on a recording already read.

    With ``dt_error`` the steps are those that :meth:`Fitter.step_sizes` finds for it. ``reading`` says how
    ``data_file`` was read, so that its copy can be read again.
    """
    check_output_directory(output, "fit", overwrite=overwrite)
    has_blank = recording.has_blank_in(condition)
    if spontaneous_hz is not None and has_blank:
        raise InputError(
            "--spontaneous: the recording has blank trials, which tell the spontaneous rate; leave it out"
        )
    if recording.direction_deg is not None and condition is None and len(recording.conditions()) > 1:
        raise InputError(f"{recording.source}: several conditions; name one with --condition")
    inference, begun = inference or Inference(), time.monotonic()
    labels = [label for _, label in inference.further]
    check_alike(recording, condition, inference.further, labels)
    if inference.estimator not in ESTIMATORS:
        raise InputError(
            f"--estimator: '{inference.estimator}' is not known; choose one of {', '.join(ESTIMATORS)}"
        )
    if inference.estimator == "silent" and inference.needs_surface:
        raise InputError(
            "--estimator silent: fits one condition without priors, starts or hypotheses of yours; leave them out or "
            "take the surface"
        )
    if inference.compare and not labels:
        raise InputError("--compare: ranks what a drug may have done; name its condition with --with")
    cell = cell_from(cell_source)
    surface = None if inference.estimator == "silent" else known_surface(cell)
    by_surface = surface is not None or inference.estimator == "surface" or inference.needs_surface
    orientations = [float(o) for o in recording.orientations(condition)]
    split = min(len(recording.counts(o, condition)) for o in orientations) >= _SPLIT_FROM_TRIALS
    fitted, held_out = recording.split_half(seed=seed) if split else (recording, recording)
    stimuli: list[float | None] = [*orientations, *([None] if has_blank else [])]
    spontaneous = None if has_blank else _spontaneous(fitted, orientations, condition, spontaneous_hz)
    angles = [np.nan if o is None else o for o in stimuli]

    def conditions_of(control: Recording) -> tuple[ConditionCounts, ...]:
        first = condition_counts(
            condition or DEFAULT_CONDITION, [_observed(control, o, condition) for o in stimuli], spontaneous
        )
        others = (
            condition_counts(
                label,
                [_observed(r, o, label if r is recording else None) for o in stimuli],
                None if spontaneous is None else replace(spontaneous, count=_LARGEST_ASSUMED, known=False),
                inference.actions,
            )
            for r, label in inference.further
        )
        return (first, *others)

    conditions = conditions_of(recording)
    check_conditions(conditions, recording.source or recording.name)
    parameters = (*PARAMETERS, *(p for c in conditions for p in c.parameters()))
    priors = parse_priors(inference.priors, parameters)
    start = parse_start(inference.start, parameters, priors)

    def fitter_at(effort: Effort) -> Fitter:
        return Fitter(
            cell,
            angles,
            [_observed(fitted, o, condition) for o in stimuli],
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
    if not by_surface:
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
            fitted=conditions_of(fitted) if split else None,
            priors=priors,
            start=start,
            effort=inference.effort,
            surface=surface,
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
    test = [_trials(held_out, o, condition) for o in orientations]
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
            "has_blank": has_blank,
            "assumed_degrees": "assum" in recording.source.lower(),
            "split": "half" if split else "all",
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
        if data_file is not None:
            shutil.copyfile(data_file, folder / RECORDING_FILE)
        else:
            recording.to_csv(folder / RECORDING_FILE)
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


def _observed(
    recording: Recording, orientation: float | None, condition: str | None
) -> np.ndarray | DirectionCounts:
    """Counts of one condition, apart for each drift direction where the recording was folded."""
    groups = recording.counts_by_direction(orientation, condition)
    return groups[0] if len(groups) == 1 else DirectionCounts(groups)


def _trials(recording: Recording, orientation: float | None, condition: str | None) -> np.ndarray:
    """Counts with the mean over directions and the variance within them."""
    observed = _observed(recording, orientation, condition)
    return observed.centred() if isinstance(observed, DirectionCounts) else observed


def _spontaneous(
    fitted: Recording, orientations: list[float], condition: str | None, known_hz: float | None
) -> SpontaneousRate:
    """What stands in the place of blank trials that were not recorded."""
    if known_hz is not None:
        return SpontaneousRate(known_hz * fitted.window_s, known=True)
    return SpontaneousRate(min(float(fitted.counts(o, condition).mean()) for o in orientations))


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


def _with_starts(effort: Effort, starts: int) -> Effort:
    return replace(effort, starts=starts)


def _with_step(effort: Effort, dt: str | None) -> Effort:
    """The effort at a stated step."""
    if dt is None or dt == "auto":
        return effort
    dt_ms = units.parse(dt, "ms", "--dt")
    if not 0.0 < dt_ms <= _LARGEST_DT_MS or abs(1.0 / dt_ms - round(1.0 / dt_ms)) > 1e-9:
        raise InputError(
            f"--dt: a step of '{dt}' does not divide 1 ms or is longer than {_LARGEST_DT_MS:g} ms; take one such as "
            "'0.05 ms', or auto"
        )
    return replace(effort, spiking_dt_ms=dt_ms, silent_dt_ms=dt_ms)


def _dt_error(dt: str | None, dt_error: float | None) -> float | None:
    """The bound that steps are chosen by; None where they are not."""
    if dt != "auto":
        if dt_error is not None:
            raise InputError(
                "--dt-error: is the bound that --dt auto chooses by; add --dt auto, or leave it out"
            )
        return None
    if dt_error is not None and not 0.0 < dt_error < 1.0:
        raise InputError(
            f"--dt-error: {dt_error:g} is no share of the expected count between 0 and 1; 0.01 is 1 %"
        )
    return BOUND if dt_error is None else dt_error


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
    counts = [_trials(fitted, o, condition) for o in stimuli]
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
