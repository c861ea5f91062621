"""What is assumed of the response to a blank screen where none was recorded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ketune.fitting._counts import CountLikelihood

# Half a spike is added to both counts before their logarithms are compared: below one spike the ratio says little.
HALF_SPIKE = 0.5
# Standard deviation of the logarithm of the count about a known rate, and of what exceeds a limit.
LOG_SD = 0.05


@dataclass(frozen=True)
class SpontaneousRate:
    """A prior on the mean count while the screen is blank; it stands in the place of recorded blank trials.

    Without it nothing restrains the background: inhibition that gratings evoke can hide any amount of it, and the
    fitted cell fires more on a blank screen than under a grating.

    Attributes
    ----------
    count
        In the recording's window.
    known
        Whether the rate is known to be ``count``, or only not to exceed it.
    """

    count: float
    known: bool = False

    def penalty(self, mean: float) -> tuple[float, float, float]:
        """Log-density at a mean count up to a constant, its derivative, and the information about the mean."""
        deviation = np.log((mean + HALF_SPIKE) / (self.count + HALF_SPIKE))
        if not self.known and deviation <= 0:
            return 0.0, 0.0, 0.0
        slope = 1.0 / (mean + HALF_SPIKE)
        variance = LOG_SD**2
        return (
            float(-0.5 * deviation**2 / variance),
            float(-deviation / variance * slope),
            slope**2 / variance,
        )

    def likelihood(self, expected: np.ndarray) -> CountLikelihood:
        """The penalty on the mean over simulated trials, in the form of a likelihood of one observation."""
        value, derivative, _ = self.penalty(float(expected.mean()))
        m = len(expected)
        return CountLikelihood(value, 0.0, np.full((1, m), derivative / m), np.ones(1, int))
