"""What a file calls the columns that a recording is made of."""

from __future__ import annotations

from dataclasses import dataclass

ORIENTATION, TRIAL, SPIKES = "orientation_deg", "trial", "spikes"
CONDITION, WINDOW, NEURON = "condition", "window_s", "neuron"


@dataclass(frozen=True)
class Layout:
    """Names in a file that differ from those in docs/recordings.md; None keeps the documented ones.

    Attributes:
        orientation: column (or MAT variable) of orientations or drift directions.
        condition: column of conditions.
        spikes: column of spike counts.
        trials: table of trials of an NWB file.
    """

    orientation: str | None = None
    condition: str | None = None
    spikes: str | None = None
    trials: str | None = None

    def columns(self) -> dict[str, str]:
        """The file's name for each part of a recording in a long table."""
        return {
            ORIENTATION: self.orientation or ORIENTATION,
            TRIAL: TRIAL,
            SPIKES: self.spikes or SPIKES,
            CONDITION: self.condition or CONDITION,
            WINDOW: WINDOW,
            NEURON: NEURON,
        }

    def arguments(self) -> tuple[str, ...]:
        """The options of the command line that say the same."""
        given = {
            "--orientation-column": self.orientation,
            "--condition-column": self.condition,
            "--spikes-column": self.spikes,
            "--trials-table": self.trials,
        }
        return tuple(part for option, name in given.items() if name is not None for part in (option, name))
