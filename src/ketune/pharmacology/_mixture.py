"""Several drugs at once over time: what is given, what was there before, and what it does to the neuron."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ketune.errors import InputError
from ketune.pharmacology._block import BLOCK_MODELS, has_kinetics
from ketune.pharmacology._combined import combined, relative
from ketune.pharmacology._dopamine import with_dopamine
from ketune.pharmacology._drug import Drug, load_drug
from ketune.pharmacology._effect import DrugEffect, effect
from ketune.pharmacology._exposure import ONCE, Exposure, Schedule, concentration, metabolites
from ketune.pharmacology._nmda_levels import NmdaDrive, interneuron_block, pyramid_block

Array = NDArray[np.float64]

_AFTER_DOSE = 60  # times after each dose at which concentration is taken


@dataclass(frozen=True, eq=False)
class Administration:
    """One drug, given by one route from ``start_min`` on; every concentration is ``scale`` times the exposure's."""

    drug: Drug
    exposure: Exposure
    start_min: float = 0.0
    scale: float = 1.0


@dataclass(frozen=True, eq=False)
class Baseline:
    """A drug that is there all the time at one concentration, such as an anaesthetic."""

    drug: Drug
    concentration_uM: float


@dataclass(frozen=True, eq=False)
class Dosing:
    """All drugs that a neuron meets, and how its receptors are modelled.

    Attributes
    ----------
    administrations
        What is given; the first one's drug is the one that results are named after.
    depth_um
        ``(n,)`` of each compartment below the pia. Along the surface the whole neuron is where its soma is.
    baseline
        Drugs present throughout.
    baseline_recorded
        Whether the recording was made under the baseline. Its effects are then in the fitted parameters already, and
        a condition has what the drug adds; otherwise control and drugged conditions both get the baseline on top.
    targets
        What the administered drugs may act on; None for all. The baseline acts on everything.
    block_model
        How NMDA receptors are blocked: one of ``BLOCK_MODELS``.
    overrides
        Numbers of a drug by its name and their dotted names.
    apical
        ``bool (n,)`` where dopamine is modelled, else None.
    """

    administrations: tuple[Administration, ...]
    depth_um: Array
    baseline: tuple[Baseline, ...] = ()
    baseline_recorded: bool = True
    targets: frozenset[str] | None = None
    block_model: str = "equilibrium"
    overrides: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    apical: Array | None = None

    def __post_init__(self) -> None:
        if self.block_model not in BLOCK_MODELS:
            raise InputError(f"--block-model {self.block_model}: known are {', '.join(BLOCK_MODELS)}")
        if self.block_model != "equilibrium" and not self._has_rates(self.drug):
            raise InputError(
                f"--block-model {self.block_model}: drug {self.drug.name} is no blocker of the NMDA pore with known "
                "rates (nmda.k_on, nmda.k_esc); leave the option out"
            )

    @property
    def drug(self) -> Drug:
        """The drug that results are named after."""
        return self.administrations[0].drug

    def given(self, times_min: Sequence[float] | Array) -> dict[str, tuple[Drug, Array]]:
        """Concentration of every administered drug and its metabolites, ``(t, n)`` uM each, by name."""
        times = np.asarray(times_min, dtype=float)
        found: dict[str, tuple[Drug, Array]] = {}

        def add(drug: Drug, c: Array) -> None:
            before = found[drug.name][1] if drug.name in found else 0.0
            found[drug.name] = (drug, before + c)

        for a in self.administrations:
            where = (a.exposure, self.depth_um, times - a.start_min)
            add(a.drug, a.scale * concentration(*where))
            for name, c in metabolites(*where).items():
                add(load_drug(name), a.scale * c)
        return found

    def control(self, drive: NmdaDrive) -> DrugEffect | None:
        """The effect in the control condition; None where there is none or it is in the recording already."""
        return None if self.baseline_recorded else self._baseline_effect(drive)

    def effects(
        self, times_min: Sequence[float], drive: NmdaDrive, labels: Sequence[str]
    ) -> list[DrugEffect]:
        """The effect at each time.

        Parameters
        ----------
        drive
            How NMDA receptors are used: mean open potential and rate of events.
        labels
            Name of the condition at each time.
        """
        equilibrium = self.block_model == "equilibrium"
        grid = np.unique(times_min) if equilibrium else _history(self.administrations, times_min)
        given = self.given(grid)
        parts = {
            name: self._effects_of(drug, grid, c, times_min, drive, labels)
            for name, (drug, c) in given.items()
        }
        before = self._baseline_effect(drive, without=frozenset(parts))
        total = []
        for i in range(len(times_min)):
            joined = before
            for name, effects in parts.items():
                joined = _join(joined, effects[i], self._open_channel(given[name][0]))
            assert joined is not None
            total.append(joined)
        main = parts[self.drug.name]
        p = self._numbers(self.drug)
        out = []
        base = self._baseline_effect(drive) if self.baseline_recorded else None
        for own, sum_ in zip(main, total, strict=True):
            named = _named_as(own, sum_)
            if base is not None:
                named = relative(named, base)
            out.append(named if self.apical is None else with_dopamine(named, p, self.apical))
        return out

    def _effects_of(
        self,
        drug: Drug,
        grid: Array,
        c: Array,
        times_min: Sequence[float],
        drive: NmdaDrive,
        labels: Sequence[str],
    ) -> list[DrugEffect]:
        """One drug's effects, with what of it was there before."""
        own = {name: x for name, x in self.overrides.get(drug.name, {}).items()}
        resident = sum(b.concentration_uM for b in self.baseline if b.drug.name == drug.name)
        p = self._numbers(drug)
        # A metabolite or a second drug whose rates are not known is taken in equilibrium.
        model = self.block_model if self._has_rates(drug) else "equilibrium"
        pyramid = pyramid_block(model, drug, p, grid, c + resident, drive, resident)
        inside = interneuron_block(model, drug, p, grid, c[:, 0] + resident, resident)
        at = np.searchsorted(grid, np.asarray(times_min, dtype=float))
        targets = drug.targets if self.targets is None else self.targets & drug.targets
        return [
            effect(
                drug,
                c[i] + resident,
                drive.v_bar_mV,
                targets=targets,
                overrides=own,
                nmda_block=pyramid[i],
                interneuron_block=float(inside[i]),
                label=label,
                time_min=t,
            )
            for i, t, label in zip(at, times_min, labels, strict=True)
        ]

    def _numbers(self, drug: Drug) -> dict[str, float]:
        return drug.values(self.overrides.get(drug.name))

    def _has_rates(self, drug: Drug) -> bool:
        return self._open_channel(drug) and has_kinetics(self._numbers(drug))

    def _open_channel(self, drug: Drug) -> bool:
        return drug.laws.get("nmda") == "open-channel"

    def _baseline_effect(self, drive: NmdaDrive, without: frozenset[str] = frozenset()) -> DrugEffect | None:
        """What the drugs that are always there do together."""
        joined: DrugEffect | None = None
        n = len(self.depth_um)
        for b in self.baseline:
            if b.drug.name in without:
                continue
            p, c = self._numbers(b.drug), np.full((1, n), b.concentration_uM)
            at = np.zeros(1)
            one = effect(
                b.drug,
                c[0],
                drive.v_bar_mV,
                overrides=self.overrides.get(b.drug.name),
                nmda_block=pyramid_block("equilibrium", b.drug, p, at, c, drive, 0.0)[0],
                interneuron_block=float(interneuron_block("equilibrium", b.drug, p, at, c[:, 0], 0.0)[0]),
                label="before",
            )
            joined = _join(joined, one, self._open_channel(b.drug))
        return joined


