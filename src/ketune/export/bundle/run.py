"""Simulate this neuron in NEURON: its tuning curve, trial by trial. README.md says what the files are.

nrnivmodl mod
python run.py
python run.py --orientation 90 --trials 2 --check
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from neuron_model import Placed, Problem, simulate, spike_ms

HERE = Path(__file__).resolve().parent
BLANK = "blank"
Row = dict[str, str]


@cache
def read_table(name: str) -> list[Row]:
    """The rows of a CSV file of this folder."""
    with open(HERE / name, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def column(rows: list[Row], name: str, kind: type = float) -> np.ndarray:
    return np.array([kind(row[name]) for row in rows])


@dataclass(frozen=True)
class Trial:
    """One trial of one stimulus; ``lane`` is its place in events.npz and expected_counts.csv."""

    lane: int
    condition: str
    orientation: str
    number: int
    expected: int

    @property
    def stimulus(self) -> str:
        return self.orientation or BLANK


@cache
def cell() -> dict[str, Any]:
    return json.loads((HERE / "cell.json").read_text(encoding="utf-8"))


@cache
def trials() -> list[Trial]:
    rows = read_table("expected_counts.csv")
    return [
        Trial(k, row["condition"], row["orientation_deg"], int(row["trial"]), int(row["spikes"]))
        for k, row in enumerate(rows)
    ]


@cache
def mechanisms(condition: str) -> tuple[Placed, ...]:
    """Channels and synapses with their parameters in a condition; what it does not change is in parameters/."""
    folder = cell()["conditions"][condition]["folder"]
    placed = []
    for entry in cell()["mechanisms"]:
        own = f"{folder}/{entry['file']}"
        rows = read_table(own if folder and (HERE / own).exists() else f"parameters/{entry['file']}")
        values = {name: column(rows, name) for name in rows[0] if name != "compartment"}
        placed.append(
            Placed(
                name=entry["mechanism"],
                kind=entry["kind"],
                compartments=column(rows, "compartment", int),
                parameters={name: x for name, x in values.items() if name not in entry["global"]},
                shared={name: float(values[name][0]) for name in entry["global"]},
                elements={name: (array, index) for name, (array, index) in entry["elements"].items()},
                tables={name: (tuple(x), tuple(y)) for name, (x, y) in entry["tables"].items()},
            )
        )
    return tuple(placed)


@cache
def connections() -> dict[str, np.ndarray]:
    """The point processes that each connection reaches, sorted by connection."""
    rows = read_table("connections.csv")
    labels = [entry["label"] for entry in cell()["mechanisms"]]
    return {
        "connection": column(rows, "connection", int),
        "placed": np.array([labels.index(row["mechanism"]) for row in rows]),
        "row": column(rows, "row", int),
        "weight": column(rows, "weight"),
    }


@cache
def events() -> dict[str, np.ndarray]:
    with np.load(HERE / "events.npz") as file:
        return dict(file)


def problem(trial: Trial) -> Problem:
    """A trial as the plain data that `simulate` takes: cable, mechanisms and the events of its connections."""
    compartments, sections = read_table("compartments.csv"), read_table("sections.csv")
    drawn, wired = events(), connections()
    own = slice(*drawn["first"][trial.lane : trial.lane + 2].tolist())
    connection, step = drawn["connection"][own].astype(int), drawn["step"][own].astype(int)
    begin = np.searchsorted(wired["connection"], connection)
    count = np.searchsorted(wired["connection"], connection, side="right") - begin
    # An event at an excitatory synapse reaches its AMPA and its NMDA receptors.
    event = np.repeat(np.arange(len(step)), count)
    receiver = begin[event] + np.arange(len(event)) - np.repeat(np.cumsum(count) - count, count)
    return Problem(
        libraries=(),  # NEURON loads what `nrnivmodl mod` made in this folder
        parent=column(sections, "parent", int),
        first=column(sections, "first_compartment", int),
        count=column(sections, "n_compartments", int),
        length_um=column(compartments, "length_um"),
        diam_um=column(compartments, "diam_um"),
        cm_uF_cm2=column(compartments, "cm_uF_cm2"),
        ra_ohm_cm=column(compartments, "ra_ohm_cm"),
        placed=mechanisms(trial.condition),
        reversal_mV=cell()["reversal_mV"],
        concentration_mM=cell()["concentration_mM"],
        celsius=cell()["celsius"],
        v_init_mV=cell()["v_init_mV"],
        event_placed=wired["placed"][receiver],
        event_row=wired["row"][receiver],
        event_step=step[event],
        event_weight=wired["weight"][receiver],
        connection=connection[event],
        injected_nA=None,
        dt_ms=cell()["dt_ms"],
        n_steps=cell()["n_steps"],
        record=np.array([0]),
    )


def count_spikes(trial: Trial) -> int:
    """Somatic spikes within the counting window."""
    voltage, _ = simulate(problem(trial))
    times = spike_ms(voltage[:, 0], cell()["dt_ms"], cell()["spike_threshold_mV"])
    return int(np.sum(times >= cell()["warm_up_ms"]))


def chosen(arguments: argparse.Namespace) -> list[Trial]:
    """The trials that were asked for; none where a stimulus or condition has no such trial."""
    found = [t for t in trials() if arguments.condition in (None, t.condition)]
    if arguments.orientation:
        found = [
            t for t in found if (float(t.orientation) if t.orientation else BLANK) in arguments.orientation
        ]
    return [t for t in found if arguments.trials is None or t.number <= arguments.trials]


def stimulus(text: str) -> float | str:
    """Degrees, or the blank screen."""
    return BLANK if text == BLANK else float(text)


def tuning_lines(counts: dict[int, int]) -> list[str]:
    """Mean and standard error of each stimulus, beside those of ketune's report."""
    reported = {(row["condition"], row["orientation_deg"] or BLANK): row for row in read_table("report.csv")}
    lines = [f"{'condition':14} {'orientation':>11} {'n':>4} {'mean':>8} {'SEM':>7}   in the report"]
    groups: dict[tuple[str, str], list[int]] = {}
    for trial in trials():
        if trial.lane in counts:
            groups.setdefault((trial.condition, trial.stimulus), []).append(counts[trial.lane])
    for (condition, stimulus), spikes in groups.items():
        n = len(spikes)
        sem = f"{np.std(spikes, ddof=1) / np.sqrt(n):7.2f}" if n > 1 else f"{'':7}"
        row = reported.get((condition, stimulus))
        told = (
            ""
            if row is None
            else f"{float(row['mean']):.2f} +- {float(row['sem']):.2f} (n = {row['n_trials']})"
        )
        lines.append(f"{condition:14} {stimulus:>11} {n:4d} {np.mean(spikes):8.2f} {sem}   {told}")
    return lines


