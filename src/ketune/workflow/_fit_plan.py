"""What a fit will do, checked before anything long begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ketune.cell import Cell
from ketune.errors import InputError
from ketune.fitting import PARAMETERS, DirectionCounts, FitParameter, SpontaneousRate
from ketune.inference import ACTIONS, ConditionCounts, InferenceEffort, Prior, check_conditions
from ketune.surface import Surface, known_surface
from ketune.tuning import DEFAULT_CONDITION, Recording
from ketune.workflow._joint import check_alike, condition_counts, parse_priors, parse_start

# Fewer trials than this at an orientation are all fitted: half of them would carry too little.
_SPLIT_FROM_TRIALS = 20
ESTIMATORS = ("auto", "surface", "silent")
# Nothing is assumed of the spontaneous rate under a drug: no count exceeds this.
_LARGEST_ASSUMED = 1e9


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


@dataclass(frozen=True, eq=False)
class FitPlan:
    """A fit that can be done.

    Attributes
    ----------
    recording, condition
        What is fitted; the condition that is the control.
    cell, surface
        The model neuron, and its response surface where it is known.
    by_surface
        Whether the surface is used, built first if need be.
    split
        Whether half of the trials is kept for the check: ``fitted`` and ``held_out``, else both are all trials.
    stimuli
        Orientations in degrees, None for a blank.
    spontaneous
        What stands in the place of blank trials that were not recorded.
    parameters, priors, start
        Of the cell and of the drug's factors.
    """

    recording: Recording
    condition: str | None
    inference: Inference
    cell: Cell
    surface: Surface | None
    by_surface: bool
    split: bool
    fitted: Recording
    held_out: Recording
    stimuli: tuple[float | None, ...]
    spontaneous: SpontaneousRate | None
    parameters: tuple[FitParameter, ...]
    priors: dict[str, Prior]
    start: dict[str, float] | None

    @property
    def has_blank(self) -> bool:
        """Whether blank trials were recorded."""
        return None in self.stimuli

    @property
    def orientations(self) -> list[float]:
        """Without the blank."""
        return [o for o in self.stimuli if o is not None]

    @property
    def angles(self) -> list[float]:
        """Orientations, NaN for a blank."""
        return [np.nan if o is None else o for o in self.stimuli]

    def observed(self) -> list[np.ndarray | DirectionCounts]:
        """Counts that are fitted, by stimulus."""
        return [observed(self.fitted, o, self.condition) for o in self.stimuli]

    def conditions(self, *, only_fitted: bool = False) -> tuple[ConditionCounts, ...]:
        """Counts of every condition, the control first; ``only_fitted`` leaves the held-out half of it away."""
        return _conditions(
            self.fitted if only_fitted else self.recording,
            self.recording,
            self.condition,
            self.stimuli,
            self.spontaneous,
            self.inference,
        )


def plan_fit(
    recording: Recording,
    *,
    cell: Cell,
    condition: str | None,
    spontaneous_hz: float | None,
    seed: int,
    inference: Inference,
) -> FitPlan:
    """Check everything that can be checked without simulating.

    Raises
    ------
    InputError
        Something that was asked for cannot be done with this recording and cell.
    """
    has_blank = recording.has_blank_in(condition)
    if spontaneous_hz is not None and has_blank:
        raise InputError(
            "--spontaneous: the recording has blank trials, which tell the spontaneous rate; leave it out"
        )
    if recording.direction_deg is not None and condition is None and len(recording.conditions()) > 1:
        raise InputError(f"{recording.source}: several conditions; name one with --condition")
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
    surface = None if inference.estimator == "silent" else known_surface(cell)
    by_surface = surface is not None or inference.estimator == "surface" or inference.needs_surface
    orientations = [float(o) for o in recording.orientations(condition)]
    split = min(len(recording.counts(o, condition)) for o in orientations) >= _SPLIT_FROM_TRIALS
    fitted, held_out = recording.split_half(seed=seed) if split else (recording, recording)
    stimuli = (*orientations, *((None,) if has_blank else ()))
    spontaneous = None if has_blank else _spontaneous(fitted, orientations, condition, spontaneous_hz)
    conditions = _conditions(recording, recording, condition, stimuli, spontaneous, inference)
    check_conditions(conditions, recording.source or recording.name)
    parameters = (*PARAMETERS, *(p for c in conditions for p in c.parameters()))
    priors = parse_priors(inference.priors, parameters)
    return FitPlan(
        recording=recording,
        condition=condition,
        inference=inference,
        cell=cell,
        surface=surface,
        by_surface=by_surface,
        split=split,
        fitted=fitted,
        held_out=held_out,
        stimuli=stimuli,
        spontaneous=spontaneous,
        parameters=parameters,
        priors=priors,
        start=parse_start(inference.start, parameters, priors),
    )


def _conditions(
    control: Recording,
    recording: Recording,
    condition: str | None,
    stimuli: Sequence[float | None],
    spontaneous: SpontaneousRate | None,
    inference: Inference,
) -> tuple[ConditionCounts, ...]:
    first = condition_counts(
        condition or DEFAULT_CONDITION, [observed(control, o, condition) for o in stimuli], spontaneous
    )
    others = (
        condition_counts(
            label,
            [observed(r, o, label if r is recording else None) for o in stimuli],
            None if spontaneous is None else replace(spontaneous, count=_LARGEST_ASSUMED, known=False),
            inference.actions,
        )
        for r, label in inference.further
    )
    return (first, *others)


def observed(
    recording: Recording, orientation: float | None, condition: str | None
) -> np.ndarray | DirectionCounts:
    """Counts of one condition, apart for each drift direction where the recording was folded."""
    groups = recording.counts_by_direction(orientation, condition)
    return groups[0] if len(groups) == 1 else DirectionCounts(groups)


def trials_of(recording: Recording, orientation: float | None, condition: str | None) -> np.ndarray:
    """Counts with the mean over directions and the variance within them."""
    counts = observed(recording, orientation, condition)
    return counts.centred() if isinstance(counts, DirectionCounts) else counts


def _spontaneous(
    fitted: Recording, orientations: list[float], condition: str | None, known_hz: float | None
) -> SpontaneousRate:
    """What stands in the place of blank trials that were not recorded."""
    if known_hz is not None:
        return SpontaneousRate(known_hz * fitted.window_s, known=True)
    return SpontaneousRate(min(float(fitted.counts(o, condition).mean()) for o in orientations))
