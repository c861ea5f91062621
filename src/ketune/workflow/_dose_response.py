"""Dose-response curves of a fitted neuron under uncertain drug parameters.

The drug acts through a few numbers (:mod:`ketune.workflow._action_space`). The spiking neuron is simulated at some of
the effects that are asked for, an emulator predicts the response at all others, and its error is measured on effects
that it has not seen (:mod:`ketune.workflow._emulator`).
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ketune.errors import InputError
from ketune.pharmacology import DrugEffect
from ketune.progress import NullProgress, Progress
from ketune.workflow._action_space import ActionReader, Actions, ActionSpace
from ketune.workflow._curve_indices import QUANTITIES, curve_indices, shift_from
from ketune.workflow._dose_range import DoseRange
from ketune.workflow._emulator import Budget, EmulatorError, Grown, Response, grow
from ketune.workflow._simulation import CONTROL, Condition

Array = NDArray[np.float64]
EffectOf = Callable[[float, Mapping[str, float]], DrugEffect]
"""Effect of a dose, in the unit of the range, under overrides of drug parameters ({}: the defaults)."""

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Quantiles over the samples: the median, and the ends of the 50 % and 90 % bands."""
_BLOCK_EDGES = np.linspace(0.0, 1.0, 11)
# Tuning and Fano factor are reported where the emulated peak is at least so many times the emulator's error.
_RESOLVED = 5.0
# A quantile of 5 % of fewer would be the smallest of a handful.
_FEWEST_IN_BIN = 20


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
class DoseResponse:
    """Curves of every sample; arrays ``(n_samples, n_doses)`` unless said otherwise. The first sample is the default.

    Attributes
    ----------
    concentration_uM
        Free drug at the soma.
    nmda_block
        Share of NMDA conductance blocked, mean over excitatory synapses.
    curves
        By name in :data:`QUANTITIES`; NaN where a quantity is not defined, and tuning and Fano factor where the
        neuron is silent but for the emulator's error.
    mean_counts
        ``(n_samples, n_doses, k)`` emulated mean counts in the counting window.
    orientation_deg
        ``(k,)``; NaN for the blank.
    control
        The same quantities without drug, from the direct runs of the control.
    quantity_error
        Root-mean-square difference of each quantity between emulator and held-out direct runs, whose noise it contains;
        NaN where no check has it.
    samples
        Drug parameters of each sample.
    space, reader, bare, grown
        What the emulator is made of; ``bare`` holds the control's actions.
    seconds
        By stage; "effects" is the time to compute what the drug does, before any simulation.
    """

    doses: DoseRange
    concentration_uM: Array
    nmda_block: Array
    curves: dict[str, Array]
    mean_counts: Array
    orientation_deg: Array
    window_s: float
    control: dict[str, float]
    preferred_deg: float
    quantity_error: dict[str, float]
    samples: tuple[Mapping[str, float], ...]
    space: ActionSpace
    reader: ActionReader
    bare: Actions
    grown: Grown
    budget: Budget
    seconds: dict[str, float]

    @property
    def error(self) -> EmulatorError:
        """Of the emulator, on held-out direct runs."""
        return self.grown.error

    def points(self, effects: Sequence[Actions]) -> Array:
        """``(n, d)`` coordinates of other actions of the same drug, read by ``reader``."""
        return self.space.points(self.reader.completed([self.bare, *effects])[1:])

    def respond(self, effects: Sequence[Actions]) -> dict[str, Array]:
        """Every quantity at such actions, ``(n,)`` each."""
        response = self.grown.emulator(self.points(effects))
        return _indices(
            response, self.orientation_deg, self.window_s, self.preferred_deg, self.smallest_peak_count
        )

    @property
    def smallest_peak_count(self) -> float:
        """Mean count at the best orientation below which tuning and Fano factor are not reported."""
        return _smallest_peak(self.grown)

    def bands(self, name: str) -> Array:
        """``(5, n_doses)`` quantiles :data:`LEVELS` over the samples in which a quantity is defined."""
        return _quantiles(self.curves[name])

    def against_block(self) -> dict[str, Any]:
        """The same samples by NMDA block, in bins of 0.1 that hold at least 20 of them.

        Returns
        -------
        dict
            ``n`` and median ``block`` of each bin, and ``(5, n_bins)`` quantiles of each quantity under its name.
        """
        block = self.nmda_block.ravel()
        place = np.clip(np.digitize(block, _BLOCK_EDGES) - 1, 0, len(_BLOCK_EDGES) - 2)
        filled = [i for i in range(len(_BLOCK_EDGES) - 1) if np.sum(place == i) >= _FEWEST_IN_BIN]
        found: dict[str, Any] = {
            "low": _BLOCK_EDGES[filled],
            "high": _BLOCK_EDGES[[i + 1 for i in filled]],
            "n": np.array([int(np.sum(place == i)) for i in filled], dtype=int),
            "block": np.array([np.median(block[place == i]) for i in filled]),
        }
        for name, values in self.curves.items():
            columns = [_quantiles(values.ravel()[place == i, None])[:, 0] for i in filled]
            found[name] = np.array(columns).reshape(len(filled), len(LEVELS)).T
        return found

    def steepest_dose(self) -> float:
        """Middle of the interval between neighbouring doses over which the default's peak changes most.

        Among the intervals in which every sample has a tuning, where there are any.
        """
        change = np.abs(np.diff(np.nan_to_num(self.curves["peak_rate_hz"][0])))
        tuned: NDArray[np.bool_] = np.all(np.isfinite(self.curves["preferred_shift_deg"]), axis=0)
        allowed = tuned[1:] & tuned[:-1]
        i = int(np.argmax(np.where(allowed, change, -1.0) if allowed.any() else change))
        low, high = self.doses.values[i : i + 2]
        return float(np.sqrt(low * high)) if low > 0 else 0.5 * (low + high)

    def as_dict(self) -> dict[str, Any]:
        """Everything for a JSON document."""
        by_block = self.against_block()
        peak = self.grown.pool.peak
        return {
            "doses": list(self.doses.values),
            "dose_unit": self.doses.unit,
            "n_samples": len(self.samples),
            "quantiles": list(LEVELS),
            "orientation_deg": self.orientation_deg,
            "control": {**self.control, "preferred_deg": self.preferred_deg},
            "concentration_uM": _band_entry(self.concentration_uM, "uM"),
            "nmda_block": _band_entry(self.nmda_block, ""),
            "bands": {
                name: {**_band_entry(self.curves[name], unit), "error": self.quantity_error[name]}
                for name, unit in QUANTITIES.items()
            },
            "mean_counts": {
                "default": self.mean_counts[0],
                **{
                    key: np.quantile(self.mean_counts, q, axis=0)
                    for key, q in zip(_KEYS, LEVELS, strict=True)
                },
            },
            "smallest_peak_count": self.smallest_peak_count,
            "against_block": {
                **{key: by_block[key] for key in ("low", "high", "n", "block")},
                "bands": {
                    name: dict(zip(_KEYS, by_block[name], strict=True)) | {"unit": unit}
                    for name, unit in QUANTITIES.items()
                },
            },
            "emulator": {
                "actions": list(self.space.names),
                "error_of_peak": self.error.rms,
                "largest_error_of_peak": self.error.largest,
                "direct_noise_of_peak": self.error.direct_noise,
                "leave_one_out_of_peak": self.error.leave_one_out,
                "fano_error": self.error.fano_rms,
                "tolerance": self.error.tolerance,
                "within": self.error.within,
                "design_points": len(self.grown.design),
                "checks": [
                    {
                        "dose": self.doses.values[check.row % len(self.doses.values)],
                        "sample": check.row // len(self.doses.values),
                        "direct": check.direct.mean,
                        "direct_se": check.direct.mean_error,
                        "emulated": check.emulated,
                    }
                    for check in self.grown.checks
                ],
            },
            "monte_carlo": {
                "trials": self.grown.pool.counts.shape[1],
                "peak_count": peak,
                "error_of_peak": self.grown.pool.peak_error / peak,
            },
            "budget": {**dataclasses.asdict(self.budget), "simulated_trials": self.grown.simulated_trials},
            "seconds": self.seconds,
        }


