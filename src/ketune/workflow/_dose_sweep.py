"""A plan's only administration at any dose and with any numbers of the drug: what a dose-response asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np

from ketune import pharmacology
from ketune.errors import InputError
from ketune.pharmacology import DOSE_UNITS, Administration, Dosing, Drug, DrugEffect, NmdaDrive
from ketune.progress import Progress
from ketune.workflow._attribution import attribute, relevant_parameters
from ketune.workflow._dose_range import DoseRange, dose_range
from ketune.workflow._dose_response import dose_response
from ketune.workflow._dosing import DrugRequest, Prepared
from ketune.workflow._simulation import CONTROL, Condition, FittedNeuron

MIN_SAMPLES = 20
"""Fewer have no 5 % and 95 % quantiles worth drawing."""
_DEFAULTS: Mapping[str, float] = MappingProxyType({})
_BASE_SIZE = 128  # of the Sobol design: it is run n (factors + 2) times, on the emulator


def with_middle_dose(request: DrugRequest, doses: str) -> DrugRequest:
    """The request with the middle of the doses where it names none, in a bath unless a route is given."""
    if request.protocol is not None or request.table is not None:
        raise InputError("--doses: varies one dose; leave out --protocol and --table")
    if request.dose is None:
        drug, route = pharmacology.load_drug(request.drug), pharmacology.canonical_route(request.route)
        wanted = _range(doses, drug, route, request.as_base)
        # As it would be written: a dose of the base is more of the salt, which values are in.
        written = pharmacology.read_dose(drug, route, f"1 {wanted.unit}", as_base=request.as_base)
        middle = wanted.values[len(wanted.values) // 2] / written
        request = replace(request, dose=f"{middle:.3g} {wanted.unit}")
    return request if request.at else replace(request, at=("30 min",))


def _range(text: str, drug: Drug, route: str, as_base: bool) -> DoseRange:
    """The doses of a range or list, in the route's unit."""

    def read(dose: str) -> float:
        return pharmacology.read_dose(drug, route, dose, as_base=as_base, what="--doses")

    return dose_range(text, DOSE_UNITS[route], read)


class DoseSweep:
    """The effect of a dose under overrides of the drug's numbers, at one time after application.

    Concentration is proportional to dose by every route, so exposures are solved once for each set of numbers.

    Parameters
    ----------
    plan
        Of one dose by a route that can be scaled.
    drive
        How the neuron uses its NMDA receptors.
    time_min
        When to look.

    Raises
    ------
    InputError
        The plan has several doses or a table.
    """

    def __init__(self, plan: Prepared, drive: NmdaDrive, time_min: float) -> None:
        if len(plan.dosing.administrations) > 1:
            raise InputError(
                "--doses: a protocol of several doses has no one dose to vary; give --route instead"
            )
        self.entry = plan.protocol.dose[0]
        self.route = pharmacology.canonical_route(self.entry.route)
        if not DOSE_UNITS[self.route]:
            raise InputError(f"--doses: route {self.route} has no dose to vary")
        self.plan, self.drive, self.time_min = plan, drive, time_min
        self._last: tuple[Mapping[str, float], Dosing] | None = None

    def __call__(self, dose: float, overrides: Mapping[str, float]) -> DrugEffect:
        """The effect of ``dose``, in the route's unit."""
        return self.over_time(dose, [self.time_min], overrides)[0]

    def over_time(
        self, dose: float, times_min: Sequence[float], overrides: Mapping[str, float] = _DEFAULTS
    ) -> list[DrugEffect]:
        """The effect of ``dose`` at several times."""
        dosing = self._unit_dose(overrides)
        given = replace(dosing.administrations[0], scale=dose)
        labels = [f"{dose:g} {DOSE_UNITS[self.route]}"] * len(times_min)
        return replace(dosing, administrations=(given,)).effects(times_min, self.drive, labels)

    def _unit_dose(self, overrides: Mapping[str, float]) -> Dosing:
        if self._last is not None and self._last[0] is overrides:
            return self._last[1]
        base = self.plan.dosing
        drug = base.drug
        numbers = {**base.overrides.get(drug.name, {}), **self.entry.set, **overrides}
        moved = overrides.get("topical.soma_depth", self.plan.soma_depth_um) - self.plan.soma_depth_um
        # A dose of 1: what the protocol says it is scales it.
        exposure = pharmacology.make_exposure(
            drug,
            self.route,
            1.0,
            overrides=numbers,
            every=self.entry.every,
            n_doses=self.entry.n_doses,
        )
        dosing = replace(
            base,
            administrations=(Administration(drug, exposure, base.administrations[0].start_min),),
            depth_um=np.maximum(base.depth_um + moved, 0.0),
            overrides={**base.overrides, drug.name: numbers},
        )
        self._last = (overrides, dosing)
        return dosing

    def uncertain(self, request: DrugRequest) -> tuple[str, ...]:
        """The drug's numbers that are drawn: those that play a part by this route and were not set by hand.

        The potential and the rate of events at the pyramid's receptors come from the fitted neuron.
        """
        parts = {"bath": (), "topical": ("topical",), "topical-constant": ("topical",)}
        groups = parts.get(self.route, ("systemic",) if self.route in ("ip", "iv") else ("focal", "topical"))
        outside = {"topical", "systemic", "focal", "molar_mass", "dopamine"} - set(groups)
        if self.plan.dosing.apical is not None:
            outside.discard("dopamine")
        fixed = {
            "pyramid.v_bar",
            "pyramid.event_rate",
            *self.plan.dosing.overrides.get(self.plan.drug.name, {}),
        }
        if request.soma_depth is not None or self.route in ("bath", "ip", "iv"):
            fixed.add("topical.soma_depth")
        return tuple(
            name
            for name in pharmacology.uncertain_parameters(self.plan.drug)
            if name.split(".")[0] not in outside and name not in fixed
        )

    def range(self, text: str) -> DoseRange:
        """The doses of a range or list, in the route's unit."""
        return _range(text, self.plan.drug, self.route, self.entry.as_base)

    def respond(
        self,
        neuron: FittedNeuron,
        doses: DoseRange,
        request: DrugRequest,
        *,
        samples: int,
        seed: int,
        progress: Progress,
    ) -> dict[str, Any]:
        """The response to every dose, with bands over draws of the drug's numbers and what they depend on."""
        drug, assays, names = self.plan.drug, self.plan.assays, self.uncertain(request)
        measured = pharmacology.joint_names(assays)
        own = tuple(name for name in names if name not in measured)
        drawn = pharmacology.sample_parameters(drug, samples, seed, own)
        if assays:
            joint = pharmacology.assay_overrides(assays, samples, seed)
            drawn = [a | b for a, b in zip(drawn, joint, strict=True)]
        control = Condition(CONTROL.label, self.plan.dosing.control(self.drive))
        response = dose_response(
            neuron, self, doses, [{}, *drawn], control=control, seed=seed, progress=progress
        )
        dose = response.steepest_dose()
        matter = relevant_parameters(response, drug, self, dose, own)
        design = pharmacology.sobol_design(drug, matter, _BASE_SIZE, seed, assays)
        with progress.task("which uncertain number matters", len(design.overrides)) as task:
            shares = attribute(response, self, design, dose=dose, seed=seed, on_advance=task.advance)
        return {
            **response.as_dict(),
            "time_min": self.time_min,
            "drawn": [*own, *(found.label for found in assays)],
            "attribution": shares.as_dict(),
        }
