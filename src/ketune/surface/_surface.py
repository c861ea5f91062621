"""A response surface: mean and dispersion of a trial's spike count as a smooth function of what drives it."""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Array, Float

from ketune._jax import jnp
from ketune.errors import InputError
from ketune.storage import whole_file
from ketune.surface import _network as network
from ketune.surface._inputs import INPUTS, INPUTS_AND_ACTIONS
from ketune.surface._trials import Trials

FORMAT = "ketune-surface/1"
# What reading a damaged archive, or something else, may raise; RuntimeError is zipfile's for what it cannot unpack.
_UNREADABLE = (
    OSError, ValueError, KeyError, TypeError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


class _OtherVersion(Exception):
    """A file's format or inputs are not those of this version."""


ARRAYS = ("weights", "centre", "scale", "low", "high")
"""What a prediction takes of a surface."""


def moments_at(arrays: Mapping[str, Any], log_inputs: Float[Array, "... inputs"]) -> tuple[Array, Array]:
    """:meth:`Surface.moments` as a pure function of the surface's arrays."""
    z = (jnp.clip(log_inputs, arrays["low"], arrays["high"]) - arrays["centre"]) / arrays["scale"]
    return network.moments(network.output(arrays["weights"], z), log_inputs[..., -1])


@dataclass(frozen=True)
class SurfaceError:
    """How far a surface is from fresh simulated trials.

    Attributes
    ----------
    location_sd
        How differently placements respond to the same event rates, as the standard deviation of a factor on these
        rates.
    surface_sd
        Error that all placements share, in the same way, as the standard deviation of a factor on the rates.
    bias
        By range of predicted mean counts: sum of counts over sum of predictions, and its standard error.
    """

    location_sd: float = 0.0
    surface_sd: float = 0.0
    bias: tuple[tuple[float, float, float, float], ...] = ()


@dataclass(frozen=True, eq=False)
class Surface:
    """A trained response surface of one cell.

    Attributes
    ----------
    weights
        Matrix and bias of each layer of the network.
    centre, scale
        Of the logarithms of the inputs.
    low, high
        Range of each input's logarithm in training; beyond it the surface continues with what it is at the border.
    error
        Measured on trials that were not used in training.
    """

    weights: network.Weights
    centre: np.ndarray
    scale: np.ndarray
    low: np.ndarray
    high: np.ndarray
    error: SurfaceError
    made: dict[str, Any] = field(default_factory=dict)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the inputs, whose logarithms it takes."""
        return INPUTS if len(self.centre) == len(INPUTS) else INPUTS_AND_ACTIONS

    @property
    def sha256(self) -> str:
        """Hash of what it predicts with."""
        digest = hashlib.sha256()
        for array in (
            *(x for layer in self.weights for x in layer),
            self.centre,
            self.scale,
            self.low,
            self.high,
        ):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()[:24]

    @classmethod
    def trained(
        cls, trials: Trials, how: network.Training, *, seed: int, made: dict[str, Any] | None = None
    ) -> Surface:
        """Train on single trials."""
        x = np.log(trials.inputs)
        centre, scale = x.mean(axis=0), x.std(axis=0)
        low, high = np.quantile(x, [0.001, 0.999], axis=0)
        weights = network.train((x - centre) / scale, x[:, -1], trials.counts, how, seed=seed)
        return cls(weights, centre, scale, low, high, SurfaceError(), dict(made or {}))

    def moments(self, log_inputs: Float[Any, "... inputs"]) -> tuple[Array, Array]:
        """Mean count and its dispersion (variance over mean) at fixed shared gain.

        Parameters
        ----------
        log_inputs
            Natural logarithms of :attr:`inputs`.
        """
        return moments_at({name: getattr(self, name) for name in ARRAYS}, jnp.asarray(log_inputs))

    def save(self, path: Path) -> None:
        """Write the surface in one step as one NumPy archive of plain arrays."""
        arrays = {f"weight_{i}": w for i, (w, _) in enumerate(self.weights)}
        arrays |= {f"bias_{i}": b for i, (_, b) in enumerate(self.weights)}
        about = {
            "format": FORMAT,
            "inputs": self.inputs,
            "layers": len(self.weights),
            "error": asdict(self.error),
            "made": self.made,
        }
        with whole_file(path) as unfinished, unfinished.open("wb") as file:
            np.savez_compressed(
                file,
                about=np.array(json.dumps(about)),
                centre=self.centre,
                scale=self.scale,
                low=self.low,
                high=self.high,
                **arrays,
            )

    @classmethod
    def load(cls, path: Path) -> Surface:
        """Read what :meth:`save` wrote.

        Raises
        ------
        InputError
            The file is no response surface, or of another version.
        """
        try:
            # An archive and nothing else: NumPy would also read single arrays.
            with path.open("rb") as opened, np.lib.npyio.NpzFile(opened, allow_pickle=False) as file:
                about = json.loads(str(file["about"]))
                if about["format"] != FORMAT or tuple(about["inputs"]) not in (
                    INPUTS,
                    INPUTS_AND_ACTIONS,
                ):
                    raise _OtherVersion
                error = about["error"]
                return cls(
                    [(file[f"weight_{i}"], file[f"bias_{i}"]) for i in range(about["layers"])],
                    file["centre"],
                    file["scale"],
                    file["low"],
                    file["high"],
                    SurfaceError(**{**error, "bias": tuple(map(tuple, error["bias"]))}),
                    about["made"],
                )
        except _OtherVersion:
            raise InputError(
                f"{path}: a response surface of another version of ketune; remove it, it is built again"
            ) from None
        except _UNREADABLE as problem:
            reason = " ".join(str(problem).split())
            raise InputError(
                f"{path}: is no response surface ({reason}); remove it, it is built again"
            ) from None
