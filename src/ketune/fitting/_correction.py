"""Correction of the silent twin's expected counts to the spiking cell's counts (space mapping)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ketune.afferents import stratified_gain

Floats = npt.NDArray[np.float64]

# Share of the count variance that the law of a single trial carries, the rest being spread between trials. A few
# simulated trials stand for a continuum, so their laws must overlap; a larger share would hide the gain's effect.
_KERNEL_SHARE = 0.3
_DISPERSION_RANGE = (0.05, 20.0)
_SPREAD_RANGE = (0.3, 3.0)


@dataclass(frozen=True, eq=False)
class Correction:
    """How expected counts of a few trials, simulated over a short window, become those of the spiking cell.

    Per orientation the trials' expected counts are taken apart into their mean, their course with the shared gain, and
    the rest. The rest is synaptic noise, whose variance falls with the window: it is scaled by the square root of
    ``window_ratio``. All deviations from the mean are then scaled by ``spread``, and everything by ``ratio``.

    Attributes
    ----------
    ratio
        Spiking mean over expected mean, ``(orientations,)``.
    dispersion
        Variance over mean of the law of a single trial, ``(orientations,)``.
    spread
        Standard deviation between trials over the expected one, ``(orientations,)``; 1 if not given.
    window_ratio
        Simulated window over the recording's.
    """

    ratio: Floats
    dispersion: Floats
    spread: Floats = field(default_factory=lambda: np.ones(1))
    window_ratio: float = 1.0

    @classmethod
    def before_spikes(cls, fano: Floats, window_ratio: float) -> Correction:
        """Before the spiking cell has been asked: trials carry their share of the recorded variance."""
        dispersion = np.clip(_KERNEL_SHARE * np.asarray(fano, float), *_DISPERSION_RANGE)
        return cls(np.ones(len(dispersion)), dispersion, np.ones(len(dispersion)), window_ratio)

    @classmethod
    def between(
        cls, expected: Floats, spiking: npt.NDArray[np.int_], window_ratio: float = 1.0
    ) -> Correction:
        """From expected ``(orientations, trials)`` and spiking counts ``(orientations, trials)`` at one place.

        Means below one spike say little about their ratio, so half a spike is added to both. The spread is one number
        for all orientations (the median of theirs): a variance from a few dozen trials is too uncertain alone.
        """
        k, m = expected.shape
        mean, variance = spiking.mean(axis=1), spiking.var(axis=1, ddof=1)
        ratio = (mean + 0.5) / (expected.mean(axis=1) + 0.5)
        plain = cls(ratio, np.ones(k), np.ones(k), window_ratio)
        between_trials = np.array([np.var(plain.matrix(i, m) @ expected[i]) for i in range(k)])
        wanted = (1.0 - _KERNEL_SHARE) * variance
        known = (between_trials > 0) & (wanted > 0)
        spread = float(np.sqrt(np.median(wanted[known] / between_trials[known]))) if known.any() else 1.0
        dispersion = _KERNEL_SHARE * variance / np.maximum(mean, 0.5)
        return cls(
            ratio,
            np.clip(dispersion, *_DISPERSION_RANGE),
            np.full(k, np.clip(spread, *_SPREAD_RANGE)),
            window_ratio,
        )

    def matrix(self, k: int, n_trials: int) -> Floats:
        """The linear map ``(n_trials, n_trials)`` from expected to corrected counts of orientation ``k``.

        Trials are those of :func:`ketune.afferents.stratified_gain`.
        """
        ones = np.ones(n_trials)
        mean = np.outer(ones, ones) / n_trials
        gain = stratified_gain(n_trials)
        course = mean + (np.outer(gain, gain) / (gain @ gain) if n_trials > 1 else 0.0)
        whole = course + np.sqrt(self.window_ratio) * (np.eye(n_trials) - course)
        spread = self.spread[k] if len(self.spread) > 1 else self.spread[0]
        return self.ratio[k] * (mean + spread * (whole - mean))
