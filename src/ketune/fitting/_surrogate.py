"""The likelihood of a recording under the silent twin, corrected to the spiking cell (space mapping)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ketune.afferents import Drive, Grating, SynapseLayout, candidates, stratified_gain
from ketune.fitting._counts import mixture_likelihood
from ketune.fitting._optimise import Objective
from ketune.fitting._parameters import PARAMETERS, drive_at, values_of
from ketune.fitting._readout import Hazard
from ketune.fitting._silent import SilentTwin

# Relative width of the soft comparison of mark and rate.
_SOFTNESS = 0.1
# Steps of the finite differences that give the information matrix: coordinates, and degrees.
_STEP = np.array([1.0 if p.scale == "orientation" else 0.03 for p in PARAMETERS])
_DISPERSION_RANGE = (0.05, 20.0)


@dataclass(frozen=True, eq=False)
class Correction:
    """How the spiking cell's counts relate to the silent twin's expected counts, per orientation.

    Attributes
    ----------
    ratio
        Spiking mean over expected mean, ``(orientations,)``.
    dispersion
        Conditional variance over mean that gives the mixture the spiking cell's variance, ``(orientations,)``.
    """

    ratio: np.ndarray
    dispersion: np.ndarray

    @classmethod
    def none(cls, n_orientations: int, dispersion: float) -> Correction:
        """No difference in the mean, one dispersion for all."""
        return cls(np.ones(n_orientations), np.full(n_orientations, np.clip(dispersion, *_DISPERSION_RANGE)))

    @classmethod
    def between(cls, expected: np.ndarray, spiking: np.ndarray) -> Correction:
        """From expected ``(orientations, trials)`` and spiking counts ``(orientations, trials)`` at one place.

        Means below one spike say little about their ratio, so half a spike is added to both.
        """
        mean = spiking.mean(axis=1)
        ratio = (mean + 0.5) / (expected.mean(axis=1) + 0.5)
        between_trials = np.var(ratio[:, None] * expected, axis=1)
        dispersion = (spiking.var(axis=1, ddof=1) - between_trials) / np.maximum(mean, 0.5)
        return cls(ratio, np.clip(dispersion, *_DISPERSION_RANGE))


class Surrogate:
    """Log-likelihood of recorded counts as a smooth function of the fitted parameters.

    Parameters
    ----------
    twin, layout, grating
        Silent twin, synapse placement, and stimulus. The grating's window may be shorter than the recording's: rates
        are stationary but for the shared gain, and the correction takes up the difference.
    counts
        Recorded spikes of each orientation, in the order of the grating.
    window_ms
        The recording's window.
    hazard
        Calibrated escape rate.
    trials, seed
        Simulated trials per orientation, whose gains lie at the quantiles of their distribution.
    """

    def __init__(
        self,
        twin: SilentTwin,
        layout: SynapseLayout,
        drive: Drive,
        grating: Grating,
        counts: Sequence[np.ndarray],
        *,
        window_ms: float,
        hazard: Hazard,
        trials: int,
        seed: int,
    ) -> None:
        self.twin, self.layout, self.drive, self.grating, self.hazard = twin, layout, drive, grating, hazard
        self.counts, self.trials, self.seed = tuple(counts), trials, seed
        self.gain = stratified_gain(trials)
        self._scale = window_ms / grating.window_ms
        self._lane_orientation = np.repeat(np.asarray(grating.orientation_deg, float), trials)
        self._lane_gain = np.tile(self.gain, len(grating.orientation_deg))

    def _features(self, coordinates: np.ndarray):
        drive = drive_at(values_of(coordinates), self.drive)
        events = candidates(
            self.layout,
            self.grating,
            drive,
            trials=range(self.trials),
            seed=self.seed,
            dt_ms=self.twin.dt_ms,
            softness=_SOFTNESS,
            gain=self.gain,
        )
        return self.twin.features(events)

    def _expected(self, coordinates: np.ndarray, features) -> np.ndarray:
        lanes = self.twin.counts(coordinates, features, self._lane_orientation, self._lane_gain, self.hazard)
        return self._scale * lanes.astype(float).reshape(len(self.counts), self.trials)

    def expected(self, coordinates: np.ndarray) -> np.ndarray:
        """Expected counts in the recording's window, ``(orientations, trials)``."""
        return self._expected(coordinates, self._features(coordinates))

    def evaluate(self, coordinates: np.ndarray, correction: Correction, *, information: bool) -> Objective:
        """Log-likelihood and gradient (reverse mode); with ``information`` the scores' outer product.

        The information matrix takes the Jacobian of all lanes, which finite differences of the same estimator give
        more cheaply than forward mode; comparing both gradients checks each to the order of the step.
        """
        features = self._features(coordinates)
        expected = self._expected(coordinates, features)
        laws = [
            mixture_likelihood(observed, correction.ratio[k] * expected[k], float(correction.dispersion[k]))
            for k, observed in enumerate(self.counts)
        ]
        slope = self._scale * np.array(
            [correction.ratio[k] * (law.multiplicity @ law.score) for k, law in enumerate(laws)]
        )
        gradient = self.twin.counts(
            coordinates,
            features,
            self._lane_orientation,
            self._lane_gain,
            self.hazard,
            cotangent=slope.ravel(),
        )
        fisher, disagreement = None, None
        if information:
            jacobian = np.stack(
                [
                    (self._expected(coordinates + e, features) - self._expected(coordinates - e, features))
                    / (2 * h)
                    for e, h in zip(np.diag(_STEP), _STEP, strict=True)
                ],
                axis=-1,
            )
            scores = [law.score @ (correction.ratio[k] * jacobian[k]) for k, law in enumerate(laws)]
            fisher = sum(
                (s * law.multiplicity[:, None]).T @ s for s, law in zip(scores, laws, strict=True)
            )  # fmt: skip
            numeric = sum(law.multiplicity @ s for s, law in zip(scores, laws, strict=True))
            disagreement = float(np.max(np.abs(numeric - gradient)) / max(np.max(np.abs(numeric)), 1e-12))
        return Objective(
            log_likelihood=sum(law.log_likelihood for law in laws),
            bias_correction=sum(law.bias_correction for law in laws),
            gradient=gradient.astype(float),
            information=fisher,
            disagreement=disagreement,
        )
