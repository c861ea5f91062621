"""How long a batch will take, roughly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ketune.batch._folder import BatchFolder, read_job
from ketune.batch._job import Job
from ketune.batch._plan import BatchPlan

# Of the default cell on one core, native engine (measured; docs/batch.md): its spiking simulation, and what a fit takes
# beside it.
_SIMULATED_PER_S = 25.0
_BESIDE_S = 20.0
_POSTERIOR_S = 120.0
# Simulated before a window.
_WARM_UP_S = 0.3
# Finished jobs that are enough to go by.
_ENOUGH = 3
_MOST_LOOKED_AT = 50


def seconds_by_job(plan: BatchPlan, folder: BatchFolder) -> tuple[float, str]:
    """Seconds of one job on one worker, and what that rests on."""
    finished = _measured(plan.jobs, folder.done())
    if len(finished) >= _ENOUGH:
        return float(np.mean(finished)), f"as {len(finished)} finished jobs took"
    different = {job.model_copy(update={"seed": 0}).key: job for job in plan.jobs}
    looked_at = list(different.values())[:_MOST_LOOKED_AT]
    return float(np.mean([_guess(job, plan) for job in looked_at])), "a rough guess"


def _measured(jobs: Sequence[Job], done: Mapping[str, Path]) -> list[float]:
    there = [done[job.key] for job in jobs if job.key in done]
    return [float(read_job(path)["seconds"]) for path in there[-_MOST_LOOKED_AT:]]


def _guess(job: Job, plan: BatchPlan) -> float:
    request = job.fit_request(Path())
    recording = request.read(plan.inputs.source(job.recording), None)
    inference, effort = request.inference_effort(), request.fit_effort()
    conditions = 1 + len(request.joint)
    stimuli = len(recording.orientations(job.condition)) + 1
    trials = sum(inference.corrections) * conditions + effort.check_trials
    for application in job.applications:
        looks = max(1, len(application.settings.request.at))
        trials += (1 + looks) * application.settings.trials
    simulated = trials * stimuli * (recording.window_s + _WARM_UP_S)
    beside = _BESIDE_S + (_POSTERIOR_S if inference.draws else 0.0)
    return simulated / _SIMULATED_PER_S + beside