def write_counts(counts: dict[int, int]) -> None:
    with open(HERE / "counts.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("condition", "orientation_deg", "trial", "spikes"))
        for t in trials():
            if t.lane in counts:
                writer.writerow((t.condition, t.orientation, t.number, counts[t.lane]))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--trials", type=int, metavar="N", help="the first N trials of each stimulus (default: all)"
    )
    parser.add_argument(
        "--orientation",
        type=stimulus,
        action="append",
        metavar="DEG",
        help="this stimulus, or 'blank'; repeatable (default: all)",
    )
    parser.add_argument(
        "--condition", choices=list(cell()["conditions"]), help="this condition (default: all)"
    )
    parser.add_argument(
        "--check", action="store_true", help="exit 1 unless the counts are those that ketune found"
    )
    arguments = parser.parse_args()
    if not any(HERE.glob("*/*nrnmech*")) and not any(HERE.glob("nrnmech*")):
        parser.error(f"the mechanisms are not compiled: run `nrnivmodl mod` in {HERE} first")
    asked, counts = chosen(arguments), {}
    if not asked:
        there = ", ".join(dict.fromkeys(t.stimulus for t in trials()))
        parser.error(f"no such trial; there are {max(t.number for t in trials())} of each stimulus: {there}")
    os.chdir(HERE)  # NEURON loads the compiled mechanisms of the folder that it is started in
    for done, trial in enumerate(asked, start=1):
        counts[trial.lane] = count_spikes(trial)
        print(f"\r{done} of {len(asked)} trials", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    write_counts(counts)
    print("\n".join(tuning_lines(counts)))
    if not arguments.check:
        return 0
    different = [t for t in asked if counts[t.lane] != t.expected]
    for t in different:
        print(
            f"DIFFERS {t.condition}, {t.stimulus}, trial {t.number}: {counts[t.lane]}, expected {t.expected}"
        )
    print(f"{len(asked) - len(different)} of {len(asked)} trials have the spike counts that ketune found")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
