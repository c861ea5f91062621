"""Afferent rates as a function of stimulus orientation, and the parameters that set them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

STREAMS = ("driven", "background", "pv", "sst")
"""Independent Poisson streams. The first two drive excitatory synapses."""


@dataclass(frozen=True)
class Drive:
    """Rates of the afferents, per synapse.

    Attributes
    ----------
    peak_rate_hz
        A driven synapse at its preferred orientation, on top of background.
    background_rate_hz
        Every excitatory synapse, at all times. The default makes the default cell fire about 0.4 Hz on a blank screen.
    preferred_basal_deg, preferred_apical_deg
        Mean preferred orientation of the afferents of each tree.
    spread_basal_deg, spread_apical_deg
        Standard deviation of preferred orientation among the synapses of a tree.
    afferent_width_deg
        Standard deviation of one afferent's Gaussian tuning curve.
    afferent_untuned
        Share of an afferent's response that every orientation evokes. Assumed; orthogonal over preferred response is
        0.27 and 0.43 for the median OSI (0.58 and 0.40) of Allen units in mouse V1 L2/3 and L4, spontaneous included.
    pv_rate_hz, sst_rate_hz
        Inhibitory synapses while the screen is blank.
    pv_evoked_hz, sst_evoked_hz
        What any grating adds to them: inhibition is untuned, as in Park et al. 2019.
    pv_drive, sst_drive
        Factor on the interneurons' rates; a drug that blocks their NMDA receptors lowers it.
    gain_sd
        Standard deviation of the logarithm of the gain that all afferents of a trial share; its mean is 1.
    contrast_c50, contrast_exponent
        Contrast at half of an afferent's largest response, and the exponent: see :func:`contrast_factor`. Both are
        assumed, without a measurement behind them; nothing depends on them at full contrast.
    """

    peak_rate_hz: Any = 2.0
    background_rate_hz: Any = 0.12
    preferred_basal_deg: Any = 90.0
    preferred_apical_deg: Any = 90.0
    spread_basal_deg: Any = 20.0
    spread_apical_deg: Any = 20.0
    afferent_width_deg: Any = 15.0
    afferent_untuned: Any = 0.2
    pv_rate_hz: Any = 4.0
    pv_evoked_hz: Any = 8.0
    sst_rate_hz: Any = 2.0
    sst_evoked_hz: Any = 2.0
    pv_drive: Any = 1.0
    sst_drive: Any = 1.0
    gain_sd: Any = 0.3
    contrast_c50: Any = 0.2
    contrast_exponent: Any = 1.2

    def as_dict(self) -> dict[str, Any]:
        """Field name to value."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


def wrapped_deg(difference: Any, xp: Any = np) -> Any:
    """An orientation difference in [-90, 90)."""
    return xp.mod(difference + 90.0, 180.0) - 90.0


def shared_gain(drive: Drive, deviate: Any, xp: Any = np) -> Any:
    """The trial's lognormal gain with mean 1; ``deviate`` is its standard normal."""
    return xp.exp(drive.gain_sd * deviate - 0.5 * xp.square(drive.gain_sd))


def contrast_factor(drive: Drive, contrast: Any) -> Any:
    """Factor on everything that a grating of this contrast (0 to 1) evokes; exactly 1 at full contrast.

    ``c^n (1 + c50^n) / (c^n + c50^n)``: the function of Naka and Rushton (1966), divided by its value at contrast 1.
    """
    raised = contrast**drive.contrast_exponent
    half = drive.contrast_c50**drive.contrast_exponent
    return raised * (1.0 + half) / (raised + half)


def rate_hz(
    drive: Drive,
    stream: int,
    *,
    gain_deviate: Any,
    orientation_deg: Any = None,
    tree: Any = None,
    deviate: Any = None,
    time_course: Any = 1.0,
    xp: Any = np,
) -> Any:
    """Rate of one synapse of a stream (Hz); differentiable in every field of ``drive``.

    Parameters
    ----------
    stream
        Index into :data:`STREAMS`.
    gain_deviate
        Standard normal of the trial's shared gain.
    orientation_deg, tree, deviate
        Of the stimulus, and of the driven synapse (see :class:`SynapseLayout`). A blank is ``nan``.
    time_course
        :meth:`Grating.time_course` for driven synapses; for inhibition 1 while a grating is shown, else 0. Times
        :func:`contrast_factor` where the contrast is below 1.
    xp
        ``numpy``, or ``jax.numpy`` where gradients are wanted.
    """
    gain = shared_gain(drive, gain_deviate, xp)
    if STREAMS[stream] == "background":
        return drive.background_rate_hz * gain
    if STREAMS[stream] == "pv":
        return drive.pv_drive * (drive.pv_rate_hz + drive.pv_evoked_hz * time_course) * gain
    if STREAMS[stream] == "sst":
        return drive.sst_drive * (drive.sst_rate_hz + drive.sst_evoked_hz * time_course) * gain
    preferred = xp.where(tree == 1, drive.preferred_apical_deg, drive.preferred_basal_deg)
    spread = xp.where(tree == 1, drive.spread_apical_deg, drive.spread_basal_deg)
    shown = xp.isfinite(orientation_deg)
    away = wrapped_deg(xp.where(shown, orientation_deg, 0.0) - preferred - spread * deviate, xp)
    tuned = xp.exp(-0.5 * xp.square(away / drive.afferent_width_deg))
    tuning = drive.afferent_untuned + (1.0 - drive.afferent_untuned) * tuned
    return xp.where(shown, drive.peak_rate_hz * gain * tuning * time_course, 0.0)
