"""docs/pharmacology.md says what the drug file says, and its tables are what the code computes."""

import re
from pathlib import Path

import numpy as np
import pytest

from ketune.pharmacology import concentration, effect, load_drug, make_exposure

PAGE = (Path(__file__).parents[2] / "docs" / "pharmacology.md").read_text(encoding="utf-8")
DRUG = load_drug()


def cells(line):
    return [cell.strip() for cell in line.strip("| \n").split("|")]


def table_after(heading):
    lines = PAGE[PAGE.index(heading) :].splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[first:]:
        if not line.startswith("|"):
            break
        rows.append(cells(line))
    return rows[0], rows[2:]


def test_effect_table_is_what_the_code_gives():
    _, rows = table_after("With the defaults (10 mg/ml")
    exposure = make_exposure(DRUG, "topical", "10 mg/ml")
    for minute, free, nmda, hcn, nav, kv, tonic, drive in rows:
        c = concentration(exposure, [300.0], [float(minute)])[0]
        e = effect(DRUG, c)
        shift, block = re.findall(r"[\d.]+", hcn)
        assert c[0] == pytest.approx(float(free), rel=0.03)
        assert e.hcn_shift_mV[0] == pytest.approx(float(shift), abs=0.051)
        printed = [float(x) for x in (nmda, block, nav, kv, tonic, drive)]
        got = [
            e.nmda_block[0],
            e.hcn_block[0],
            e.nav_block[0],
            e.kv_block[0],
            e.tonic_gaba_gain[0],
            e.pv_drive,
        ]
        np.testing.assert_allclose(got, printed, atol=0.0051)
