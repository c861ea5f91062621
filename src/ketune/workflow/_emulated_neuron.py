"""A fitted neuron under a drug, emulated: from effects to mean counts and tuning, with the error of both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ketune.pharmacology import DrugEffect
from ketune.progress import NullProgress, Progress
from ketune.workflow._action_space import ActionReader, Actions, ActionSpace
from ketune.workflow._curve_indices import QUANTITIES, curve_indices, shift_from
from ketune.workflow._emulator import Budget, Grown, Response, grow
from ketune.workflow._simulation import Condition

Array = NDArray[np.float64]

# Tuning and Fano factor are reported where the emulated peak is at least so many times the emulator's error.
_RESOLVED = 5.0


class Neuron(Protocol):
    """What is needed of a :class:`ketune.workflow._simulation.FittedNeuron`."""

    cell: Any
    values: dict[str, float]
    layout: Any
    grating: Any

    def drive(self, condition: Condition) -> Any:
        """Afferent rates in a condition."""

    def overrides(self, condition: Condition) -> dict[tuple[str, str], Any]:
        """Parameters of the cell in a condition."""

    def counts(
        self,
        condition: Condition,
        *,
        trials: int,
        seed: int,
        progress: Progress,
        text: str,
        first_trial: int = 0,
    ) -> Any:
        """Spike counts of every orientation and the blank."""


@dataclass(frozen=True, eq=False)
class EmulatedNeuron:
    """An emulator of one neuron with the control that everything is compared with.

    Attributes
    ----------
    grown
        The emulator and the runs that it was made from.
    orientation_deg
        ``(k,)``; NaN for the blank.
    window_s
        In which spikes are counted.
    control
        Every quantity of :data:`QUANTITIES` without drug, from the direct runs of the control.
    preferred_deg
        Of the control.
    """

    grown: Grown
    orientation_deg: Array
    window_s: float
    control: dict[str, float]
    preferred_deg: float

    @property
    def smallest_peak_count(self) -> float:
        """Mean count at the best orientation below which tuning and Fano factor are not reported."""
        return _RESOLVED * self.grown.error.rms * self.grown.pool.peak

    def indices(self, response: Response) -> dict[str, Array]:
        """Every quantity of a response, ``(n,)`` each; NaN where it is not defined."""
        found, preferred = curve_indices(
            self.orientation_deg,
            response.mean,
            response.fano,
            self.window_s,
            smallest_peak=self.smallest_peak_count,
        )
        found["preferred_shift_deg"] = shift_from(preferred, self.preferred_deg)
        return {name: found[name] for name in QUANTITIES}

    def quantity_error(self) -> dict[str, float]:
        """Root-mean-square difference of each quantity between emulator and held-out direct runs; NaN without any."""
        checks, pool = self.grown.checks, self.grown.pool
        none = np.zeros((len(checks), len(self.orientation_deg)))
        direct, emulated = (
            self.indices(Response(np.array(mean), pool.fano * np.exp(log_fano), none))
            for mean, log_fano in (
                ([c.direct.mean for c in checks], [c.direct.log_fano for c in checks]),
                ([c.emulated for c in checks], [c.emulated_log_fano for c in checks]),
            )
        )
        errors = {}
        for name in QUANTITIES:
            difference = emulated[name] - direct[name]
            if name == "preferred_shift_deg":
                difference = shift_from(difference, 0.0)
            known = difference[np.isfinite(difference)]
            errors[name] = float(np.sqrt(np.mean(known**2))) if len(known) else float("nan")
        return errors


@dataclass(frozen=True, eq=False)
class Spanned:
    """Effects as points of the space of what they do to the neuron, in which the control is the origin.

    Attributes
    ----------
    space
        Without coordinates where no effect changes anything that the cell has.
    bare
        The control's actions.
    points
        ``(n, d)``, one row for each effect.
    """

    space: ActionSpace
    bare: Actions
    points: Array


def spanned(reader: ActionReader, control: Condition, rows: Sequence[Actions]) -> Spanned:
    """The space of effects that ``reader`` has read as ``rows``."""
    bare, *complete = reader.completed([reader(control.effect), *rows])
    space = ActionSpace.spanned_by(complete, bare)
    return Spanned(space, bare, space.points(complete))


def emulate(
    neuron: Neuron,
    points: Array,
    effect_at: Callable[[int], DrugEffect],
    *,
    control: Condition,
    budget: Budget,
    seed: int,
    progress: Progress,
    text: str,
) -> EmulatedNeuron:
    """Simulate the neuron at some of ``points (n, d)`` until the others can be predicted.

    Parameters
    ----------
    effect_at
        The effect of a row of ``points``.
    seed
        Of afferent spikes and of the choice of runs.
    text
        What the runs are for, on the progress display.
    """

    def run(row: int | None, first: int, n: int) -> NDArray[np.int_]:
        counts = neuron.counts(
            control if row is None else Condition("dosed", effect_at(row)),
            trials=n * budget.block_trials,
            first_trial=first * budget.block_trials,
            seed=seed,
            progress=NullProgress(),
            text="",
        )
        return np.asarray(counts.counts)

    orientation = np.asarray(neuron.grating.orientation_deg, float)
    window_s = neuron.grating.window_ms * 1e-3
    most = budget.pool_blocks + budget.checks * budget.check_blocks + budget.most_design
    with progress.task(f"{text}: runs of the spiking neuron (at most)", most) as task:
        grown = grow(
            points,
            run,
            n_shown=int(np.isfinite(orientation).sum()),
            budget=budget,
            seed=seed,
            on_run=task.advance,
        )
    pool = grown.pool
    found, preferred = curve_indices(orientation, pool.mean[None], np.array([pool.fano]), window_s)
    control_values = {name: float(values[0]) for name, values in found.items()}
    return EmulatedNeuron(
        grown, orientation, window_s, control_values | {"preferred_shift_deg": 0.0}, float(preferred[0])
    )
