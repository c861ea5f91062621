"""How much work a fit does."""

from __future__ import annotations

from dataclasses import dataclass

from ketune.errors import InputError


@dataclass(frozen=True)
class Effort:
    """Numbers of simulations at each stage of a fit.

    Attributes
    ----------
    calibration_sets
        Random parameter sets on which the escape rate is calibrated against spikes.
    screening_sets
        Random parameter sets from which the starts are chosen.
    starts, iterations
        Ascents, and steps of each.
    trials
        Simulated trials per orientation during an ascent.
    window_ms
        Longest window of an ascent's simulations; the correction takes up the rest of the recording's.
    corrections
        Corrections to the spiking cell: its trials per orientation in each, and the most steps after it. The fitted
        means inherit the error of the last one.
    placements, placement_iterations
        Placements of the synapses for which a parameter set is sought, and steps from the best of the first.
    draws, kept
        Draws around each placement's best, and parameter sets kept altogether.
    check_trials
        Trials per orientation, with fresh seeds, of the final check with spikes.
    replay_trials
        Trials per orientation that NEURON replays.
    spiking_dt_ms, silent_dt_ms
        Time steps.
    """

    calibration_sets: int = 12
    screening_sets: int = 48
    starts: int = 2
    iterations: int = 3
    trials: int = 8
    window_ms: float = 300.0
    corrections: tuple[tuple[int, int], ...] = ((48, 3), (96, 3), (192, 4))
    placements: int = 3
    placement_iterations: int = 2
    draws: int = 5
    kept: int = 4
    check_trials: int = 200
    replay_trials: int = 1
    spiking_dt_ms: float = 0.05
    silent_dt_ms: float = 0.1


EFFORTS = {
    "quick": Effort(
        calibration_sets=8, screening_sets=24, starts=1, iterations=4, trials=6, window_ms=300.0,
        corrections=((16, 2), (48, 4)),
        placements=2, placement_iterations=2, draws=6, kept=4, check_trials=50, replay_trials=1,
    ),
    "standard": Effort(),
    "thorough": Effort(
        calibration_sets=32, screening_sets=128, starts=4, iterations=12, trials=16, window_ms=800.0,
        corrections=((64, 4), (128, 4), (256, 4), (400, 20)),
        placements=5, placement_iterations=6, draws=16, kept=12, check_trials=400, replay_trials=4,
    ),
}  # fmt: skip


def effort_named(name: str) -> Effort:
    """The effort with this name.

    Raises
    ------
    InputError
        There is none.
    """
    if name not in EFFORTS:
        raise InputError(f"effort '{name}' is not known; choose one of {', '.join(EFFORTS)}")
    return EFFORTS[name]
