"""The time step of a fit: stated, chosen by its error, and told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ketune import _console, cli
from ketune.fitting import Fitter, StepChoice, StepError, StepSizes
from ketune.report import _tables
from ketune.report._results import Fit as FitResult
from ketune.workflow import fit_recording
from ketune.workflow._fit import _steps_fields

STEPS = StepSizes(
    bound=0.02,
    spiking=StepChoice(0.05, True, (StepError(0.1, -0.03, 0.002), StepError(0.05, -0.012, 0.001))),
    silent=StepChoice(0.1, True, (StepError(0.1, -0.001, 1e-4), StepError(0.05, -4e-4, 1e-4))),
    reference_ms=0.0125,
    reference_scheme="second_order",
    n_lanes=128,
    mean_count=11.5,
)


class Reached(Exception):
    """The fit would begin now."""


@pytest.fixture
def begun(monkeypatch):
    """Fitters whose stages would run, and the bounds that steps were measured for."""
    fitters, bounds = [], []

    def run(self):
        fitters.append(self)
        raise Reached

    def step_sizes(self, bound):
        bounds.append(bound)
        return STEPS

    monkeypatch.setattr(Fitter, "run", run)
    monkeypatch.setattr(Fitter, "step_sizes", step_sizes)
    return fitters, bounds


def fit(inputs, folder: Path, **options):
    with pytest.raises(Reached):
        fit_recording(
            inputs.recording,
            folder / "fit",
            model=inputs.model,
            morphology=inputs.morphology,
            window="200 ms",
            **options,
        )


def steps_of(fitter):
    return fitter.spiking.twin.dt_ms, fitter._twin.engine.twin.dt_ms, fitter._twin.dt_ms


@pytest.mark.parametrize(
    ("options", "expected", "measured"),
    [
        ({}, (0.05, 0.1, 0.1), []),
        ({"dt": "0.025 ms"}, (0.025, 0.025, 0.025), []),
        ({"dt": "auto"}, (0.05, 0.1, 0.1), [0.01]),
        ({"dt": "auto", "dt_error": 0.02}, (0.05, 0.1, 0.1), [0.02]),
    ],
    ids=["default", "stated", "auto", "bound"],
)
def test_the_engines_get_the_step(inputs, tmp_path, begun, options, expected, measured):
    fitters, bounds = begun
    fit(inputs, tmp_path, **options)
    assert steps_of(fitters[0]) == expected
    assert bounds == measured


def test_chosen_steps_replace_the_efforts(inputs, tmp_path, begun, monkeypatch):
    fitters, _ = begun
    other = replace(
        STEPS, spiking=replace(STEPS.spiking, dt_ms=0.0125), silent=replace(STEPS.silent, dt_ms=0.2)
    )
    monkeypatch.setattr(Fitter, "step_sizes", lambda self, bound: other)
    fit(inputs, tmp_path, dt="auto")
    assert steps_of(fitters[0]) == (0.0125, 0.2, 0.2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--dt", "0.05"), "--dt"),
        (("--dt", "fast"), "--dt"),
        (("--dt", "0.03 ms"), "does not divide 1 ms"),
        (("--dt", "0.5 ms"), "longer than 0.2 ms"),
        (("--dt-error", "0.01"), "add --dt auto"),
        (("--dt", "0.05 ms", "--dt-error", "0.01"), "add --dt auto"),
        (("--dt", "auto", "--dt-error", "0"), "0.01 is 1 %"),
    ],
)
def test_steps_that_cannot_be_used(inputs, tmp_path, capfd, arguments, message):
    command = ["fit", *inputs.arguments(), "-o", str(tmp_path / "out"), *arguments]
    assert _console.run(cli.app, command) == 2
    line = capfd.readouterr().err
    assert message in line
    assert line.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_the_report_tells_the_measured_error():
    fields = _steps_fields(STEPS)
    assert fields["spiking"]["error"]["0.05 ms"] == -0.012
    values = {"status": "converged", "provenance": {"time_steps": fields}}
    told = _tables.readout(FitResult.model_construct(**values))
    assert "spiking -1.20 ± 0.10 %, silent -0.10 ± 0.01 %" in told
    assert "(bound 2 %)" in told
    rows = dict(_tables.flat(values["provenance"]))
    assert rows["time steps: spiking: error"] == "0.1 ms −0.03, 0.05 ms −0.012"