def dose_response(
    neuron: Neuron,
    effect_of: EffectOf,
    doses: DoseRange,
    overrides: Sequence[Mapping[str, float]],
    *,
    control: Condition = CONTROL,
    seed: int = 0,
    budget: Budget | None = None,
    progress: Progress | None = None,
) -> DoseResponse:
    """Response of a neuron to doses of a drug, for every set of drug parameters.

    Bands say how uncertain the response is because the drug's parameters are; the error of the emulator, and that of
    the response itself because trials are few (``monte_carlo``), are reported apart and are not in them.

    Parameters
    ----------
    effect_of
        Called for all doses of one set of overrides before the next set, and again for those effects that are
        simulated.
    overrides
        Sampled drug parameters; the first set is drawn as the default curve and is usually ``{}``.
    control
        What the doses are compared with: no drug, or an anaesthetic's own baseline, which the effects then contain.
    seed
        Of afferent spikes and of the choice of runs.
    budget
        How much to simulate, and the error that is wanted.

    Raises
    ------
    InputError
        No sample, or no dose or sample changes anything that the cell has.
    """
    if not overrides:
        raise InputError("dose-response: give at least one set of drug parameters ({} for the defaults)")
    budget, progress = budget or Budget(), progress or NullProgress()
    begun = time.monotonic()
    reader = ActionReader(neuron)
    shape = (len(overrides), len(doses.values))
    rows: list[Actions] = []
    block, concentration = np.empty(shape), np.empty(shape)
    with progress.task("what the drug does, dose by dose", shape[0]) as task:
        for i, sample in enumerate(overrides):
            for j, dose in enumerate(doses.values):
                effect = effect_of(dose, sample)
                rows.append(reader(effect))
                block[i, j], concentration[i, j] = reader.nmda_block(effect), effect.concentration_uM[0]
            task.advance()
    bare, *complete = reader.completed([reader(control.effect), *rows])
    space = ActionSpace.spanned_by(complete, bare)
    if not space.names:
        raise InputError(
            "--doses: none of these doses changes anything that this cell has; give higher doses or another drug"
        )
    points = space.points(complete)
    seconds = {"effects": time.monotonic() - begun}

    def run(row: int | None, first: int, n: int) -> NDArray[np.int_]:
        condition = control
        if row is not None:
            i, j = divmod(row, shape[1])
            condition = Condition("dosed", effect_of(doses.values[j], overrides[i]))
        counts = neuron.counts(
            condition,
            trials=n * budget.block_trials,
            first_trial=first * budget.block_trials,
            seed=seed,
            progress=NullProgress(),
            text="",
        )
        return np.asarray(counts.counts)

    orientation = np.asarray(neuron.grating.orientation_deg, float)
    window_s = neuron.grating.window_ms * 1e-3
    begun = time.monotonic()
    most = budget.pool_blocks + budget.checks * budget.check_blocks + budget.most_design
    with progress.task("dose-response: runs of the spiking neuron (at most)", most) as task:
        grown = grow(
            points,
            run,
            n_shown=int(np.isfinite(orientation).sum()),
            budget=budget,
            seed=seed,
            on_run=task.advance,
        )
    simulated = time.monotonic() - begun
    seconds |= {**grown.seconds, "runs_and_regression": simulated}
    begun = time.monotonic()
    response = grown.emulator(points)
    pool = grown.pool
    found, preferred = curve_indices(orientation, pool.mean[None], np.array([pool.fano]), window_s)
    reference = float(preferred[0])
    curves = _indices(response, orientation, window_s, reference, _smallest_peak(grown))
    quantity_error = _quantity_error(grown, orientation, window_s, reference)
    seconds["prediction"] = time.monotonic() - begun
    return DoseResponse(
        doses=doses,
        concentration_uM=concentration,
        nmda_block=block,
        curves={name: values.reshape(shape) for name, values in curves.items()},
        mean_counts=response.mean.reshape(*shape, -1),
        orientation_deg=orientation,
        window_s=window_s,
        control={name: float(values[0]) for name, values in found.items()} | {"preferred_shift_deg": 0.0},
        preferred_deg=reference,
        quantity_error=quantity_error,
        samples=tuple(overrides),
        space=space,
        reader=reader,
        bare=bare,
        grown=grown,
        budget=budget,
        seconds=seconds,
    )


