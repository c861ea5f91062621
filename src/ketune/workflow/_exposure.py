"""Where a drug is and what each target sees of it, without a neuron: the command ``ketune exposure``."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ketune import pharmacology, units
from ketune.errors import InputError
from ketune.pharmacology import CORTEX_UM, DOSE_UNITS, Drug, Exposure, Iontophoresis, Table
from ketune.provenance import provenance
from ketune.storage import check_output_directory, result_directory, write_json, write_text

Array = NDArray[np.float64]

FORMAT = "ketune-exposure/1"
_DEFAULT_TIMES_MIN = (10.0, 30.0, 60.0)
_MAIN_TIME_MIN = 30.0
_DEFAULT_DEPTHS_UM = (0.0, 100.0, 200.0, 300.0, 400.0, 600.0)
_FINE_DEPTHS_UM = np.arange(0.0, 801.0, 10.0)
_CHECKED_MG_KG = 100.0


def describe_exposure_inputs() -> str:
    """Routes and the unit of each route's dose, for messages."""
    return ", ".join(f"{route} ({unit})" if unit else route for route, unit in DOSE_UNITS.items())


def run_exposure(
    *,
    drug: str = "ketamine",
    route: str | None = None,
    dose: str | None = None,
    at: Sequence[str] = (),
    depth: Sequence[str] = (),
    soma_depth: str | None = None,
    lateral_distance: str | None = None,
    as_base: bool = False,
    table: str | Path | None = None,
    every: str | None = None,
    doses: int = 1,
    settings: Sequence[str] = (),
    compare: bool = False,
    output: Path | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Free concentration over time and depth by a route, and block or shift of every target there.

    Parameters
    ----------
    drug, route, dose, as_base, table, every, doses
        As for :func:`ketune.pharmacology.make_exposure`, as text.
    at
        Times after the first dose, rising ("30 min"); 10, 30 and 60 min if none is given.
    depth
        Depths below the pia ("300 um").
    soma_depth
        The target depth; the drug file's if not given. A pipette lies at it unless ``focal.depth`` is set.
    lateral_distance
        From the paper's edge or the pipette's tip to the neuron, by the route.
    settings
        Other parameters as "NAME=VALUE", such as "focal.volume=2 nl".
    compare
        Add the other routes, each with the dose that gives the same NMDA block at the target depth at the main time
        (30 min if asked for, else the nearest).
    output
        Directory for numbers (JSON and CSV) and figure.

    Raises
    ------
    InputError
        An argument cannot be used. Nothing is written then.
    """
    if output is not None:
        check_output_directory(output, "exposure", overwrite=overwrite)
    loaded = pharmacology.load_drug(drug)
    if route is None:
        raise InputError(f"a dose needs a route: give --route, one of {describe_exposure_inputs()}")
    route = pharmacology.canonical_route(route)
    overrides = pharmacology.read_settings(loaded, settings)
    target_um = _target_depth(loaded, soma_depth, overrides)
    if lateral_distance is not None:
        group = "focal" if route.startswith("focal") else "topical"
        overrides[f"{group}.lateral_distance"] = units.parse(
            lateral_distance, "um", "--lateral-distance", signed=True
        )
    exposure = pharmacology.make_exposure(
        loaded,
        route,
        dose,
        as_base=as_base,
        overrides=overrides,
        table=table,
        every=every,
        n_doses=doses,
    )
    times = _times(at, exposure)
    depths = _depths(depth, target_um, exposure)
    main = int(np.argmin(np.abs(times - _MAIN_TIME_MIN)))
    dose_text = f"{table}" if route == "table" else str(dose) + (f" x {doses}" if doses > 1 else "")
    seen = [(route, dose_text, exposure)]
    if compare:
        seen += _others(loaded, route, exposure, target_um, float(times[main]), overrides)
    p = loaded.values(overrides)
    result: dict[str, Any] = {
        "status": "ok",
        "drug": loaded.name,
        "route": route,
        "dose": dose_text,
        "soma_depth_um": target_um,
        "main_time_min": float(times[main]),
        "times_min": times,
        "depth_um": depths,
        "routes": [_finite(_entry(loaded, *one, depths, times, main, p)) for one in seen],
        "cautions": list(loaded.cautions()),
    }
    if output is not None:
        fine = _FINE_DEPTHS_UM
        if isinstance(exposure, Table):
            fine = np.unique(np.clip(fine, exposure.depth_um[0], exposure.depth_um[-1]))
        lines = {
            **result,
            "depth_um": fine,
            "routes": [_finite(_entry(loaded, *one, fine, times, main, p)) for one in seen],
        }
        with result_directory(output, "exposure", overwrite=overwrite) as folder:
            write_json(folder / "exposure.json", {**result, "provenance": provenance()}, FORMAT)
            write_text(folder / "exposure.csv", _csv(lines))
            from ketune.report._exposure_figure import save_figure

            save_figure(lines, folder / "exposure.png")
        result["directory"] = str(output)
    return result


def _target_depth(drug: Drug, soma_depth: str | None, overrides: dict[str, float]) -> float:
    if soma_depth is not None:
        overrides["topical.soma_depth"] = units.parse(soma_depth, "um", "--soma-depth")
    depth = drug.values(overrides)["topical.soma_depth"]
    what = "topical.soma_depth" if soma_depth is None else "--soma-depth"
    pharmacology.depth_below_pia([0.0], 0.0, depth, what=what)
    overrides.setdefault("focal.depth", depth)
    return depth


def _times(at: Sequence[str], exposure: Exposure) -> Array:
    if at:
        given = [units.parse(text, "min", "--at") for text in at]
        pharmacology.check_increasing(given, at, "--at")
        return np.array(given)
    times = np.array(_DEFAULT_TIMES_MIN)
    if isinstance(exposure, Table):
        times = times[(times >= exposure.time_min[0]) & (times <= exposure.time_min[-1])]
        times = times if times.size else exposure.time_min[-1:]
    return times


def _depths(depth: Sequence[str], target_um: float, exposure: Exposure) -> Array:
    depths = [units.parse(text, "um", "--depth") for text in depth]
    for text, value in zip(depth, depths, strict=True):
        if value > CORTEX_UM:
            raise InputError(f"--depth {text} lies outside the cortex; give 0 to {CORTEX_UM:g} um")
    chosen = np.unique([*(depths or _DEFAULT_DEPTHS_UM), target_um])
    if isinstance(exposure, Table) and not depths:
        inside = (chosen >= exposure.depth_um[0]) & (chosen <= exposure.depth_um[-1])
        return chosen[inside | (chosen == target_um)]
    return chosen


def _family(route: str) -> str:
    return {"iv": "ip"}.get(route, route.partition("-")[0])


def _others(
    drug: Drug,
    route: str,
    exposure: Exposure,
    target_um: float,
    time_min: float,
    overrides: Mapping[str, float],
) -> list[tuple[str, str, Exposure]]:
    """The other routes at the dose that brings the same concentration to the target at that time."""
    wanted = float(pharmacology.concentration(exposure, [target_um], [time_min])[0, 0])
    if wanted <= 0:
        raise InputError(
            f"--compare: route {route} brings no drug to {target_um:g} um by {time_min:g} min; give another --at"
        )
    out = []
    for other in pharmacology.COMPARED:
        if _family(other) == _family(route):
            continue
        amount = pharmacology.equal_dose(drug, other, wanted, target_um, time_min, overrides)
        there = pharmacology.make_exposure(drug, other, amount, overrides=overrides)
        if isinstance(there, Iontophoresis) and "focal.duration" not in overrides:
            # Compared while the current flows: after it, the concentration has no more to do with the current.
            there = replace(there, duration_s=60.0 * time_min)
            held = float(pharmacology.concentration(there, [target_um], [time_min])[0, 0])
            amount *= wanted / held
            there = replace(there, rate=there.rate * wanted / held)
        out.append((other, dose_text(other, amount), there))
    return out


def dose_text(route: str, amount: float) -> str:
    """A dose in the route's unit as a person would write it."""
    unit = DOSE_UNITS[route]
    if unit == "uM" and amount >= 1000.0:
        return f"{amount / 1000.0:.3g} mM"
    return f"{amount:.3g} {unit}"


def _entry(
    drug: Drug,
    route: str,
    dose: str,
    exposure: Exposure,
    depths: Array,
    times: Array,
    main: int,
    p: Mapping[str, float],
) -> dict[str, Any]:
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # what comes of it is looked at
        free = np.asarray(pharmacology.concentration(exposure, depths, times))
        effects = pharmacology.target_effects(
            drug, free, {k: v for k, v in p.items() if k in drug.parameters}
        )
        formed = pharmacology.metabolites(exposure, depths, times)
    return {
        "route": route,
        "dose": dose,
        "concentration_uM": free,
        "effects": effects,
        "metabolites": {
            name: {
                "concentration_uM": c,
                "nmda_equivalent_uM": p.get(f"systemic.{name}_equivalence", 0.0) * c,
            }
            for name, c in formed.items()
        },
        "notes": _notes(route, exposure, drug, p),
    }


def _finite(entry: dict[str, Any]) -> dict[str, Any]:
    """The entry, where its numbers are numbers."""
    formed = {name: numbers["concentration_uM"] for name, numbers in entry["metabolites"].items()}
    for what, values in {"concentration_uM": entry["concentration_uM"], **formed, **entry["effects"]}.items():
        if not np.all(np.isfinite(values)):
            raise InputError(
                f"route {entry['route']}: no finite {what} comes of these numbers; check --dose, --at and --set"
            )
    return entry


def _notes(route: str, exposure: Exposure, drug: Drug, p: Mapping[str, float]) -> list[str]:
    if not isinstance(exposure, pharmacology.Systemic):
        return []
    notes = []
    mg_kg = float(exposure.peak_uM) / p["systemic.uM_per_mg_kg"]
    if mg_kg > 1.000001 * _CHECKED_MG_KG:
        notes.append(
            f"{mg_kg:.3g} mg/kg lies beyond the {_CHECKED_MG_KG:g} mg/kg up to which the law was compared with "
            "measurements: an extrapolation"
        )
    notes += [
        f"{name} is formed by an assumed share ({fraction:g} of what is eliminated); the effects are those of "
        f"{drug.name} alone"
        for name, fraction, _ in exposure.metabolites
    ]
    return notes


def _csv(result: Mapping[str, Any]) -> str:
    """All numbers of the figure, one row for each route, time and depth."""
    names = tuple(dict.fromkeys(name for entry in result["routes"] for name in entry["effects"]))
    formed = tuple(dict.fromkeys(name for entry in result["routes"] for name in entry["metabolites"]))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        ["route", "dose", "time_min", "depth_um", "concentration_uM", *names, *(f"{m}_uM" for m in formed)]
    )
    for entry in result["routes"]:
        for i, time in enumerate(result["times_min"]):
            for j, depth in enumerate(result["depth_um"]):
                numbers = [time, depth, entry["concentration_uM"][i, j]]
                numbers += [entry["effects"][name][i, j] for name in names]
                there = entry["metabolites"]
                numbers += [there[m]["concentration_uM"][i, j] if m in there else 0.0 for m in formed]
                writer.writerow([entry["route"], entry["dose"], *(f"{x:.6g}" for x in numbers)])
    return out.getvalue()


