"""The questions of docs/reading-a-report.md have their answers on the page, under the heading that the table names."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from report_example import apply_document, fit_document, write_example
from report_reader import Page, write_page

from ketune.pharmacology import load_drug
from ketune.report import _words as words

DOCUMENT = Path(__file__).parents[2] / "docs" / "reading-a-report.md"
TABLE = re.findall(r"^\| ([^|]+\?) \| ([^|]+) \|$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)

FIT, APPLIED = fit_document(), apply_document()


def number(value: float, digits: int = 2) -> str:
    return f"{value:.{digits}f}"


def certain() -> list[str]:
    """Every change: its direction where the kept sets agree, and that it is open where they do not."""
    known = [c for c in APPLIED["changes"] if c["best"] is not None]
    open_ = any(not c["determined"] for c in known)
    return ["fell to", *(["leaves open"] if open_ else [])]


def changes() -> list[str]:
    return [f"{n} kept parameter set" for n in [len(APPLIED["kept"])]] + [
        ("not determined by these data" if not c["determined"] else c["reported_id"] or "nothing reported")
        for c in APPLIED["changes"]
    ]


def drug_in_tissue() -> list[str]:
    conditions = APPLIED["conditions"]
    reached = [words.number(c["concentration_uM"]["soma"], 2, "uM") for c in conditions]
    block = [words.number(100 * c["effect"]["nmda_block"]["soma"], 3, "%") for c in conditions]
    return [
        f"free ketamine, soma {' '.join(reached)}",
        f"NMDA conductance blocked, soma {' '.join(block)}",
        f"{APPLIED['exposure']['soma_depth_um']:g} µm below the pia",
    ]


ANSWERS: dict[str, Callable[[], list[str]]] = {
    "What was fitted?": lambda: [
        FIT["recording"]["name"],
        f"{sum(t is not None for t in FIT['recording']['orientation_deg'])} orientations",
        f"{FIT['recording']['n_trials'][0]} trials each",
        f"counted in {FIT['recording']['window_s']:g} s",
    ],
    "How well does it fit?": lambda: [
        number(FIT["check"]["correlation"]),
        number(100 * FIT["check"]["rmse_fraction_of_range"], 1),
        number(FIT["check"]["fano_ratio_median"]),
    ],
    "Which effect of the drug is certain?": certain,
    "How certain is each change, and against what?": changes,
    "Does it agree with what was reported?": lambda: ["Ouelhazi", "reported direction", "agreement"],
    "How much drug reaches the neuron, and what does it do there?": drug_in_tissue,
    "Which parameters does the recording determine?": lambda: [
        *(p["meaning"] or name for name, p in FIT["parameters"].items()),
        *(d["combination"] for d in FIT["undetermined"]),
    ],
    "Do the spikes hold in another simulator?": lambda: [f"{FIT['replay']['n']} trials run again in NEURON"],
    "How do I make it again?": lambda: [FIT["provenance"]["command"], FIT["recording"]["sha256"]],
    "Which version, on which machine, with which seed?": lambda: [
        FIT["provenance"]["ketune"]["version"],
        str(next(iter(FIT["provenance"]["machine"].values()))),
        f"seed {FIT['provenance']['seed']}",
    ],
    "What is assumed?": lambda: [
        name for name, q in load_drug("ketamine").parameters.items() if "assumed" in q.confidence
    ],
    "What can this not tell me?": lambda: ["never proof", "not of the recorded neuron", "directions only"],
    "How are the indices defined?": lambda: ["Fano factor", "gOSI", "preferred orientation"],
}


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Text under each heading of a page on one fit, headings of less rank included."""
    folder = tmp_path_factory.mktemp("reading")
    source = write_page([write_example(folder / "fit")], folder).source
    heads = list(re.finditer(r"<h([1-4])[^>]*>(.*?)</h\1>", source, re.S))
    found: dict[str, str] = {}
    for i, head in enumerate(heads):
        end = next((h.start() for h in heads[i + 1 :] if h[1] <= head[1]), len(source))
        title = Page(f"<p>{head[2]}</p>").text.lstrip("✓✗? ")
        found[title] = found.get(title, "") + " " + Page(source[head.end() : end]).text
    return found


def test_every_question_has_a_check() -> None:
    assert [question for question, _ in TABLE] == list(ANSWERS)
    assert len(TABLE) >= 10


@pytest.mark.parametrize(("question", "heading"), TABLE, ids=[question for question, _ in TABLE])
def test_the_answer_is_under_its_heading(question: str, heading: str, answers: dict[str, str]) -> None:
    pattern = ".*".join(re.escape(part) for part in heading.strip().split("…"))
    under = [text for title, text in answers.items() if re.fullmatch(pattern, title)]
    assert under, f"no heading {heading} among {list(answers)}"
    for expected in ANSWERS[question]():
        said = " ".join(expected.replace("\N{NO-BREAK SPACE}", " ").split())
        assert said in " ".join(under), f"{said!r} is not under {heading}"
