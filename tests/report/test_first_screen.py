"""The first screen of a fit, where numbers come from, and how to make them again."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from report_example import apply_document, fit_document, write_example
from report_reader import Page, write_page

from ketune.storage import write_json

QUESTIONS = ["Does it fit?", "What changed under ketamine?", "Can it be trusted?"]


def cards(page: Page) -> list[tuple[str, str]]:
    """Question and answer of every card, as text."""
    found = re.findall(r"<article[^>]*>\s*<h3>(.*?)</h3>\s*<p>(.*?)</p>", page.source, re.S)
    return [tuple(" ".join(re.sub(r"<[^>]+>", " ", part).split()) for part in pair) for pair in found]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Page:
    folder = tmp_path_factory.mktemp("first-screen")
    return write_page([write_example(folder / "fit", name="SYNTHETIC")], folder)


def test_one_fit_begins_with_three_questions_and_three_figures(alone: Page) -> None:
    asked = [question.lstrip("✓✗? ") for question, _ in cards(alone)]
    assert asked == QUESTIONS
    first = alone.source[: alone.source.index(">In words<")]
    assert len(re.findall(r"<figure", first)) == 3
    assert ">Overview<" not in first


def test_several_fits_begin_with_the_overview(page: Page) -> None:
    assert page.source.index(">Overview<") < page.source.index("Does it fit?")


def test_answers_hold_what_the_documents_say(tmp_path: Path) -> None:
    applied = apply_document()
    for change in applied["changes"]:
        change |= {"determined": change["quantity"] == "gosi", "best": 0.71, "low": 0.62, "high": 0.79}
    write_json(tmp_path / "fit.json", fit_document(), "ketune-fit/1")
    write_json(tmp_path / "apply-ketamine-topical.json", applied, "ketune-apply/1")
    (_, fits), (_, changed), (_, trusted) = cards(write_page([tmp_path], tmp_path))
    check = fit_document()["check"]
    assert f"{check['correlation']:.2f}"[:4] in fits
    assert "gOSI) fell to 0.71 of its value (0.62 to 0.79)" in changed.replace("\N{NO-BREAK SPACE}", " ")
    assert "the recording leaves open what happens to" in changed
    n = sum(change["best"] is not None for change in applied["changes"])
    assert f"agree on 1 of {n} changes" in trusted.replace("\N{NO-BREAK SPACE}", " ")


def test_a_fit_that_may_not_be_used_is_not_to_be_trusted(tmp_path: Path) -> None:
    directory = write_example(tmp_path / "fit", status="out_of_reach")
    (fits, why), _, (_, trusted) = cards(write_page([directory], tmp_path))
    assert fits.startswith("✗")
    assert why.startswith("No.")
    assert trusted.startswith("No. The fit may not be used, so this is an illustration")


@pytest.mark.parametrize(
    ("identical", "cautions", "begins"),
    [
        (True, ["nmda.hill = 1 (assumed)"], "? As far as the drug’s numbers are right: all"),
        (True, [], "✓ Yes: all"),
        (False, [], "✗ No: all"),
    ],
)
def test_what_may_be_trusted_where_all_kept_sets_agree(
    tmp_path: Path, identical: bool, cautions: list[str], begins: str
) -> None:
    fit, applied = fit_document(), apply_document()
    for change in applied["changes"]:
        change["determined"] = True
    applied["cautions"] = [*cautions, "a gap: nobody measured it"]
    applied["replay"]["identical"] = identical
    write_json(tmp_path / "fit.json", fit, "ketune-fit/1")
    write_json(tmp_path / "apply-ketamine-topical.json", applied, "ketune-apply/1")
    *_, (question, trusted) = cards(write_page([tmp_path], tmp_path))
    assert f"{question[0]} {trusted}".startswith(begins)
    assert ("1 number of the drug model is a placeholder or an assumption" in trusted) == bool(cautions)


def test_without_a_drug_the_variability_is_asked_for(tmp_path: Path) -> None:
    page = write_page([write_example(tmp_path / "fit", drug=False)], tmp_path)
    (_, _), (varies, text), (_, trusted) = cards(page)
    assert "Does it vary as recorded?" in varies
    assert "No drug was applied to this fit." in text
    assert "drug model" not in trusted


@pytest.mark.parametrize(
    ("split", "replayed", "begins"),
    [
        ("half", True, "Yes: "),
        ("half", None, "In part: "),
        ("all", True, "In part. No trial was kept for a check: "),
        ("half", False, "No: "),
    ],
)
def test_a_fit_without_a_drug_needs_held_out_trials_and_a_replay(
    tmp_path: Path, split: str, replayed: bool | None, begins: str
) -> None:
    fit = fit_document()
    fit["recording"]["split"] = split
    fit["replay"] = None if replayed is None else fit["replay"] | {"identical": replayed}
    write_json(tmp_path / "fit.json", fit, "ketune-fit/1")
    *_, (_, trusted) = cards(write_page([tmp_path], tmp_path))
    assert trusted.startswith(begins)
    # A drug does not make it any surer.
    applied = apply_document() | {"cautions": []}
    applied["replay"] = None
    for change in applied["changes"]:
        change["determined"] = True
    write_json(tmp_path / "apply-ketamine-topical.json", applied, "ketune-apply/1")
    *_, (_, dosed) = cards(write_page([tmp_path], tmp_path))
    assert dosed.startswith(begins)


def test_every_figure_table_and_sentence_says_where_its_numbers_come_from(alone: Page) -> None:
    parts = re.findall(r"<figcaption>.*?</figcaption>", alone.source, re.S)
    # Settings and provenance are lists of names, not of results; the table of drug numbers has a column for it.
    parts += re.findall(r"<caption>.*?</caption>", alone.source, re.S)
    parts += re.findall(r"<article.*?</p>", alone.source, re.S)
    parts += re.findall(r"<dd>.*?</dd>", alone.source[: alone.source.index("Recording and fit")], re.S)
    assert len(parts) > 25
    for part in parts:
        assert 'class="origin' in part, part
    numbers = alone.source[alone.source.index('id="drug-numbers"') :]
    rows = re.findall(r"<tr><th scope=\"row\">.*?</tr>", numbers[: numbers.index("</section>")], re.S)
    assert len(rows) > 30
    for row in rows:
        kind = "assumption" if "assumed" in re.findall(r"<td>(.*?)</td>", row)[3] else "literature"
        assert f'class="origin {kind}"' in row, row


def test_the_commands_are_on_the_page(alone: Page) -> None:
    again = alone.source[alone.source.index("How to make it again") :]
    assert "<pre><code>ketune fit synthetic.csv -o synthetic" in again[: again.index("</pre>")]


def test_what_was_made_from_python_is_no_command_to_type(tmp_path: Path) -> None:
    fit, applied = fit_document(), apply_document()
    fit["provenance"]["command"] = "ipykernel_launcher.py -f kernel.json"
    write_json(tmp_path / "fit.json", fit, "ketune-fit/1")
    text = write_page([tmp_path], tmp_path).text
    assert (
        "It was made from Python, by ipykernel_launcher.py -f kernel.json : fit_recording and apply_drug"
        in text
    )
    assert "These commands" not in text
    applied["provenance"]["command"] = "ketune apply cell7 --dose 5uM"
    write_json(tmp_path / "apply-ketamine-bath.json", applied, "ketune-apply/1")
    page = write_page([tmp_path], tmp_path)
    assert "<pre><code>ketune apply cell7 --dose 5uM</code></pre>" in page.source
    assert "Some of it was made from Python" in page.text


def test_a_job_of_a_batch_says_how_to_run_it_again(tmp_path: Path) -> None:
    directory = write_example(tmp_path / "cell7-small-seed-1-0123", drug=False)
    (directory / "job.json").write_text("{}")
    again = write_page([directory], tmp_path).source
    assert "<pre><code>ketune rerun jobs/cell7-small-seed-1-0123</code></pre>" in again


def test_a_number_set_by_hand_is_an_assumption_and_an_own_measurement_is_data(tmp_path: Path) -> None:
    applied = apply_document()
    measured, chosen, *_ = applied["exposure"]["parameters"]
    applied["exposure"]["parameters"][measured] |= {"confidence": ["derived"], "source": "fit to mine.csv"}
    applied["choices"] = applied.get("choices", {}) | {"set": {chosen: 2.0}}
    applied["assay"] = [{"text": "IC50 of mine", "source": "mine.csv"}]
    write_json(tmp_path / "fit.json", fit_document(), "ketune-fit/1")
    write_json(tmp_path / "apply-ketamine-topical.json", applied, "ketune-apply/1")
    source = write_page([tmp_path], tmp_path).source
    numbers = source[source.index('id="drug-numbers"') :]
    for name, kind in ((measured, "data"), (chosen, "assumption")):
        row = re.search(rf"<tr><th scope=\"row\"><code>{re.escape(name)}</code>.*?</tr>", numbers)
        assert row is not None
        assert f'class="origin {kind}"' in row[0]


def test_kept_sets_that_turn_both_ways_agree_on_no_side(tmp_path: Path) -> None:
    applied = apply_document()
    for change in applied["changes"]:
        change["determined"] = True
        if change["quantity"] == "preferred_deg":
            change |= {"best": 20.0, "low": -20.0, "high": 21.0, "found": "shift"}
    write_json(tmp_path / "fit.json", fit_document(), "ketune-fit/1")
    write_json(tmp_path / "apply-ketamine-topical.json", applied, "ketune-apply/1")
    text = write_page([tmp_path], tmp_path).text
    assert "moved, but to either side" in text
    assert "They agree that each change above is one, but not on the side." in text


def test_dark_screens_get_dark_figures_but_colour_maps_stay_on_white(alone: Page) -> None:
    from base64 import b64decode

    dark = [
        b"prefers-color-scheme: dark" in b64decode(str(uri).partition(",")[2])
        for uri in alone.attributes("img", "src")
    ]
    alts = [str(alt) for alt in alone.attributes("img", "alt")]
    on_white = [alt for alt, adapts in zip(alts, dark, strict=True) if not adapts]
    assert len(on_white) == 3
    assert all("coloured by NMDA block" in alt or "time and depth" in alt for alt in on_white)
    assert "color-scheme: light dark" in alone.source


@pytest.mark.parametrize(("low", "high"), [(0.17, 2.9), (0.95, 1.06), (0.001, 3.0), (0.6, 90.0)])
def test_ticks_of_ratios_do_not_meet(low: float, high: float) -> None:
    from ketune.report._drug_figures import _apart

    ticks = sorted(_apart(low, high))
    assert 1.0 in ticks
    assert all(low <= tick <= high for tick in ticks)
    gaps = [np.log(b / a) / np.log(high / low) for a, b in pairwise(ticks)]
    assert all(gap > 0.1 for gap in gaps)


def test_places_in_figures_have_two_decimals_and_letters_keep_their_scale(alone: Page) -> None:
    from base64 import b64decode

    drawn = [b64decode(str(uri).partition(",")[2]).decode() for uri in alone.attributes("img", "src")]
    places = [place for svg in drawn for place in re.findall(r'\b(?:d|x|y)="([^"]*)"', svg)]
    assert len(places) > 1000
    assert not any(re.search(r"\.\d{3}", place) for place in places)
    assert any(re.search(r"scale\(0\.\d{4,}", svg) for svg in drawn)
