"""How far the drive of one placement of the synapses is from that of the average placement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Array, Float

from ketune._jax import jnp
from ketune.afferents import Drive, SynapseLayout
from ketune.surface._inputs import tree_share

_IMAGES = np.arange(-2, 3) * 180.0


@dataclass(frozen=True)
class Trees:
    """Mean numbers of synapses of a cell's placements, basal then apical.

    Attributes
    ----------
    driven_share
        Driven over all excitatory synapses of each tree.
    n_driven
        Driven synapses of each tree.
    """

    driven_share: np.ndarray
    n_driven: np.ndarray

    @property
    def share_sd(self) -> np.ndarray:
        """Standard deviation over placements of each tree's driven share, relative to its mean.

        The driven synapses are drawn without replacement from those of both trees (hypergeometric).
        """
        n_all = self.n_driven / np.maximum(self.driven_share, 1e-12)
        whole = self.n_driven.sum() / max(n_all.sum(), 1e-12)
        return np.sqrt((1.0 - whole) * (1.0 - n_all / n_all.sum()) / np.maximum(self.n_driven, 1e-12))

    @classmethod
    def of(cls, layouts: Sequence[SynapseLayout], apical: np.ndarray) -> Trees:
        """From several placements."""
        every, driven = np.mean([tree_share(layout, apical) for layout in layouts], axis=0)
        return cls(driven / np.maximum(every, 1), driven)


def mean_tuning(
    drive: Drive, orientation_deg: Float[Any, " k"], preferred_deg: Any, spread_deg: Any
) -> Float[Array, " k"]:
    """Mean over a tree's afferents of their tuned response, 0 to 1: a Gaussian as wide as tuning and spread."""
    variance = drive.afferent_width_deg**2 + spread_deg**2
    away = jnp.asarray(orientation_deg)[:, None] - preferred_deg + _IMAGES
    peak = drive.afferent_width_deg / jnp.sqrt(variance)
    return peak * jnp.exp(-0.5 * away**2 / variance).sum(axis=-1)


def tuning_covariance(
    drive: Drive, orientation_deg: Float[Any, " k"], preferred_deg: Any, spread_deg: Any
) -> Float[Array, "k k"]:
    """Covariance over one tree's afferents of their tuned responses to two orientations.

    The product of two Gaussian tuning curves of the same afferent is a Gaussian in its preference, centred between the
    two stimuli, on either side of the circle.
    """
    angle = jnp.asarray(orientation_deg)
    apart = jnp.mod(angle[:, None] - angle + 90.0, 180.0) - 90.0
    width2 = drive.afferent_width_deg**2
    variance = 0.5 * width2 + spread_deg**2
    middle = (angle[:, None] - 0.5 * apart)[..., None] - preferred_deg + _IMAGES
    both = (
        jnp.exp(-(apart**2) / (4.0 * width2))
        * jnp.sqrt(0.5 * width2 / variance)
        * jnp.exp(-0.5 * middle**2 / variance).sum(axis=-1)
    )
    mean = mean_tuning(drive, angle, preferred_deg, spread_deg)
    return both - mean[:, None] * mean
