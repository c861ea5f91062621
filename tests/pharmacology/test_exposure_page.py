"""The tables of docs/exposure.md are what the code computes."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ketune.pharmacology import concentration, load_drug, make_exposure
from ketune.workflow import run_exposure

PAGE = (Path(__file__).parents[2] / "docs" / "exposure.md").read_text(encoding="utf-8")
DRUG = load_drug()
PAPER = make_exposure(DRUG, "topical", "10 mg/ml")


def table_after(text):
    """Head and rows of the first table after a text, as lists of cells."""
    lines = PAGE[PAGE.index(text) :].splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[first:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("| ").split("|")])
    return rows[0], rows[2:]


def number(text):
    return float(re.findall(r"[\d.]+", text)[0])


def agrees(got, printed):
    """To the last printed digit."""
    digits = len(printed.partition(".")[2])
    assert got == pytest.approx(float(printed), rel=4e-3, abs=0.6 * 10.0**-digits), (got, printed)


def test_below_the_middle():
    head, rows = table_after("Free drug in µM below the middle")
    minutes = [number(h) for h in head[1:]]
    for depth, *printed in rows:
        got = concentration(PAPER, [number(depth)], minutes, -PAPER.radius_um)[:, 0]
        for value, text in zip(got, printed, strict=True):
            agrees(value, text)


def test_beside_the_paper_and_how_wrong_the_old_law_was():
    _, rows = table_after("Before this page existed")
    length, flat = PAPER.medium.length_um, replace(PAPER, radius_um=np.inf)
    for where, *printed in rows:
        x = -PAPER.radius_um if where == "middle" else float(where.split()[0].replace("−", "-"))
        cases = [(z, t) for z in (100.0, 300.0, 600.0) for t in (10.0, 30.0, 60.0)]
        for (z, t), text in zip(cases, printed, strict=True):
            value, ratio = re.findall(r"[\d.]+", text)
            got = concentration(PAPER, [z], [t], x)[0, 0]
            old = concentration(flat, [z], [t])[0, 0] * np.exp(-max(x, 0.0) / length)
            agrees(got, value)
            assert old / got == pytest.approx(float(ratio), rel=0.06)


def test_injections():
    head, rows = table_after("| i.p. |")
    for dose, *printed in rows:
        got = concentration(make_exposure(DRUG, "ip", dose), [300.0], [number(h) for h in head[1:]])[:, 0]
        for value, text in zip(got, printed, strict=True):
            agrees(value, text.split()[0])


def test_pipettes():
    _, rows = table_after("Free drug in µM at the tip's depth")
    current = make_exposure(DRUG, "focal-iontophoresis", "40 nA", overrides={"focal.duration": 60.0})
    puff = make_exposure(DRUG, "focal-pressure", "10 mM")
    for where, *printed in rows:
        got = [
            *concentration(current, [300.0], [1.0, 5.0, 10.0, 60.0], number(where))[:, 0],
            *concentration(puff, [300.0], [1.0, 5.0, 10.0, 30.0], number(where))[:, 0],
        ]
        for value, text in zip(got, printed, strict=True):
            agrees(value, text)


def test_routes_at_equal_effect():
    head, rows = table_after("| NMDA block | 0 µm")
    depths = [number(h) for h in head[1:]]
    result = run_exposure(route="topical", dose="0.5 mg/ml", at=["30 min"], compare=True)
    assert [row[0] for row in rows] == [entry["route"] for entry in result["routes"]]
    assert list(result["depth_um"]) == depths
    for row, entry in zip(rows, result["routes"], strict=True):
        np.testing.assert_allclose(
            entry["effects"]["nmda_block"][0], [float(x) for x in row[1:]], atol=0.0051
        )
    assert "0.27 nA" in PAGE
    assert "87 mg/kg" in PAGE
    assert [float(e["dose"].split()[0]) for e in result["routes"][1:]] == pytest.approx(
        [0.271, 87.1], rel=5e-3
    )
