"""The explorer as a reader meets it: a real headless Chromium, without network, by keyboard."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from explorer_example import write_explorer
from headless import CHROMIUM, needs_chromium
from report_example import write_example

from ketune import report
from ketune.explorer import Explorer

pytestmark = needs_chromium
sync_api = pytest.importorskip("playwright.sync_api")

AA = 4.5
"""Contrast that WCAG 2 asks of text; 3 of lines and marks that carry meaning."""
AA_GRAPHICS = 3.0

# Contrast of every visible text with what it stands on (WCAG 2, relative luminance), the lowest first.
CONTRASTS = """() => {
  const numbers = (c) => c.match(/[\\d.]+/g).map(Number);
  const channel = (v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const ratio = (a, b) => {
    const [x, y] = [light(a), light(b)].sort((p, q) => q - p);
    return (x + 0.05) / (y + 0.05);
  };
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const c = numbers(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] === 1) return c;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const e of document.querySelectorAll(".explorer *")) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || e.closest("noscript, script") || !e.getClientRects().length) continue;
    const style = getComputedStyle(e);
    const paint = e instanceof SVGElement ? style.fill : style.color;
    found.push([ratio(numbers(paint).slice(0, 3), behind(e)), "text", e.textContent.slice(0, 40)]);
  }
  for (const e of document.querySelectorAll(".explorer :is(polyline, .halo, .axis, .pia)")) {
    const stroke = numbers(getComputedStyle(e).stroke).slice(0, 3);
    found.push([ratio(stroke, behind(e)), "graphics", e.getAttribute("class")]);
  }
  return found.sort((a, b) => a[0] - b[0]);
}"""


@dataclass
class Reader:
    """A page in the browser; ``trouble`` are its errors and whatever it asked the network for."""

    page: Any
    trouble: list[str] = field(default_factory=list)

    def rates(self) -> np.ndarray:
        """The drugged curve as it is drawn: heights of its marks, read on the axis's ticks."""
        ticks = self.page.eval_on_selector_all(
            "svg.tuning .ytick",
            "found => found.map(t => [Number(t.getAttribute('y')) - 4, Number(t.textContent)])",
        )
        slope, offset = np.polyfit(*np.array(ticks, float).T, 1)
        marks = self.page.eval_on_selector_all(
            "svg.tuning rect[data-index]", "found => found.map(m => Number(m.getAttribute('y')) + 3.5)"
        )
        return slope * np.array(marks) + offset

    def blocks(self) -> np.ndarray:
        """Block of every compartment as it is drawn against depth, in the order of the picture (fraction)."""
        places = self.page.eval_on_selector_all(
            "svg.profile circle:not(.halo)", "found => found.map(c => Number(c.getAttribute('cx')))"
        )
        return (np.array(places) - 46) / (308 - 46)


@pytest.fixture(scope="module")
def explored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Explorer]:
    folder = tmp_path_factory.mktemp("browsed")
    write_example(folder, drug=False)
    write_explorer(folder)
    return report.write([folder], folder / "report.html"), Explorer.read(folder)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        # Chromium's own sandbox does not run as root, which tests in a container are.
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser: Any, explored: tuple[Path, Explorer]) -> Iterator[Any]:
    contexts = []

    def opened(width: int = 1440, scheme: str = "light") -> Reader:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        context.set_offline(True)
        reader = Reader(context.new_page())
        reader.page.on(
            "console", lambda m: reader.trouble.append(m.text) if m.type in ("error", "warning") else None
        )
        reader.page.on("pageerror", lambda error: reader.trouble.append(str(error)))
        reader.page.on(
            "request",
            lambda r: None if r.url.startswith(("file:", "data:")) else reader.trouble.append(r.url),
        )
        reader.page.goto(explored[0].as_uri())
        return reader

    yield opened
    for context in contexts:
        context.close()


def test_it_loads_offline_without_an_error(open_page: Any) -> None:
    reader = open_page()
    assert reader.page.locator(".explorer .live").is_visible()
    assert not reader.page.locator(".explorer noscript .remark").is_visible()
    assert reader.trouble == []


