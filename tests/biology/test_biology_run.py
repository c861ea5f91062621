"""`ketune verify --biology`: shape, files, options; and that the shipped parameter set holds."""

import json
import subprocess
import sys

import pytest

from ketune.biology import BOUNDS, Trials, describe, run_biology
from ketune.errors import InputError
from ketune.storage import jsonable

FEW = Trials(tuning=2, contrast=2, subthreshold=2, ablation=2, disparity=2)
FIXED = {
    "nmda_block_response", "ampa_block_response", "nmda_cell_subthreshold_gosi", "apical_ablation_po_deg",
    "basal_ablation_po_deg", "contrast_c50_ratio", "hcn_wild_type_dv_mV", "hcn_null_dv_mV",
}  # fmt: skip


@pytest.mark.slow
def test_the_result_has_the_promised_shape(tmp_path):
    result = run_biology(trials=FEW, disparities_deg=(0.0, 40.0), output=tmp_path / "out")
    read = json.loads(json.dumps(jsonable(result)))
    assert set(read) >= {"ok", "checks", "control", "curves", "reference"}
    names = [check["name"] for check in read["checks"]]
    assert set(names) >= FIXED
    assert names == list(BOUNDS)
    for check in read["checks"]:
        assert set(check) >= {"name", "value", "low", "high", "unit", "source", "ok", "se"}
        assert check["ok"] is BOUNDS[check["name"]].holds(
            float("nan") if check["value"] is None else check["value"]
        )
    assert read["ok"] is all(check["ok"] for check in read["checks"])
    assert (tmp_path / "out" / "biology.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((tmp_path / "out" / "biology.json").read_text())["checks"] == read["checks"]
    with pytest.raises(InputError, match="already holds a result"):
        run_biology(trials=FEW, output=tmp_path / "out")


@pytest.mark.slow
def test_the_shipped_parameter_set_holds():
    result = run_biology(disparities_deg=())
    assert result["ok"], "\n".join(describe(result))
    assert 5 <= result["control"]["peak_hz"] <= 30
    assert result["control"]["spontaneous_hz"] <= 1
    assert 14 <= result["control"]["hwhm_deg"] <= 21
    for check in result["checks"]:
        nearest = min(abs(check["value"] - x) for x in (check["low"], check["high"]) if x is not None)
        assert check["se"] < nearest / 2, f"{check['name']}: the error is as large as the margin"


def test_lines_for_people_say_what_failed():
    bound = {"low": 0.85, "high": 1.15, "unit": "", "source": "somebody 1999"}
    checks = [
        {"name": "good", "value": 1.0, "se": 0.02, "ok": True} | bound,
        {"name": "bad", "value": 1.3, "se": 0.0, "ok": False} | bound | {"low": None},
    ]
    good, bad, verdict = describe({"ok": False, "checks": checks})
    assert "1 +/- 0.02" in good
    assert "0.85 to 1.15; somebody 1999" in good
    assert "FAILED" not in good
    assert bad.endswith("FAILED")
    assert "at most 1.15" in bad
    assert "1 of 2" in verdict
    assert "none is a prediction" in verdict


def test_output_without_biology_is_refused(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "ketune", "verify", "-o", str(tmp_path / "x")], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "--biology" in done.stderr
    assert not (tmp_path / "x").exists()


def test_a_directory_that_is_a_file_is_refused_before_the_work(tmp_path):
    (tmp_path / "x").write_text("")
    with pytest.raises(InputError, match="is a file"):
        run_biology(output=tmp_path / "x")