def _join(one: DrugEffect | None, other: DrugEffect, same_site: bool) -> DrugEffect:
    return other if one is None else combined(one, other, same_site=same_site)


def _named_as(own: DrugEffect, total: DrugEffect) -> DrugEffect:
    return replace(total, label=own.label, time_min=own.time_min, concentration_uM=own.concentration_uM)


def _history(administrations: Sequence[Administration], times_min: Sequence[float]) -> Array:
    """Times from the first dose to the last look, dense after each dose, with all looks among them.

    Between them concentration is linear; the block is solved on pieces of its own (see ``kinetic_block``).
    """
    first = min((a.start_min for a in administrations), default=0.0)
    last = max([*times_min, first + 1.0])
    starts = [
        a.start_min + k * s.every_min
        for a in administrations
        for s in [_schedule(a)]
        for k in range(s.n_doses)
    ]
    after = [
        t + np.concatenate([[-1e-3, 1e-3], np.geomspace(0.05, last - t, _AFTER_DOSE)])
        for t in starts
        if t < last - 0.05
    ]
    grid = np.unique(
        np.concatenate([*after, np.asarray(times_min, float), [min(first, min(times_min)) - 1e-3]])
    )
    return grid[grid <= last]


def _schedule(administration: Administration) -> Schedule:
    return getattr(administration.exposure, "schedule", ONCE)