def test_every_slider_by_keyboard_shows_what_the_api_gives(
    open_page: Any, explored: tuple[Path, Explorer]
) -> None:
    reader, explorer = open_page(), explored[1]
    page = reader.page
    route, dose, time = (page.locator(f".explorer input[name={name}]") for name in ("route", "dose", "time"))
    drawn = [reader.rates()]

    def agrees() -> None:
        grid = explorer.routes[int(page.locator("input[name=route]:checked").input_value())]
        i, j = int(dose.input_value()), int(time.input_value())
        setting = explorer.setting(grid.route, grid.doses[i], explorer.times_min[j])
        np.testing.assert_allclose(reader.rates(), setting.rate_hz, rtol=0.01)
        kept = np.array([region not in ("ais", "axon") for region in explorer.neuron.region])
        np.testing.assert_allclose(reader.blocks()[::-1], setting.local_block[kept], rtol=0.01, atol=1e-4)
        words = page.locator(".explorer .now").inner_text()
        assert grid.dose_texts[i].replace("uM", "µM") in words
        assert f"{setting.time_min:g} min" in words
        shown = float(re.search(r"([\d.]+(?:e.\d+)?) µM free", words.replace("−", "-"))[1])
        assert shown == pytest.approx(setting.concentration_uM, rel=0.01)
        assert page.locator(".explorer .remarks li").all_inner_texts() == list(setting.remarks)
        drawn.append(reader.rates())

    agrees()
    for slider, keys in (
        (dose, ("ArrowRight", "ArrowRight", "ArrowLeft", "End", "ArrowLeft")),
        (time, ("ArrowLeft", "ArrowLeft", "Home", "End", "ArrowRight")),
    ):
        slider.focus()
        for key in keys:
            page.keyboard.press(key)
            agrees()
    route.first.focus()
    for _ in range(2):
        page.keyboard.press("ArrowDown")
        agrees()
        time.focus()
        page.keyboard.press("Home")
        for _ in range(4):
            page.keyboard.press("ArrowRight")
        agrees()
        route.locator(":scope:checked").focus()
    assert len({tuple(np.round(rate, 6)) for rate in drawn}) > 10
    page.locator(".explorer button[type=reset]").focus()
    page.keyboard.press("Enter")
    agrees()
    np.testing.assert_array_equal(drawn[-1], drawn[0])
    assert reader.trouble == []


def test_settings_that_say_little_say_so(open_page: Any) -> None:
    page = open_page().page
    page.locator(".explorer input[name=route]").nth(2).check()
    page.locator(".explorer input[name=dose]").focus()
    page.keyboard.press("End")
    assert "too near to the emulator’s error" in page.locator(".explorer .remarks").inner_text()
    assert "OSI" not in page.locator(".explorer .now").inner_text()
    page.keyboard.press("ArrowLeft")
    assert "the emulator extrapolates" in page.locator(".explorer .remarks").inner_text()
    page.locator(".explorer input[name=time]").focus()
    page.keyboard.press("Home")
    assert "cannot be told from none" in page.locator(".explorer .remarks").inner_text()


def test_sliders_tell_a_screen_reader_their_values(open_page: Any) -> None:
    page = open_page().page
    dose = page.get_by_role("slider", name="Dose")
    time = page.get_by_role("slider", name="Time after application")
    assert dose.get_attribute("aria-valuetext").endswith("µM")
    assert time.get_attribute("aria-valuetext") == "30 min"
    assert page.get_by_role("radio").count() == 3
    assert page.get_by_role("group", name="Route").is_visible()
    assert page.locator(".explorer .now").get_attribute("aria-live") == "polite"


def test_pointing_at_a_mark_shows_its_values(open_page: Any) -> None:
    page = open_page().page
    mark = page.locator("svg.tuning rect[data-index='3']")
    mark.scroll_into_view_if_needed()
    mark.hover()
    tip = page.locator(".explorer .tip")
    assert tip.inner_text().startswith("67.5°: ")
    page.locator("svg.profile circle.soma").hover()
    assert tip.inner_text().startswith("soma, 300 µm deep: ")
    # The same compartment in the picture of the neuron.
    assert page.locator("svg.dendrites .halo").get_attribute("visibility") == "visible"
    page.mouse.move(1, 1)
    assert not tip.is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_text_and_lines_stand_out_and_nothing_overflows(open_page: Any, width: int, scheme: str) -> None:
    reader = open_page(width, scheme)
    reader.page.locator(".explorer details").evaluate("d => { d.open = true; }")
    found = reader.page.evaluate(CONTRASTS)
    assert len(found) > 60
    least = {kind: min(f[0] for f in found if f[1] == kind) for kind in ("text", "graphics")}
    assert least["text"] >= AA, found[:3]
    assert least["graphics"] >= AA_GRAPHICS, found[:3]
    assert reader.page.evaluate("document.documentElement.scrollWidth") <= width
    letters = reader.page.eval_on_selector_all(
        ".explorer svg text", "ts => ts.map(t => t.getBoundingClientRect().height)"
    )
    assert min(h for h in letters if h) > 10
    assert reader.trouble == []
