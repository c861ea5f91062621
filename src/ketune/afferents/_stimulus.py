"""Drifting gratings and blanks, and the time axis of a trial."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Grating:
    """A set of trials with drifting gratings: a warm-up on background activity, then the counting window.

    Attributes
    ----------
    orientation_deg
        Orientation of each condition; ``nan`` for a blank screen.
    window_ms
        Duration of the stimulus, which is also the counting window of the recording.
    warm_up_ms
        Background activity before it, so that synapses and plateaus are stationary when counting begins.
    temporal_frequency_hz, modulation
        Drift of the grating, and how deeply it modulates the afferents: 0 as complex cells do (steady), 1 as simple
        cells do (rate ``1 + sin``); every synapse has its own phase.
    contrast
        Of the gratings, 0 to 1: one number, or one for each condition (that of a blank does not matter). What the
        afferents make of it is :func:`ketune.afferents.contrast_factor`.
    """

    orientation_deg: tuple[float, ...]
    window_ms: float
    warm_up_ms: float = 250.0
    temporal_frequency_hz: float = 2.0
    modulation: float = 0.0
    contrast: float | tuple[float, ...] = 1.0

    def __post_init__(self) -> None:
        if not self.orientation_deg:
            raise ValueError("a stimulus needs at least one orientation or blank")
        if not (self.window_ms > 0 and self.warm_up_ms >= 0 and 0 <= self.modulation <= 1):
            raise ValueError("window_ms > 0, warm_up_ms >= 0 and 0 <= modulation <= 1 are needed")
        if np.ndim(self.contrast) and np.size(self.contrast) != len(self.orientation_deg):
            raise ValueError(
                f"{np.size(self.contrast)} contrasts for {len(self.orientation_deg)} conditions: one for each is needed"
            )
        if not np.all((np.asarray(self.contrast) >= 0) & (np.asarray(self.contrast) <= 1)):
            raise ValueError("a contrast between 0 and 1 is needed")

    @property
    def contrasts(self) -> np.ndarray:
        """Contrast of each condition."""
        return np.broadcast_to(np.asarray(self.contrast, float), (len(self.orientation_deg),))

    @property
    def duration_ms(self) -> float:
        """Warm-up and window together."""
        return self.warm_up_ms + self.window_ms

    def n_steps(self, dt_ms: float) -> int:
        """Steps of one trial."""
        return round(self.duration_ms / dt_ms)

    def time_course(self, t_ms: np.ndarray, phase: np.ndarray) -> np.ndarray:
        """Factor on the driven rate at times ``t_ms`` from the beginning of the trial: zero before the stimulus."""
        since_onset_s = (t_ms - self.warm_up_ms) * 1e-3
        drift = 1.0 + self.modulation * np.sin(2 * np.pi * self.temporal_frequency_hz * since_onset_s + phase)
        return np.where(since_onset_s >= 0, drift, 0.0)
