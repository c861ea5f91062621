"""A recording and a neuron small enough for the whole path."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Inputs:
    """Files for ``ketune fit``."""

    recording: Path
    model: Path
    morphology: Path

    def arguments(self) -> list[str]:
        return [
            str(self.recording),
            "--model",
            str(self.model),
            "--morphology",
            str(self.morphology),
            "--window",
            "200 ms",
        ]


def write_recording(path: Path) -> Path:
    """24 trials at each of four orientations, 20 blanks; as vigorous as the small neuron gets within 0.2 s."""
    rng = np.random.default_rng(12)
    rows = ["orientation_deg,trial,spikes"]
    for orientation, mean, n in (
        ("0", 1.5, 24),
        ("45", 6.0, 26),
        ("90", 12.0, 24),
        ("135", 4.0, 25),
        ("", 0.6, 20),
    ):
        counts = rng.poisson(mean * np.exp(0.2 * rng.standard_normal(n)))
        rows += [f"{orientation},{trial + 1},{count}" for trial, count in enumerate(counts)]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def write_model(path: Path) -> Path:
    """The shipped model, coarser and with brief inhibition.

    As many inhibitory synapses as on the shipped tree, on one an eighth of its length, would silence it.
    """
    shipped = resources.files("ketune") / "data" / "models" / "cat_v1_l23.toml"
    text = shipped.read_text(encoding="utf-8")
    for old, new in (
        ("d_lambda = 0.3", "d_lambda = 1.0"),
        ("tau_rise = 0.2, tau_decay = 5.0", "tau_rise = 0.2, tau_decay = 1.0"),
        ("tau_rise = 0.5, tau_decay = 10.0", "tau_rise = 0.5, tau_decay = 2.0"),
    ):
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    return path
