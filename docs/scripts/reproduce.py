"""Prints the tables of docs/reproduce.md from a finished run.

ketune reproduce -o RUN
python docs/scripts/reproduce.py RUN
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

TARGETS = ("T1", "T2", "T3a", "T3b", "T4", "T5")


def mark(verdict: dict[str, Any]) -> str:
    return "met" if verdict["met"] else "no" if verdict["decided"] else "open"


def number(verdict: dict[str, Any], name: str) -> str:
    if name == "T5":
        return f"{verdict['value']:.0f} of 4"
    value = verdict["value"]
    if value is None:
        return "none"
    low, high = (x if x is not None else float("nan") for x in verdict["interval"] or (None, None))
    form = (lambda x: f"{100 * x:.0f} %") if name in ("T1", "T2") else (lambda x: f"x {x:.2f}")
    return f"{form(value)} ({form(low)} to {form(high)})"


def yes(value: bool | None) -> str:
    return "" if value is None else "yes" if value else "no"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    run = json.loads((parser.parse_args().run / "verdicts.json").read_text())
    print(f"{run['population']}, {run['neurons']} neurons, {run['seconds']:.0f} s\n")
    print(
        "| hypothesis | share of the prior that meets T5 (95 %) | response left over the prior (5, 50, 95 %) |"
    )
    print("|---|---|---|")
    for h in run["hypotheses"]:
        low, high = h["prior_share_interval"]
        left = h["prior_response_left"]
        print(
            f"| {h['name']} | {h['prior_share_meeting_T5']:.1%} ({low:.1%} to {high:.1%}) "
            f"| {left['low']:.2f}, {left['median']:.2f}, {left['high']:.2f} |"
        )
    print("\n| hypothesis | from | " + " | ".join(TARGETS) + " | held out | second morphology |")
    print("|---" * (len(TARGETS) + 4) + "|")
    for h in run["hypotheses"]:
        cells = [f"{mark(h['targets'][t])}: {number(h['targets'][t], t)}" for t in TARGETS]
        print(
            f"| {h['name']} | {h['targets_from']} | "
            + " | ".join(cells)
            + f" | {yes(h['held_out_together'])} | {yes(h['second_morphology_together'])} |"
        )
    print("\n| hypothesis | verdict the same in how many of the populations: " + ", ".join(TARGETS) + " |")
    print("|---|---|")
    for h in run["hypotheses"]:
        same = (max(s["met"], s["of"] - s["met"]) for s in (h["stable"][t] for t in TARGETS))
        print(f"| {h['name']} | {', '.join(map(str, same))} |")
    print()
    for h in run["hypotheses"]:
        print(h["name"], {k: round(p["value"], 3) for k, p in h["parameters"].items()})
    print("\nsmallest sufficient:", run["smallest_sufficient"])
    for p in run["predictions"]:
        print(p["target"], yes(p["met"]) or "open", p["words"])
        for row in p["rows"]:
            print("   ", row["quantity"], row["value"], row["interval"], row["met"])
    for e in run["experiments"]:
        print(e["manipulation"], "|", e["observable"], "|", round(e["separation"], 2))
        for p in e["predicted"]:
            print("   ", p["hypothesis"], round(p["value"], 3), [round(x, 3) for x in p["interval"]])


if __name__ == "__main__":
    main()
