"""The page of `ketune reproduce`: complete, self-contained, and honest about what is not there."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from headless import CHROMIUM, needs_chromium
from report_reader import Page
from reproduction_example import reproduction, undecided
from scipy.stats import binomtest

from ketune import report
from ketune.errors import InputError
from ketune.report import _reproduce_figures as figures
from ketune.report._style import style
from ketune.reproduce import HYPOTHESES
from ketune.reproduce._document import read_document
from ketune.reproduce._listing import describe

NBSP = "\N{NO-BREAK SPACE}"
DASH = "−"


def page_of(document: dict[str, Any], folder: Path) -> Page:
    # As the page gets it: through JSON, so without NaN.
    written = json.loads(json.dumps(document, allow_nan=False))
    return Page(report.write_reproduction(written, folder / "page.html").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reproduction")


@pytest.fixture(scope="module")
def full() -> dict[str, Any]:
    return reproduction(smallest=("nmda+pv", "nmda+sst"), sufficient=("nmda+pv", "nmda+sst", "everything"))


@pytest.fixture(scope="module")
def page(full: dict[str, Any], folder: Path) -> Page:
    return page_of(full, folder)


@pytest.fixture(scope="module")
def negative(folder: Path) -> Page:
    document = reproduction(names=["nmda", "nmda+pv", "no-shift"], sufficient=(), smallest=(), draws=64)
    return page_of(document, folder)


def sentences(page: Page) -> list[str]:
    box = page.source[page.source.index('<div class="verdict') : page.source.index("</dl>")]
    return [
        " ".join(s.split()).replace(NBSP, " ").replace("&#39;", "'")
        for s in re.findall(r"<dd>(.*?)</dd>", box, re.S)
    ]


def rows_after(page: Page, heading: str) -> dict[str, str]:
    """Rows of the first table after a text, by name."""
    table = page.source[page.source.index(heading) :]
    table = table[: table.index("</table>")]
    rows = re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', table, re.S)
    return {name.split("<")[0]: re.sub(r"<[^>]*>", "|", cells).replace(NBSP, " ") for name, cells in rows}


# --- the file ---------------------------------------------------------------------------------------------------------


def test_reproduction_page_is_well_formed_and_needs_nothing_else(page: Page) -> None:
    assert page.source.startswith("<!doctype html>")
    assert page.unbalanced == []
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {h[1:] for h in page.attributes("a", "href") if h} <= set(ids)
    assert not {tag for tag, _ in page.tags} & {"link", "iframe", "object", "base"}
    assert page.attributes("script", "src") == [None, None]
    assert all(s and s.startswith("data:image/svg+xml;base64,") for s in page.attributes("img", "src"))
    assert "url(" not in page.source
    assert "@import" not in page.source
    assert not re.search(r'(?:src|href)="https?:', page.source)


def test_figures_say_what_they_show_and_turn_dark(page: Page) -> None:
    alts = page.attributes("img", "alt")
    captions = re.findall(r"<figcaption>.*?</figcaption>", page.source, flags=re.S)
    assert len(captions) == len(alts) > 6
    assert all(alt and len(alt) > 40 for alt in alts)
    assert all("n =" in caption for caption in captions)
    for source in page.attributes("img", "src"):
        assert source is not None
        drawn = base64.b64decode(source.partition(",")[2])
        ElementTree.fromstring(drawn)
        assert b"prefers-color-scheme: dark" in drawn
    assert "prefers-color-scheme: dark" in page.source


def test_first_screen_has_three_sentences_and_two_figures(page: Page) -> None:
    first = page.source[: page.source.index("<nav")]
    assert first.count("<dd>") == 3
    assert first.count("<img") == 2


# --- the answer -------------------------------------------------------------------------------------------------------


def test_answer_names_the_smallest_sets_and_their_share(page: Page, full: dict[str, Any]) -> None:
    what, how_much, trust = sentences(page)
    assert "“nmda+pv” (" in what
    assert "“nmda+sst” (" in what
    assert "everything" not in what
    assert "sufficient in this model family" in what
    for h in full["hypotheses"]:
        if h["name"] in ("nmda+pv", "nmda+sst"):
            assert f"{100 * h['prior_share_meeting_T5']:.0f} % (" in how_much
    assert "6 of 7 checks hold" in trust
    assert "fails: error of the response surface" in trust


def test_a_negative_answer_is_an_answer(negative: Page) -> None:
    what, how_much, trust = sentences(negative)
    assert what.startswith("Of 2 sets of actions examined, none is sufficient in this model family")
    assert "“nmda+pv” comes nearest and meets 3 of 4, but fails T2" in what
    assert "largest share" in how_much
    assert "spikes" in trust.partition("hold (")[2]


def test_spikes_that_say_otherwise_are_no_reason_for_trust(folder: Path) -> None:
    document = reproduction(names=["nmda", "nmda+pv", "gain-noise"], smallest=["nmda+pv"])
    document["hypotheses"][1]["second_morphology_together"] = False
    document["hypotheses"][1]["stable"]["T2"] = {"met": 3, "of": 5}
    document["hypotheses"][2]["held_out_together"] = True
    document["control_check"]["met"] = False
    document["control_check"]["rows"][0]["met"] = False
    found = page_of(document, folder)
    (_, _, trust), checks = sentences(found), rows_after(found, 'id="trust"')
    assert "2 of 7 checks hold (spikes and held-out populations)" in trust
    for name, why in {
        "second morphology": "does not find nmda+pv sufficient",
        "stability over population seeds": "T2 of nmda+pv",
        "controls that must fail": "gain-noise meets all targets together",
        "control tuning (T0)": "mean Gaussian SD",
    }.items():
        assert "does not hold" in checks[name]
        assert why in checks[name]


def test_without_any_draw_the_upper_end_is_said(folder: Path) -> None:
    document = reproduction(names=["nmda"], sufficient=(), smallest=(), draws=64)
    document["hypotheses"][0] |= {"prior_share_meeting_T5": 0.0, "prior_share_interval": [0.0, 0.0566]}
    _, how_much, _ = sentences(page_of(document, folder))
    assert "in none of 64 draws of “nmda”, at most 5.7 % by its 95 % interval" in how_much


def test_controls_alone_answer_nothing(folder: Path) -> None:
    document = reproduction(names=["no-shift"], sufficient=(), smallest=())
    assert sentences(page_of(document, folder))[0].startswith("Only controls were examined")
    assert any("Only controls were examined" in line for line in describe(document))


# --- numbers ----------------------------------------------------------------------------------------------------------


def test_every_number_of_the_verdicts_is_there(page: Page, full: dict[str, Any]) -> None:
    rows = rows_after(page, 'id="verdicts"')
    assert set(rows) == set(HYPOTHESES)

    def percent(x: float) -> str:
        return f"{100 * x:.0f}" if abs(x) >= 0.0995 or x == 0 else f"{100 * x:.1f}"

    for h in full["hypotheses"]:
        row = rows[h["name"]].replace(DASH, "-")
        for target, verdict in h["targets"].items():
            value, interval = verdict["value"], verdict["interval"]
            if target == "T5":
                assert f"{value:.0f} of 4" in row
                continue
            fraction = target in ("T1", "T2")
            assert (f"{percent(value)} %" if fraction else f"×{value:.2f}") in row
            low, high = (percent(x) if fraction else f"{x:.2f}" for x in interval)
            assert f"({low} to {high}{' %' if fraction else ''})" in row
        words = [w for w in map(str.strip, row.split("|")) if w in ("met", "not met", "undecided")]
        assert words == ["met" if v["met"] else "not met" for v in h["targets"].values()]


def test_state_is_said_by_word_and_whose_range_it_is(folder: Path) -> None:
    document = reproduction(names=["nmda", "nmda+pv"])
    document["hypotheses"][0]["targets"]["T4"] = undecided("T4")
    document["hypotheses"][0]["targets"]["T1"]["window_is_ours"] = False
    rows = rows_after(page_of(document, folder), 'id="verdicts"')
    assert "undecided" in rows["nmda"]
    assert "not available" in rows["nmda"]
    assert rows["nmda"].count("range") == sum(
        t in ("T1", "T2", "T3a", "T3b") for t in document["hypotheses"][0]["targets"]
    )
    assert "in a source’s range" in rows["nmda"]
    assert rows["nmda"].count("our margin decides") == 1
    assert "in our range" in rows["nmda+pv"]


def test_margins_shares_and_parameters_are_there(page: Page, full: dict[str, Any]) -> None:
    margins = rows_after(page, "T4 by several margins")
    assert all(f"{low:g} to {high:g}" in page.text for low, high in ((0.8, 1.25), (0.9, 1.11), (0.5, 2)))
    shares = rows_after(page, 'id="prior"')
    for h in full["hypotheses"]:
        words = [w for w in map(str.strip, margins[h["name"]].split("|")) if w in ("met", "not met")]
        assert words == ["met" if m["met"] else "not met" for m in h["spontaneous_margins"]]
        k = round(h["prior_share_by_target"]["T2"] * 256)
        ci = binomtest(k, 256).proportion_ci(0.95, method="wilson")
        assert f"{100 * ci.high:.0f} %" in shares[h["name"]]
        for p in h["parameters"].values():
            shown = f"{float(format(p['value'], '.3g')):g}"
            assert shown in page.text
    flagged = sum(p["at_bound"] for h in full["hypotheses"] for p in h["parameters"].values())
    assert page.source.count('<span class="flag">at the end of its range</span>') == flagged > 0


def test_what_the_prior_leaves_of_the_response_is_there(page: Page, full: dict[str, Any]) -> None:
    shares = rows_after(page, 'id="prior"')
    assert all(shares[h["name"]].rstrip("| ").endswith("46 % (12 to 79 %)") for h in full["hypotheses"])


def test_predictions_experiments_and_checks_are_there(page: Page, full: dict[str, Any]) -> None:
    for text in (
        "0.18 (0.13 to 0.23)",
        "at most 0.25",
        "6.73° (6.68 to 6.78)",
        "15.4°",
        "reported 14.6 deg (B1)",
        "3.71 %",
        "11.7 %",
        "98 further points were left out",
        "predicted over simulated: ×1.19",
        "no verdict",
        "Of the 19 neurons",
        "seeds 1 (fitted); held out: 2, 3, 4 and 5; simulated with spikes: 2",
        "ketune reproduce -o verdicts --seed 1",
        "drive by the network",
        *full["evidence"]["windows_of_ours"],
    ):
        assert text in page.text, text
    for e in full["experiments"]:
        for p in e["predicted"]:
            width = p["interval"][1] - p["interval"][0]
            assert f"{p['value']:.{1 if width > 1 else 2}f}" in page.text
    assert "Not all of them are sufficient" in page.text


def test_rows_of_predictions_say_n_and_whose_range(folder: Path) -> None:
    document = reproduction(names=["nmda+pv"])
    document["predictions"][1]["rows"][0] |= {"n": 46, "settled": False, "ours": None, "note": "at 30 deg"}
    document["predictions"][1]["rows"][1] |= {"ours": False}
    rows = rows_after(page_of(document, folder), ">T8: ")
    row = rows["response under NMDA block over control"]
    assert "|46|" in row
    assert "reaches an end" in row
    assert "ours" not in row
    assert "a source’s" in rows["response under AMPA block over control"]


def test_the_page_never_claims_more_than_sufficiency(page: Page, negative: Page) -> None:
    for found in (page, negative):
        assert not re.search(r"\b(explain|proves?\b|proven\b|proof)", found.text.lower())
        assert "sufficient in this model family" in found.text


# --- every neuron -----------------------------------------------------------------------------------------------------


def neurons_of(page: Page) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page.source, re.S)
    assert found is not None
    return dict(json.loads(found[1]))


def test_the_one_script_is_the_one_that_the_policy_names(page: Page) -> None:
    (script,) = re.findall(r"<script>(.*?)</script>", page.source, re.S)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page.source


def test_every_simulated_neuron_has_a_row_under_every_hypothesis(page: Page, full: dict[str, Any]) -> None:
    data = neurons_of(page)
    columns = {c["key"]: v for c, v in zip(data["columns"], data["values"], strict=True)}
    simulated = [h for h in full["hypotheses"] if h["shifts"] is not None]
    n = full["neurons"]
    assert columns["hypothesis"] == [h["name"] for h in simulated for _ in range(n)]
    for key in simulated[0]["shifts"]:
        expected = [x for h in simulated for x in h["shifts"][key]]
        assert [x is None for x in columns[key]] == [x is None for x in expected]
        assert [x for x in columns[key] if x is not None] == pytest.approx(
            [x for x in expected if x is not None], rel=6e-4, abs=1e-12
        )
    # A neuron's name is no part of another's, because the reader finds its rows by it.
    names = set(columns["neuron"])
    assert len(names) == n
    assert not any(a != b and a in b for a in names for b in names)


def test_nothing_simulated_leaves_no_table_and_no_script(folder: Path) -> None:
    document = reproduction(names=["nmda", "no-shift"], sufficient=(), smallest=())
    for h in document["hypotheses"]:
        h["shifts"] = None
    found = page_of(document, folder)
    assert "<script" not in found.source
    assert "script-src" not in found.source


@needs_chromium
@pytest.mark.parametrize("width", [1440, 390])
def test_a_neuron_leads_to_its_rows_under_every_hypothesis(
    page: Page, full: dict[str, Any], folder: Path, width: int
) -> None:
    sync_api = pytest.importorskip("playwright.sync_api")
    path = folder / f"read-{width}.html"
    path.write_text(page.source, encoding="utf-8")
    simulated = [h["name"] for h in full["hypotheses"] if h["shifts"] is not None]
    said: list[str] = []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = browser.new_context(viewport={"width": width, "height": 900}, offline=True).new_page()
        tab.on("console", lambda message: said.append(message.text))
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.goto(path.as_uri())
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        hypotheses = tab.locator("table.rows tbody td:nth-child(2)")
        for _ in range(2):  # again, after other words: the address stays as it is
            link = tab.locator("table.rows tbody a", has_text="neuron 02").first
            link.click()
            # A function to wait for would be evaluated again and again, which the page's policy forbids.
            sync_api.expect(tab.locator("#text")).to_have_value("neuron 02")
            assert hypotheses.all_inner_texts() == simulated
            tab.locator("#text").fill("")
        tab.locator("#choice").select_option(simulated[1])
        assert set(hypotheses.all_inner_texts()) == {simulated[1]}
        tab.goto(f"{path.as_uri()}#rows=neuron+03")
        tab.reload()
        assert hypotheses.all_inner_texts() == simulated
        browser.close()
    assert said == []


# --- what may be missing, and what may be wrong -----------------------------------------------------------------------


def test_parts_that_may_be_missing(folder: Path) -> None:
    document = reproduction(names=["nmda+pv", "no-shift"], neurons=6, sufficient=(), smallest=(), draws=16)
    document |= {
        "second_morphology": None, "emulator": None, "conflict": None, "control_check": None, "experiments": [],
        "spiking_seed": None, "seconds": None, "cell": None,
    }  # fmt: skip
    document["evidence"] = {"windows_of_ours": []}
    del document["predictions"]
    first, broadened = document["hypotheses"]
    first["shifts"] = {key: [None] * 6 for key in first["shifts"]}
    for h in (first, broadened):
        h |= {"second_morphology_together": None, "second_morphology_targets": None, "stable": None}
        h["prior_share_interval"] = None
        for v in h["targets"].values():
            v |= {
                "value": None,
                "interval": None if v["interval"] is None else [None, None],
                "numbers": {"n": None},
            }
    found = page_of(document, folder)
    shown = found.text + " ".join(str(a) for a in found.attributes("img", "alt"))
    assert found.unbalanced == []
    assert not re.search(r"\b(nan|NaN|None|inf|Undefined)\b", shown)
    assert shown.count("not available") > 10
    assert "not run: second morphology, stability over population seeds" in sentences(found)[2]
    assert found.text.count("Not looked at in this run.") == 3
    assert "No experiment is proposed" in found.text
    assert len(list(describe(document))) > 5


def test_a_users_words_stay_words(folder: Path) -> None:
    bad = "<script>alert(1)</script> $x_{$"
    document = reproduction(names=["nmda+pv"])
    document["command"] = document["evidence"]["windows_of_ours"][0] = bad
    document["conflict"]["what"] = document["predictions"][0]["statement"] = bad
    document["hypotheses"][0] |= {"name": bad, "words": bad}
    document["smallest_sufficient"] = [bad]
    found = page_of(document, folder)
    assert bad not in found.source
    assert found.source.count("<script>") == 1
    assert bad in found.text
    assert bad in "\n".join(describe(document))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"format": "ketune-fit/1"}, r"format is 'ketune-fit/1', this ketune reads 'ketune-reproduce/1'"),
        ({"neurons": "many"}, r"neurons: .*'many'; make them again"),
        ({"hypotheses": []}, r"hypotheses: none is there"),
        ({"smallest_sufficient": ["aspirin"]}, r"'aspirin' is not among the hypotheses"),
        ({"conflict": {"disparity_deg": [1.0], "moved_deg": [], "what": "tuft"}}, r"columns of different lengths"),
    ],
)  # fmt: skip
def test_another_document_is_refused_in_one_line(
    change: dict[str, Any], complaint: str, tmp_path: Path
) -> None:
    document = {**reproduction(names=["nmda+pv"]), **change}
    with pytest.raises(InputError, match=complaint) as caught:
        report.write_reproduction(document, tmp_path / "page.html")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "page.html").exists()
    with pytest.raises(InputError, match=complaint):
        list(describe(document))


def test_a_page_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        report.write_reproduction(
            reproduction(names=["no-shift"], smallest=()), tmp_path / "no" / "page.html"
        )


# --- the terminal -----------------------------------------------------------------------------------------------------


def test_listing_has_a_line_for_each_hypothesis(full: dict[str, Any]) -> None:
    lines = list(describe(full))
    assert all(len(line) <= 110 for line in lines)
    for h in full["hypotheses"]:
        (line,) = (x for x in lines if x.split(" ")[0] == h["name"])
        marks = re.findall(r"(?<= )[+\-?](?= )", line)
        assert marks[:6] == ["+" if v["met"] else "-" for v in h["targets"].values()]
        share = 100 * h["prior_share_meeting_T5"]
        assert (f"{share:.1f} %" if 0 < share < 10 else f"{share:.0f} %") in line
    text = "\n".join(lines)
    assert "Sufficient in this model family" in text
    assert re.search(r"T8 +not met +NMDA block leaves 18 %", text)
    assert re.search(r"T11 +open", text)
    assert "2. topical ketamine: 2 deg if nmda" in text


def test_listing_says_that_nothing_is_sufficient() -> None:
    document = reproduction(names=["nmda", "nmda+pv"], sufficient=(), smallest=())
    document["hypotheses"][0]["targets"]["T2"] = undecided("T2")
    lines = list(describe(document))
    text = " ".join(lines)
    assert "Nothing that was examined is sufficient in this model family" in text
    assert "Nearest: nmda+pv, fails T2" in text
    assert any(re.match(r"nmda +\+ +\? ", line) for line in lines)


def test_a_long_name_of_what_was_lost_stays_within_its_figure() -> None:
    run = read_document(reproduction())
    assert run.conflict is not None
    what = (
        "strongest basal and strongest apical dendrite removed, whichever changes more of them all together"
    )
    with style():
        picture = figures.conflict_picture(run, run.conflict.model_copy(update={"what": what}))
        legend = picture.figure.axes[0].get_legend()
        assert legend is not None
        picture.figure.draw_without_rendering()
        assert legend.get_window_extent().x1 <= picture.figure.bbox.x1
