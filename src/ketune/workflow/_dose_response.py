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
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ketune.errors import InputError
from ketune.pharmacology import DrugEffect
from ketune.progress import NullProgress, Progress
from ketune.workflow._action_space import ActionReader, Actions, ActionSpace
from ketune.workflow._curve_indices import QUANTITIES
from ketune.workflow._dose_range import DoseRange
from ketune.workflow._emulated_neuron import EmulatedNeuron, Neuron, emulate, spanned
from ketune.workflow._emulator import Budget, EmulatorError, Grown
from ketune.workflow._simulation import CONTROL, Condition

Array = NDArray[np.float64]
EffectOf = Callable[[float, Mapping[str, float]], DrugEffect]
"""Effect of a dose, in the unit of the range, under overrides of drug parameters ({}: the defaults)."""

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Quantiles over the samples: the median, and the ends of the 50 % and 90 % bands."""
_BLOCK_EDGES = np.linspace(0.0, 1.0, 11)
# A quantile of 5 % of fewer would be the smallest of a handful.
_FEWEST_IN_BIN = 20


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
    samples
        Drug parameters of each sample.
    emulated
        The emulator, and the control.
    quantity_error
        Of the emulator by quantity, and the noise of the direct runs in it.
    space, reader, bare
        What the emulator's coordinates are made of; ``bare`` holds the control's actions.
    seconds
        By stage; "effects" is the time to compute what the drug does, before any simulation.
    """

    doses: DoseRange
    concentration_uM: Array
    nmda_block: Array
    curves: dict[str, Array]
    mean_counts: Array
    samples: tuple[Mapping[str, float], ...]
    emulated: EmulatedNeuron
    quantity_error: dict[str, float]
    space: ActionSpace
    reader: ActionReader
    bare: Actions
    budget: Budget
    seconds: dict[str, float]

    @property
    def grown(self) -> Grown:
        """The emulator with the runs that it was made from."""
        return self.emulated.grown

    @property
    def orientation_deg(self) -> Array:
        """``(k,)``; NaN for the blank."""
        return self.emulated.orientation_deg

    @property
    def control(self) -> dict[str, float]:
        """The same quantities without drug, from the direct runs of the control."""
        return self.emulated.control

    @property
    def preferred_deg(self) -> float:
        """Preferred orientation without drug."""
        return self.emulated.preferred_deg

    @property
    def error(self) -> EmulatorError:
        """Of the emulator, on held-out direct runs."""
        return self.grown.error

    def points(self, effects: Sequence[Actions]) -> Array:
        """``(n, d)`` coordinates of other actions of the same drug, read by ``reader``."""
        return self.space.points(self.reader.completed([self.bare, *effects])[1:])

    def respond(self, effects: Sequence[Actions]) -> dict[str, Array]:
        """Every quantity at such actions, ``(n,)`` each."""
        return self.emulated.indices(self.grown.emulator(self.points(effects)))

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
            "smallest_peak_count": self.emulated.smallest_peak_count,
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
    found = spanned(reader, control, rows)
    if not found.space.names:
        raise InputError(
            "--doses: none of these doses changes anything that this cell has; give higher doses or another drug"
        )
    seconds = {"effects": time.monotonic() - begun}

    def effect_at(row: int) -> DrugEffect:
        i, j = divmod(row, shape[1])
        return effect_of(doses.values[j], overrides[i])

    begun = time.monotonic()
    emulated = emulate(
        neuron,
        found.points,
        effect_at,
        control=control,
        budget=budget,
        seed=seed,
        progress=progress,
        text="dose-response",
    )
    seconds |= {**emulated.grown.seconds, "runs_and_regression": time.monotonic() - begun}
    begun = time.monotonic()
    response = emulated.grown.emulator(found.points)
    curves = emulated.indices(response)
    quantity_error = emulated.quantity_error()
    seconds["prediction"] = time.monotonic() - begun
    return DoseResponse(
        doses=doses,
        concentration_uM=concentration,
        nmda_block=block,
        curves={name: values.reshape(shape) for name, values in curves.items()},
        mean_counts=response.mean.reshape(*shape, -1),
        samples=tuple(overrides),
        emulated=emulated,
        quantity_error=quantity_error,
        space=found.space,
        reader=reader,
        bare=found.bare,
        budget=budget,
        seconds=seconds,
    )


_KEYS = tuple(f"q{round(100 * level):02d}" for level in LEVELS)


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
