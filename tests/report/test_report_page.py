"""The page: complete, self-contained, honest about what is missing, and readable without its figures."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from report_example import apply_document, fit_document, write_example
from report_reader import Page, write_page

from ketune import report
from ketune.errors import InputError
from ketune.evidence import reported_effects
from ketune.pharmacology import load_drug
from ketune.storage import write_json


def test_page_is_well_formed(page: Page) -> None:
    assert page.source.startswith("<!doctype html>")
    assert page.unbalanced == []
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for href in page.attributes("a", "href"):
        assert href is not None
        assert href.startswith("#")
        assert href[1:] in ids


def test_page_needs_nothing_else(page: Page) -> None:
    used = {tag for tag, _ in page.tags}
    assert not used & {"script", "link", "iframe", "object", "base"}
    sources = page.attributes("img", "src")
    assert len(sources) > 20
    assert all(source and source.startswith("data:image/svg+xml;base64,") for source in sources)
    assert "url(" not in page.source
    assert "@import" not in page.source


def test_every_figure_says_what_it_shows(page: Page) -> None:
    alts = page.attributes("img", "alt")
    assert all(alt and len(alt) > 40 for alt in alts)
    figures = [int(n) for n in re.findall(r"Figure (\d+)\.", page.text)]
    assert figures == list(range(1, len(alts) + 1))
    captions = re.findall(r"<figcaption>.*?</figcaption>", page.source, flags=re.S)
    without_n = [c for c in captions if "n =" not in c and "n (trials" not in c]
    # Only computed concentrations and the map of synapses (which gives its counts) have no n.
    assert all("Computed, not measured" in c or "synapses" in c for c in without_n)


def test_no_missing_number_shows_as_code(page: Page) -> None:
    shown = page.text + " ".join(str(a) for a in page.attributes("img", "alt"))
    assert not re.search(r"\b(nan|NaN|None|inf|Undefined)\b", shown)
    assert "not available (no blank condition)" in shown


def test_names_are_escaped(page: Page) -> None:
    assert "<script>alert" not in page.source
    assert "SYNTHETIC <script>alert(1)</script> $x_{$" in page.text


def test_overview_comes_first_then_one_section_a_fit(page: Page) -> None:
    order = [page.source.index(mark) for mark in (">Overview<", 'id="fit-1"', 'id="fit-2"', 'id="fit-3"')]
    assert order == sorted(order)
    assert 'id="fit-4"' not in page.source


def test_reported_effects_have_directions_and_sources_but_no_numbers(page: Page) -> None:
    rows = re.findall(r"<tr><th scope=\"row\">([^<]*)</th>(.*?)</tr>", page.source)
    table = reported_effects()
    for effect in table.effect[:4]:
        row = next(cells for _, cells in rows if f"({effect.id})" in cells)
        cells = re.findall(r"<td[^>]*>(.*?)</td>", row)
        assert cells[2] == f"{effect.direction} ({effect.id})"
        assert cells[3] == "no size retrieved"
        assert cells[5].startswith("Ouelhazi 2019 [")
    assert table.citation(table.effect[0]).replace("&", "&amp;") in page.source
    assert "Only directions were reported; no published size was retrieved." in page.text


def test_cautions_and_numbers_of_the_drug_are_verbatim(page: Page) -> None:
    drug = load_drug("ketamine")
    for caution in drug.cautions():
        assert " ".join(caution.split()) in page.text
    for name, quantity in drug.parameters.items():
        assert name in page.text
        assert quantity.source in page.text
    # Both fits use the same numbers, so they are shown once.
    assert page.source.count("<h4>Cautions</h4>") == 1


def test_the_model_never_explains(page: Page) -> None:
    assert "explain" not in page.text.lower()
    assert "sufficient in this model family" in page.text


def test_provenance_is_shown(page: Page) -> None:
    for text in (
        "a" * 64,
        "b" * 40,
        "c" * 64,
        "neuron 9.0.2",
        "ketune fit synthetic.csv -o synthetic",
        "2026-01-01",
        "name native, precision float32, dt ms 0.05",
    ):
        assert text in page.text


def test_rows_belong_to_their_orientation_whatever_the_order_of_the_check(tmp_path: Path) -> None:
    document = fit_document()
    n = len(document["check"]["orientation_deg"])
    shuffled = {
        k: v[::-1] if isinstance(v, list) and len(v) == n else v for k, v in document["check"].items()
    }

    def table(check: dict[str, Any], name: str) -> str:
        folder = tmp_path / name
        folder.mkdir()
        write_json(folder / "fit.json", {**document, "check": check}, "ketune-fit/1")
        source = write_page([folder], folder).source
        return source[source.index("Numbers of the figures") : source.index("Example traces")]

    rows = table(document["check"], "as-is")
    assert re.search(r"blank</th><td>not recorded</td>.*<td>0.500", rows)
    assert rows == table(shuffled, "shuffled")


def test_everything_that_may_be_missing_may_be_missing_at_once(tmp_path: Path) -> None:
    keep = {
        "n",
        "n_trials",
        "placement_seed",
        "event_seed",
        "synapses",
        "time_ms",
        "window_s",
        "soma_depth_um",
    }
    keep |= {"equal"} | {
        "time_min",
        "depth_um",
        "x_um",
        "y_um",
        "z_um",
        "diam_um",
        "parent",
        "orientation_deg",
    }

    def without(value: Any, key: str = "") -> Any:
        if key in keep:
            return value
        if isinstance(value, dict):
            return {k: without(v, k) for k, v in value.items()}
        if isinstance(value, list):
            return [without(v) for v in value]
        return None if isinstance(value, int | float) and not isinstance(value, bool) else value

    write_json(tmp_path / "fit.json", without(fit_document(blank=True)), "ketune-fit/1")
    write_json(tmp_path / "apply-ketamine-topical.json", without(apply_document()), "ketune-apply/1")
    page = write_page([tmp_path], tmp_path)
    shown = page.text + " ".join(str(a) for a in page.attributes("img", "alt"))
    assert not re.search(r"\b(nan|NaN|None|inf)\b", shown)
    assert shown.count("not available") > 50
    assert report.summary_lines([tmp_path])


def test_a_fit_without_the_optional_parts(tmp_path: Path) -> None:
    needed = {"status", "recording", "parameters", "tuning"}
    write_json(
        tmp_path / "fit.json", {k: v for k, v in fit_document().items() if k in needed}, "ketune-fit/1"
    )
    page = write_page([tmp_path], tmp_path)
    assert "it was not checked with spiking simulations" in page.text
    assert page.unbalanced == []


def damage(document: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    copy: dict[str, Any] = json.loads(json.dumps(document, default=float))
    *parents, last = path.split(".")
    place: Any = copy
    for key in parents:
        place = place[int(key) if isinstance(place, list) else key]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return copy


@pytest.mark.parametrize(
    ("file", "path", "value", "found"),
    [
        ("fit", "recording.window_s", ..., "recording.window_s"),
        ("fit", "tuning.recorded_mean", [1.0], "recorded_mean 1"),
        ("fit", "check.correlation", "high", "check.correlation"),
        ("fit", "parameters", 3, "parameters"),
        ("apply", "main_condition", "tomorrow", "'tomorrow' is not among the conditions"),
        ("apply", "conditions", ..., "conditions"),
        ("apply", "neuron.parent.5", 4000, "neuron"),
        ("apply", "neuron.synapses.pv", [-1], "neuron"),
        ("apply", "map.nmda_block", [[0.5]], "nmda_block is not a table"),
    ],
)
def test_damaged_results_are_one_line(tmp_path: Path, file: str, path: str, value: Any, found: str) -> None:
    documents = {"fit": fit_document(), "apply": apply_document()}
    if "." in path and path.split(".")[-1].isdigit():
        documents[file]["neuron"]["parent"][5] = value
    else:
        documents[file] = damage(documents[file], path, value)
    write_json(tmp_path / "fit.json", documents["fit"], "ketune-fit/1")
    write_json(tmp_path / "apply-ketamine-topical.json", documents["apply"], "ketune-apply/1")
    with pytest.raises(InputError) as error:
        report.write([tmp_path], tmp_path / "report.html")
    message = str(error.value)
    assert "\n" not in message
    assert found in message
    assert ("fit.json" if file == "fit" else "apply-ketamine-topical.json") in message
    assert not (tmp_path / "report.html").exists()


def test_bad_places_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no fit to report on"):
        report.write([], tmp_path / "report.html")
    with pytest.raises(InputError, match=r"holds no fit: fit\.json is not there"):
        report.write([tmp_path], tmp_path / "report.html")
    (tmp_path / "fit.json").write_text("{")
    with pytest.raises(InputError, match="not a JSON file"):
        report.summary_lines([tmp_path])
    example = write_example(tmp_path / "good", drug=False)
    with pytest.raises(InputError, match="cannot be written"):
        report.write([example], tmp_path / "nowhere" / "report.html")


def test_readme_figure_is_a_wide_png(examples: list[Path], tmp_path: Path) -> None:
    path = report.readme_figure(examples[0], tmp_path / "figure.png")
    head = path.read_bytes()[:24]
    assert head.startswith(b"\x89PNG")
    assert int.from_bytes(head[16:20]) == 1800
    with pytest.raises(InputError, match="no applied drug"):
        report.readme_figure(examples[2], tmp_path / "other.png")


def test_importing_is_light() -> None:
    heavy = "('matplotlib', 'jinja2', 'pydantic', 'numpy')"
    look = f"import sys, ketune.report; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
