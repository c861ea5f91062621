"""The page of a batch: its rows, its words, and its table in a real browser."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from batch_example import HOSTILE, status_of, table_of
from headless import CHROMIUM, needs_chromium
from reproduction_example import reproduction

from ketune import report
from ketune.report import _batch_figures as figures
from ketune.report._batch_rows import paired
from ketune.report._batch_rows import table_of as table_of_rows
from ketune.report._style import figure

TABLE = table_of()


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    links = {job: f"jobs/{job}/report.html" for job in TABLE["job"].unique()}
    return report.write_batch(status_of(), TABLE, links, tmp_path_factory.mktemp("batch") / "report.html")


def test_a_row_has_its_own_applications_control_beside_it():
    rows = paired(TABLE)
    assert len(rows) == 249 * 2 + 1
    one = rows[(rows["job"] == f"{7:012x}") & (rows["time_min"] == 30)].iloc[0]
    source = TABLE[TABLE["job"] == f"{7:012x}"].set_index("condition")
    assert one["gosi"] == source.loc["before", "gosi"]
    assert one["gosi_during"] == source.loc["30 min", "gosi"]
    assert one["shift_deg"] == source.loc["30 min", "shift_deg"]
    assert one["nmda_block"] == pytest.approx(0.85)
    alone = rows[rows["job"] == f"{249:012x}"].iloc[0]
    assert (
        alone["gosi"] == TABLE[(TABLE["job"] == alone["job"])].set_index("condition").loc["control", "gosi"]
    )
    assert np.isnan(float(alone.fillna(np.nan)["gosi_during"]))


def test_it_says_how_far_the_batch_is_and_what_failed(page):
    text = page.read_text()
    assert "Batch made up: 250 of 253 jobs done" in text
    assert "1 failed, 1 running, 1 missing" in text
    assert "this page shows what is finished" in text
    assert "took longer than 90 s" in text
    # Of the fits with a drug those that converged, at the look with most block; and their medians.
    assert "topical: ketamine after 30 min" in text
    used = TABLE[(TABLE["time_min"] == 30) & (TABLE["status"] == "converged")]
    assert f"{len(used)} converged fits of {len(used)} recordings" in text
    low, middle, high = np.quantile(used["gosi"].to_numpy(float), (0.25, 0.5, 0.75))
    assert f"{middle:.3g} ({low:.3g} to {high:.3g})" in text


def test_names_of_users_are_text(page):
    text = page.read_text()
    assert HOSTILE not in text
    assert text.count("<script>") == 1


def test_nothing_finished_is_a_page_too(tmp_path):
    status = status_of(0)
    text = report.write_batch(status, None, {}, tmp_path / "report.html").read_text()
    assert "0 of 3 jobs done" in text
    assert "took longer than 90 s" in text


def test_verdicts_of_a_population_fit_are_those_of_its_own_page(tmp_path):
    document = reproduction()
    population = report.Population(document, "../verdicts/report.html")
    text = report.write_batch(
        status_of(), TABLE, {j: j for j in TABLE["job"]}, tmp_path / "b.html", population
    ).read_text()
    own = report.write_reproduction(document, tmp_path / "own.html").read_text()

    def rows(page: str) -> list[str]:
        section = page[page.index('<section id="verdicts">') :]
        return re.findall(r"<tr>.*?</tr>", section[: section.index("</section>")], re.S)

    assert len(rows(text)) == 2 * (1 + len(document["hypotheses"]))
    assert rows(text) == rows(own)[: len(rows(text))]
    assert 'href="../verdicts/report.html"' in text
    assert "These are other neurons than the fits of this batch." in text
    assert "Population fit" not in report.write_batch(status_of(0), None, {}, tmp_path / "c.html").read_text()


def test_seeds_are_whole_however_long():
    rows = paired(TABLE.assign(seed=4294967295))
    data = table_of_rows(rows, {job: job for job in rows["job"]}, ["converged"]).data
    at = [c["key"] for c in data["columns"]].index("seed")
    assert set(data["values"][at]) == {"4294967295"}


def test_figures_take_axes_and_return_them():
    axes = figure().subplots()
    x = np.array([1.0, 2.0, np.nan])
    assert figures.paired_values(axes, x, x + 1, "peak rate (Hz)", "ketamine") is axes
    assert axes.collections[0].get_offsets().tolist() == [[1, 2], [2, 3]]
    assert axes.get_xlabel() == "peak rate (Hz), before"
    axes = figure().subplots()
    assert figures.shifts(axes, np.array([-90.0, 3.0, 4.0, np.nan]), "ketamine") is axes
    assert sum(patch.get_height() for patch in axes.patches) == 3


@needs_chromium
@pytest.mark.parametrize("width", [1440, 390])
def test_it_sorts_and_filters_by_keyboard_without_network(page, width):
    sync_api = pytest.importorskip("playwright.sync_api")
    said: list[str] = []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": width, "height": 900}, offline=True)
        tab = context.new_page()
        tab.on("console", lambda message: said.append(message.text))
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.goto(page.as_uri())
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        assert tab.locator(".found").inner_text() == "Rows 1 to 100 of 499"
        assert tab.locator("table.rows tbody th").first.inner_text() == HOSTILE

        heads = tab.locator("table.rows thead th").all_inner_texts()
        at = heads.index("gOSI, drug")
        button = tab.locator("table.rows thead button").nth(at)

        def column() -> list[str]:
            return tab.locator(f"table.rows tbody tr td:nth-child({at + 1})").all_inner_texts()

        expected = np.sort(paired(TABLE)["gosi_during"].dropna().to_numpy(float))
        button.press("Enter")
        np.testing.assert_allclose([float(v) for v in column()], expected[:100], rtol=6e-3)
        button.press("Enter")
        np.testing.assert_allclose([float(v) for v in column()], expected[::-1][:100], rtol=6e-3)
        assert tab.locator("table.rows thead th").nth(at).get_attribute("aria-sort") == "descending"
        # The fit without a drug comes last.
        for _ in range(4):
            tab.locator(".later").press("Enter")
        assert column()[-1] == "–"
        assert tab.locator(".later").is_disabled()

        tab.locator("#text").fill("cell 17 ketamine")
        assert tab.locator(".found").inner_text() == "Rows 1 to 26 of 26 (499 without the filter)"
        tab.locator("#choice").select_option("out_of_reach")
        assert tab.locator(".found").inner_text() == "Rows 1 to 4 of 4 (499 without the filter)"
        assert tab.locator("table.rows tbody a").first.get_attribute("href").endswith("/report.html")
        browser.close()
    assert said == []
