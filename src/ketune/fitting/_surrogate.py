"""The likelihood of a recording under the silent twin, corrected to the spiking cell (space mapping)."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy

import numpy as np

from ketune.afferents import Drive, Grating, SynapseLayout, candidates, stratified_gain
from ketune.fitting._calibrate import Calibration
from ketune.fitting._correction import Correction
from ketune.fitting._counts import CountLikelihood
from ketune.fitting._observed import Observed, likelihood_of
from ketune.fitting._optimise import Derivatives
from ketune.fitting._parameters import PARAMETERS, drive_at, values_of
from ketune.fitting._silent import Features, SilentTwin
from ketune.fitting._spontaneous import SpontaneousRate

# Relative width of the soft comparison of mark and rate.
_SOFTNESS = 0.1
# Steps of the finite differences that give the information matrix: coordinates, and degrees.
_STEP = np.array([1.0 if p.scale == "orientation" else 0.03 for p in PARAMETERS])


class Surrogate:
    """Log-likelihood of recorded counts as a smooth function of the fitted parameters.

    Parameters
    ----------
    twin, layout, grating
        Silent twin, synapse placement, and stimulus. The grating's window may be shorter than the recording's: rates
        are stationary but for the shared gain, and the correction takes up the difference.
    observed
        Recorded spikes of each orientation, or what is assumed of a blank, in the order of the grating.
    window_ms
        The recording's window.
    calibration
        Escape rate calibrated on spikes.
    trials, seed
        Simulated trials per orientation, whose gains lie at the quantiles of their distribution.
    correction
        To the spiking cell.
    """

    def __init__(
        self,
        twin: SilentTwin,
        layout: SynapseLayout,
        drive: Drive,
        grating: Grating,
        observed: Sequence[Observed],
        *,
        window_ms: float,
        calibration: Calibration,
        trials: int,
        seed: int,
        correction: Correction,
    ) -> None:
        self.twin, self.layout, self.drive, self.grating = twin, layout, drive, grating
        self.calibration, self.hazard = calibration, calibration.hazard
        self.observed, self.trials, self.seed = tuple(observed), trials, seed
        self.gain, self.correction = stratified_gain(trials), correction
        self._scale = window_ms / grating.window_ms

    def with_correction(self, correction: Correction) -> Surrogate:
        """The same surrogate under another correction."""
        other = copy(self)
        other.correction = correction
        return other

    def features(self, coordinates: np.ndarray) -> Features:
        """Soft events around a parameter set, the constants of the estimator there."""
        drive = drive_at(values_of(coordinates), self.drive)
        return self.twin.features(
            candidates(
                self.layout,
                self.grating,
                drive,
                trials=range(self.trials),
                seed=self.seed,
                dt_ms=self.twin.dt_ms,
                softness=_SOFTNESS,
                gain=self.gain,
            )
        )

    def _expected(self, coordinates: Sequence[np.ndarray], features: Features) -> np.ndarray:
        lanes = self.twin.counts(coordinates, features, self.hazard)
        return self._scale * lanes.astype(float).reshape(len(coordinates), len(self.observed), self.trials)

    def expected(self, coordinates: np.ndarray) -> np.ndarray:
        """Expected counts in the recording's window, ``(orientations, trials)``."""
        return self._expected([coordinates], self.features(coordinates))[0]

    def corrected(self, expected: np.ndarray) -> np.ndarray:
        """Corrected counts ``(orientations, trials)``."""
        return np.array([self.correction.matrix(k, self.trials) @ e for k, e in enumerate(expected)])

    def _laws(self, expected: np.ndarray) -> list[CountLikelihood]:
        return [
            likelihood_of(observed, e, float(self.correction.dispersion[k]))
            for k, (observed, e) in enumerate(zip(self.observed, self.corrected(expected), strict=True))
        ]

    def log_likelihood(self, coordinates: np.ndarray) -> float:
        """Log-likelihood of the recorded counts."""
        return sum(law.log_likelihood for law in self._laws(self.expected(coordinates)))

    def log_likelihoods(self, coordinates: Sequence[np.ndarray]) -> np.ndarray:
        """Log-likelihood at each of several parameter sets."""
        return np.array([self.log_likelihood(u) for u in coordinates])

    def bias_correction(self, coordinates: np.ndarray) -> float:
        """How much the log-likelihood was corrected for the finite number of simulated trials."""
        return sum(law.bias_correction for law in self._laws(self.expected(coordinates)))

    def slope(self, expected: np.ndarray) -> np.ndarray:
        """Derivative of the log-likelihood with respect to the expected counts, ``(orientations, trials)``."""
        transposed = [self.correction.matrix(k, self.trials).T for k in range(len(self.observed))]
        laws = self._laws(expected)
        return np.array([t @ (law.multiplicity @ law.score) for t, law in zip(transposed, laws, strict=True)])

    def gradient(self, coordinates: np.ndarray, features: Features) -> np.ndarray:
        """Gradient of the log-likelihood by reverse-mode differentiation of the whole simulation."""
        slope = self._scale * self.slope(self._expected([coordinates], features)[0])
        return self.twin.gradient(coordinates, features, self.hazard, slope.ravel())

    def derivatives(self, coordinates: np.ndarray, *, information: bool) -> Derivatives:
        """Gradient (reverse mode), or gradient and information from the Jacobian of all lanes.

        Differences between lanes that share their events give the whole Jacobian for 11 forward runs; reverse mode
        gives the gradient alone for about 8.
        """
        features = self.features(coordinates)
        if not information:
            return Derivatives(self.gradient(coordinates, features), None)
        steps = [coordinates, *(coordinates + e for e in np.diag(_STEP))]
        expected, *moved = self._expected(steps, features)
        jacobian = np.stack([(m - expected) / h for m, h in zip(moved, _STEP, strict=True)], axis=-1)
        total = sum(
            _information(expected[k], jacobian[k], observed, self.correction, k)
            for k, observed in enumerate(self.observed)
        )
        return Derivatives(np.einsum("kt,ktp->p", self.slope(expected), jacobian), np.asarray(total))


def _information(
    expected: np.ndarray, jacobian: np.ndarray, observed: Observed, correction: Correction, k: int
) -> np.ndarray:
    """Fisher information that the counts of one orientation carry through their mean and variance.

    Far from the optimum the outer product of the scores is dominated by the misfit and shortens the steps; this one
    depends on the model alone.
    """
    matrix = correction.matrix(k, len(expected))
    trial, d_trial = matrix @ expected, matrix @ jacobian
    mean, d_mean = trial.mean(), d_trial.mean(axis=0)
    if isinstance(observed, SpontaneousRate):
        return observed.penalty(mean)[2] * np.outer(d_mean, d_mean)
    deviation = trial - mean
    variance = correction.dispersion[k] * max(mean, 0.1) + np.mean(deviation**2)
    d_variance = correction.dispersion[k] * d_mean + 2 * np.mean(deviation[:, None] * d_trial, axis=0)
    return len(observed) * (
        np.outer(d_mean, d_mean) / variance + np.outer(d_variance, d_variance) / (2 * variance**2)
    )
