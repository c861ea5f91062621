"""What Jupyter shows of the objects that a user holds."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from report_reader import Page

from ketune import report, tuning
from ketune.cell import Cell
from ketune.pharmacology import load_drug

HOSTILE = "<script>alert(1)</script> $x_{$"


def shown(thing: object) -> Page:
    page = Page(thing._repr_html_())  # type: ignore[attr-defined]
    assert page.unbalanced == []
    assert not {tag for tag, _ in page.tags} & {"script", "link", "iframe", "style", "object"}
    assert all(name in ("alt", "class", "scope", "src", "style") for _, given in page.tags for name in given)
    assert all(
        str(address).startswith("data:image/svg+xml;base64,") for address in page.attributes("img", "src")
    )
    assert all(page.attributes("img", "alt"))
    return page


def drawing(page: Page) -> str:
    (address,) = page.attributes("img", "src")
    text = base64.b64decode(str(address).partition(",")[2]).decode("utf-8")
    names = {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(text).iter()}
    assert "path" in names
    assert "script" not in names
    return text


def test_a_recording_shows_its_trials_and_the_tuning_of_each_condition() -> None:
    recording = tuning.shipped_recording("example")
    page = shown(recording)
    drawing(page)
    assert recording.name in page.text
    assert recording.sha256 in page.text
    assert "186, some of them blank" in page.text
    for condition in recording.conditions():
        summary = tuning.summarise_recording(recording, condition)
        assert f"{condition} {summary.orientation_deg.size} " in page.text
        assert f"{summary.preferred_deg:.1f} ± {summary.fit.preferred_se_deg:.1f}°" in page.text
        assert f"{summary.peak_rate_hz:.1f} Hz" in page.text


def test_a_hostile_name_is_text() -> None:
    recording = replace(tuning.shipped_recording("example"), name=HOSTILE, source="<b>&amp;</b>")
    page = shown(recording)
    assert f"Recording {HOSTILE}" in page.text
    assert "<b>&amp;</b>" in page.text
    assert HOSTILE in str(page.attributes("img", "alt")[0])
    control = recording.condition == "control"
    drawing(shown(replace(recording, condition=np.where(control, HOSTILE, "control"))))


def test_drift_directions_and_lone_orientations_are_shown_too() -> None:
    one = tuning.shipped_recording("example")
    turned = np.where(one.trial % 2 == 0, one.orientation_deg, one.orientation_deg + 180)
    assert "need fold()" in shown(replace(one, orientation_deg=turned)).text
    lone = replace(one, orientation_deg=np.where(np.isnan(one.orientation_deg), np.nan, 45.0))
    assert "control 1" in shown(lone).text
    assert "not available" in shown(lone).text
    drawing(shown(replace(one, orientation_deg=np.full_like(one.orientation_deg, np.nan))))


def test_a_cell_shows_its_compartments_and_synapses(tiny_cell: Cell) -> None:
    page = shown(tiny_cell)
    drawing(page)
    assert f"compartments {tiny_cell.table.n} (" in page.text
    synapses = [p for p in tiny_cell.placements if p.mechanism.kind == "point"]
    assert f"point processes {sum(len(p.compartments) for p in synapses)} " in page.text
    for placement in synapses:
        assert (
            f"{placement.label} {placement.mechanism.name} point process {len(placement.compartments)}"
            in page.text
        )
    shown(replace(tiny_cell, name=HOSTILE))


@pytest.mark.parametrize("name", ["ketamine", "mk801"])
def test_a_drug_shows_every_number_with_its_source(name: str) -> None:
    drug = load_drug(name)
    page = shown(drug)
    for key, quantity in drug.parameters.items():
        assert f"{key} {quantity.value:.6g}".replace("-", "−") in page.text
        assert " ".join(quantity.source.split()) in page.text
    rows = [row for row in page.source.split("<tr>") if row.count("<td") == 8]
    assert len(rows) == len(drug.parameters)
    assumed = [row for row in rows if ">yes</td>" in row]
    assert len(assumed) == len(drug.assumptions()) > 0
    for gap in drug.gaps:
        assert " ".join(gap.split()) in page.text


def test_a_fit_shows_its_parameters_and_whether_it_may_be_used(examples: list[Path]) -> None:
    good, bad, plain = map(report.open_fit, examples)
    page = shown(good)
    drawing(page)
    assert "may be used yes" in page.text
    assert "applied drugs ketamine, topical, 10 mg/ml" in page.text
    for name, parameter in good.fit.parameters.items():
        assert f"{name} " in page.text
        assert parameter.meaning in page.text
    assert "6.10 ± 0.80 Hz" in page.text
    page = shown(bad)
    drawing(page)
    assert "<script>alert(1)</script>" in page.text
    assert "may be used no" in page.text
    assert "out of reach: no parameter set within the bounds reaches 106 Hz" in page.text
    assert "applied drugs none" in shown(plain).text


def test_an_application_shows_its_changes_and_cautions(examples: list[Path]) -> None:
    (application,) = report.open_fit(examples[0]).applications
    page = shown(application)
    drawing(page)
    assert "preferred orientation +8.0° +1.2 to +13° yes" in page.text
    assert "Fano factor ×0.74 ×0.68 to ×0.83 yes" in page.text
    assert application.cautions
    for caution in application.cautions:
        assert " ".join(caution.split()) in page.text