_KEYS = tuple(f"q{round(100 * level):02d}" for level in LEVELS)


def _smallest_peak(grown: Grown) -> float:
    return _RESOLVED * grown.error.rms * grown.pool.peak


def _quantity_error(
    grown: Grown, orientation_deg: Array, window_s: float, reference_deg: float
) -> dict[str, float]:
    checks, floor = grown.checks, _smallest_peak(grown)
    none = np.zeros((len(checks), len(orientation_deg)))
    direct, emulated = (
        _indices(
            Response(np.array(mean), grown.pool.fano * np.exp(log_fano), none),
            orientation_deg, window_s, reference_deg, floor,
        )
        for mean, log_fano in (
            ([c.direct.mean for c in checks], [c.direct.log_fano for c in checks]),
            ([c.emulated for c in checks], [c.emulated_log_fano for c in checks]),
        )
    )  # fmt: skip
    errors = {}
    for name in QUANTITIES:
        difference = emulated[name] - direct[name]
        if name == "preferred_shift_deg":
            difference = shift_from(difference, 0.0)
        known = difference[np.isfinite(difference)]
        errors[name] = float(np.sqrt(np.mean(known**2))) if len(known) else float("nan")
    return errors


def _indices(
    response: Response, orientation_deg: Array, window_s: float, reference_deg: float, smallest_peak: float
) -> dict[str, Array]:
    found, preferred = curve_indices(
        orientation_deg, response.mean, response.fano, window_s, smallest_peak=smallest_peak
    )
    found["preferred_shift_deg"] = shift_from(preferred, reference_deg)
    return {name: found[name] for name in QUANTITIES}


def _quantiles(values: Array) -> Array:
    """``(5, columns)`` quantiles of each column's defined values; NaN where there is none."""
    out = np.full((len(LEVELS), values.shape[1]), np.nan)
    for j, column in enumerate(values.T):
        known = column[np.isfinite(column)]
        if len(known):
            out[:, j] = np.quantile(known, LEVELS)
    return out


def _band_entry(values: Array, unit: str) -> dict[str, Any]:
    return {
        "unit": unit,
        "default": values[0],
        **dict(zip(_KEYS, _quantiles(values), strict=True)),
        "n_defined": np.isfinite(values).sum(axis=0),
    }
