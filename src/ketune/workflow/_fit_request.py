"""A fit as it was asked for: options in words, and what follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ketune import tuning, units
from ketune.cell import Cell
from ketune.errors import InputError
from ketune.fitting import BOUND, Effort, effort_named
from ketune.inference import InferenceEffort
from ketune.recordings import Layout, is_csv
from ketune.tuning import DEFAULT_CONDITION, Recording
from ketune.workflow._estimates import INFERENCE_EFFORTS
from ketune.workflow._fit_files import cell_from
from ketune.workflow._fit_plan import FitPlan, Inference, plan_fit
from ketune.workflow._joint import further_conditions, parse_actions

_LARGEST_DT_MS = 0.2


@dataclass(frozen=True)
class FitRequest:
    """Options of a fit as text; see :func:`ketune.workflow.fit_recording`."""

    model: Path | None = None
    window: str | None = None
    neuron: str | None = None
    condition: str | None = None
    fold: bool = False
    radians: bool = False
    layout: Layout | None = None
    spontaneous: str | None = None
    seed: int = 1
    starts: int | None = None
    effort: str = "standard"
    engine: str = "auto"
    dt: str | None = None
    dt_error: float | None = None
    morphology: Path | None = None
    joint: Sequence[str] = ()
    actions: str | None = None
    priors: Sequence[str] = ()
    start: Sequence[str] = ()
    estimator: str = "auto"
    posterior: bool | None = None
    compare: bool = False
    correction_trials: Sequence[int] | None = None
    check_trials: int | None = None
    replay_trials: int | None = None

    def plan(self, data: str | Path | Recording, cell: Cell | None = None) -> FitPlan:
        """Read the recording and check all that was asked for; nothing is simulated.

        Parameters
        ----------
        cell
            What ``model`` and ``morphology`` describe, where it has been built already.

        Raises
        ------
        InputError
            Something cannot be used.
        """
        self.step_error()
        # Conditions that are fitted together may share a file: it is then read whole.
        recording = (
            data if isinstance(data, Recording) else self.read(data, None if self.joint else self.condition)
        )
        condition = self.condition
        if self.joint and condition is None:
            condition = DEFAULT_CONDITION if DEFAULT_CONDITION in recording.conditions() else None
        further = further_conditions(self.joint, recording, lambda path: self.read(path, None))
        return plan_fit(
            recording,
            cell=cell or cell_from(self.cell_source),
            condition=condition,
            spontaneous_hz=(
                None if self.spontaneous is None else units.parse(self.spontaneous, "Hz", "--spontaneous")
            ),
            seed=self.seed,
            inference=Inference(
                further=tuple(further),
                actions=parse_actions(self.actions),
                priors=tuple(self.priors),
                start=tuple(self.start),
                estimator=self.estimator,
                effort=self.inference_effort(),
                compare=self.compare,
            ),
        )

    def read(self, path: str | Path, condition: str | None) -> Recording:
        """A recording as this fit reads it; errors as :func:`ketune.tuning.read_recording`."""
        return tuning.read_recording(
            path,
            window=self.window,
            neuron=self.neuron,
            condition=condition,
            fold=self.fold,
            radians=self.radians,
            layout=self.layout,
        )

    def reading(self, data: str | Path | Recording) -> dict[str, Any] | None:
        """How a copy of the file is read again; None where there is no file that a fit's directory could hold."""
        if isinstance(data, Recording) or self.layout not in (None, Layout()) or not is_csv(Path(data)):
            return None
        asked = {
            "window": self.window,
            "neuron": self.neuron,
            "fold": self.fold,
            "radians": self.radians,
            "condition": None if self.joint else self.condition,
        }
        return {name: value for name, value in asked.items() if value}

    @property
    def cell_source(self) -> dict[str, Path | None]:
        """Where the model neuron comes from."""
        return {"model": self.model, "morphology": self.morphology}

    def fit_effort(self) -> Effort:
        """Numbers of simulations and time steps."""
        effort = effort_named(self.effort)
        if self.starts is not None:
            effort = replace(effort, starts=self.starts)
        if self.check_trials is not None:
            effort = replace(effort, check_trials=_at_least(self.check_trials, 2, "check_trials"))
        if self.replay_trials is not None:
            effort = replace(effort, replay_trials=_at_least(self.replay_trials, 0, "replay_trials"))
        return _with_step(effort, self.dt)

    def inference_effort(self) -> InferenceEffort:
        """Work of the inference."""
        effort_named(self.effort)
        found = INFERENCE_EFFORTS[self.effort]
        if self.starts is not None:
            found = replace(found, followed=self.starts)
        if self.posterior is not None:
            draws = found.draws or InferenceEffort().draws
            found = replace(found, draws=draws if self.posterior else 0)
        if self.correction_trials is not None:
            trials = tuple(_at_least(n, 2, "correction_trials") for n in self.correction_trials)
            if not trials:
                raise InputError(
                    "correction_trials: is empty; give the trials of each correction, such as [32, 64]"
                )
            found = replace(found, corrections=trials)
        return found

    def step_error(self) -> float | None:
        """The bound that steps are chosen by; None where they are not."""
        self.fit_effort()
        return _dt_error(self.dt, self.dt_error)


def _at_least(number: int, least: int, what: str) -> int:
    if number < least:
        raise InputError(f"{what}: {number} is too few; give at least {least}")
    return number


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
