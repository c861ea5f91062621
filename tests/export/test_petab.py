"""The tables of PEtab: its own linter accepts them, and they hold what was recorded and estimated."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import petab.v1
import pytest
from fitted_example import ORIENTATIONS, VALUES, recording
from petab.v1.lint import lint_problem
from petab.v1.yaml import validate

from ketune.export import export_fit

# Of pandas, to the authors of PEtab.
pytestmark = pytest.mark.filterwarnings("ignore:The .* is deprecated")


def read(folder: Path) -> petab.v1.Problem:
    """The exported problem, after PEtab has found nothing wrong."""
    validate(folder / "problem.yaml")
    problem = petab.v1.Problem.from_yaml(folder / "problem.yaml")
    assert not lint_problem(problem)
    return problem


@pytest.fixture
def tables(fitted: Path, tmp_path: Path) -> Path:
    export_fit(fitted, tmp_path / "petab", form="petab")
    return tmp_path / "petab"


def test_the_linter_finds_no_error_and_says_that_there_is_no_model(
    tables: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="petab"):
        problem = read(tables)
    assert problem.model is None
    assert "Model not available" in caplog.text
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_every_trial_is_a_measurement(tables: Path) -> None:
    problem = read(tables)
    recorded = recording()
    joined = problem.measurement_df.join(problem.condition_df, on="simulationConditionId")
    for orientation in ORIENTATIONS:
        counts = joined[(joined.orientation_deg == orientation) & (joined.contrast == 1)].measurement
        assert counts.tolist() == recorded.counts(orientation).tolist()
    assert joined[joined.contrast == 0].measurement.tolist() == recorded.counts(None).tolist()
    assert len(joined) == len(recorded.spikes)
    assert set(joined.time) == {recorded.window_s}
    spread = joined.groupby("simulationConditionId").measurement.std()
    noise = joined.groupby("simulationConditionId").noiseParameters.first()
    pd.testing.assert_series_equal(noise, np.maximum(spread, 12**-0.5), check_names=False, rtol=1e-12)


def test_estimates_with_their_bounds(tables: Path) -> None:
    parameters = read(tables).parameter_df
    assert parameters.nominalValue.to_dict() == VALUES
    assert parameters.parameterScale["nmda_nS"] == "log10"
    assert parameters.parameterScale["preferred_basal_deg"] == "lin"
    assert (parameters.lowerBound["nmda_nS"], parameters.upperBound["nmda_nS"]) == (0.05, 3.0)
    assert (parameters.standardError / parameters.nominalValue).tolist() == pytest.approx([0.1] * 11)


def test_the_fit_comes_along(tables: Path, fitted: Path) -> None:
    assert (tables / "fit.json").read_bytes() == (fitted / "fit.json").read_bytes()
    assert "not SBML" in (tables / "README.md").read_text()


def test_a_joint_fit(fitted: Path, tmp_path: Path) -> None:
    """A drug of the same file is a condition with factors of its own; one of another file is named as left out."""
    directory = Path(shutil.copytree(fitted, tmp_path / "joint"))
    text = (directory / "recording.csv").read_text().splitlines()
    again = [line.replace("control", "10 mg/ml") for line in text if ",control," in line]
    (directory / "recording.csv").write_text("\n".join([*text, *again]) + "\n")
    fit = json.loads((directory / "fit.json").read_text())
    fit["conditions"] = [{"label": "control"}, {"label": "10 mg/ml"}, {"label": "elsewhere"}]
    fit["parameters"]["10 mg/ml.nmda"] = fit["parameters"]["nmda_nS"] | {
        "value": 0.5,
        "low": 0.0,
        "high": 1.25,
    }
    (directory / "fit.json").write_text(json.dumps(fit))
    told = export_fit(directory, tmp_path / "petab", form="petab")
    problem = read(tmp_path / "petab")
    assert told["left_out"] == ["elsewhere"]
    assert "elsewhere" in (tmp_path / "petab" / "README.md").read_text()
    factor = problem.condition_df.nmda_factor
    assert set(factor[factor.index.str.startswith("control")].astype(float)) == {1.0}
    assert set(factor[~factor.index.str.startswith("control")]) == {"_10_mg_ml_nmda"}
    assert problem.parameter_df.parameterScale["_10_mg_ml_nmda"] == "lin"
    assert len(problem.measurement_df) == 60