_HEADS = {
    "nmda_block": "NMDA",
    "ampa_block": "AMPA",
    "pv_drive": "PV",
    "sst_drive": "SST",
    "vip_drive": "VIP",
    "hcn_shift_mV": "HCN mV",
    "hcn_block": "HCN",
    "nav_block": "Nav",
    "kv_block": "Kv",
    "kv_shift_mV": "Kv mV",
    "cal_block": "CaL",
    "gabaa_gain": "GABA-A",
    "gabaa_decay": "decay",
    "tonic_gaba_gain": "tonic",
}


def describe(result: Mapping[str, Any]) -> Iterator[str]:
    """The result as small tables for a terminal."""
    times, main = list(result["times_min"]), result["main_time_min"]
    compared = len(result["routes"]) > 1
    soma = result["soma_depth_um"]
    if compared:
        yield f"routes at equal NMDA block at {soma:g} um after {main:g} min"
    for entry in result["routes"]:
        yield ""
        yield f"{result['drug']}, {entry['route']}, {entry['dose']}"
        shown = [main] if compared else times
        fields = pharmacology.shown_fields(entry["effects"])
        heads = ["   min", "depth um", "free uM", *(_HEADS[name] for name in fields)]
        widths = [max(len(h), 8) for h in heads]
        yield "  ".join(h.rjust(w) for h, w in zip(heads, widths, strict=True))
        everywhere = bool(np.all(np.ptp(entry["concentration_uM"], axis=1) == 0))
        for time in shown:
            i = times.index(time)
            for j, depth in enumerate(result["depth_um"]):
                if everywhere and depth != soma:
                    continue
                row = [f"{time:g}", "any" if everywhere else f"{depth:g}"]
                row.append(f"{entry['concentration_uM'][i, j]:.3g}")
                for name in fields:
                    value = entry["effects"][name][i, j]
                    row.append(f"{value:.1f}" if name.endswith("mV") else f"{value:.2f}")
                line = "  ".join(text.rjust(w) for text, w in zip(row, widths, strict=True))
                yield line + ("  target" if depth == soma and not everywhere else "")
        for name, numbers in entry["metabolites"].items():
            each = ", ".join(
                f"{numbers['concentration_uM'][times.index(t), 0]:.2g} uM after {t:g} min" for t in shown
            )
            alike = ", ".join(f"{numbers['nmda_equivalent_uM'][times.index(t), 0]:.2g}" for t in shown)
            yield f"{name}: {each} (at NMDA receptors like {alike} uM {result['drug']})"
        yield from (f"note: {note}" for note in entry["notes"])
    yield ""
    yield "PV, SST, VIP: factor on firing; GABA-A, tonic: factor on conductance; mV: shift; others: share blocked"
    n = len(result["cautions"])
    yield f"{n} numbers behind this are assumed or recalled, and concentrations are uncertain ten-fold: see --json"
    if "directory" in result:
        yield result["directory"]
