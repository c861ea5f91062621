"""A cell described in one TOML file: channels per region, synapses, ports."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ketune import _toml, compartments, mechanisms
from ketune.cell import Cell, Placement
from ketune.errors import InputError
from ketune.morphology import Morphology, default_morphology

Positive = Annotated[float, Field(gt=0)]
ByRegion = float | dict[str, float]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MechanismModel(_Strict):
    """A mechanism: a shipped one by name, or a `.mod` file beside the model file, with the values of its tables.

    ``neuron_only`` accepts a file that cannot be translated; such a cell runs in NEURON alone, without gradients.
    """

    label: str
    mechanism: str
    tables: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {}
    neuron_only: bool = False

    def load(self) -> mechanisms.Mechanism:
        """The mechanism itself."""
        return mechanisms.load(self.mechanism, tables=self.tables, neuron_only=self.neuron_only)


class DensityModel(MechanismModel):
    """A channel: its parameters per region; it sits where its first parameter is given, or in its regions."""

    parameters: dict[str, ByRegion] = {}
    regions: tuple[str, ...] | None = None


class SynapseModel(MechanismModel):
    """A kind of synapse on each compartment of its regions.

    Synapses that share their states (see ``Mechanism.merging``) are one point process on each compartment. Of others
    there are ``per_compartment``, among which the connections on the compartment are dealt out; 1 is an approximation
    in which these act as one synapse.
    """

    port: str
    per_compartment: Annotated[int, Field(ge=1)] = 1
    regions: tuple[str, ...]
    within_um: Positive | None = None
    parameters: dict[str, float] = {}


class CellModel(_Strict):
    """The whole description. See ``data/models/cat_v1_l23.toml`` for a commented example."""

    name: str
    celsius: float
    v_init_mV: Annotated[float, Field(gt=-120, lt=-30)]
    ra_ohm_cm: Positive
    d_lambda: Annotated[float, Field(gt=0, le=2)]
    cm_uF_cm2: dict[str, float]
    reversal_mV: dict[str, float]
    concentration_mM: dict[str, Positive] = {}
    density: tuple[DensityModel, ...]
    synapse: tuple[SynapseModel, ...] = ()

    @model_validator(mode="after")
    def _known_names(self) -> CellModel:
        regions = set(compartments.REGIONS)
        for table in (
            self.cm_uF_cm2,
            *(p for d in self.density for p in d.parameters.values() if isinstance(p, dict)),
        ):
            if unknown := set(table) - regions:
                raise ValueError(
                    f"unknown region '{sorted(unknown)[0]}' (regions: {', '.join(compartments.REGIONS)})"
                )
        labels = [d.label for d in self.density] + [s.label for s in self.synapse]
        if duplicate := {x for x in labels if labels.count(x) > 1}:
            raise ValueError(f"label '{sorted(duplicate)[0]}' is used twice")
        if "leak" not in labels:
            raise ValueError(
                "a density mechanism with the label 'leak' is needed: it sets the resting potential"
            )
        return self


def read_model(path: str | Path) -> CellModel:
    """Read and check a cell model file.

    Raises
    ------
    InputError
        The file cannot be read, is no TOML, or a key is missing, unknown or out of range.
    """
    path = Path(path)
    content = _beside(path, _toml.read(path, "cell model"))
    with _toml.checking(path):
        return CellModel.model_validate(content)


def _beside(path: Path, content: dict[str, Any]) -> dict[str, Any]:
    """The content with the paths of `.mod` files taken from the model file's directory."""
    for entry in (*content.get("density", ()), *content.get("synapse", ())):
        mechanism = entry.get("mechanism") if isinstance(entry, dict) else None
        if isinstance(mechanism, str) and mechanism.endswith(".mod"):
            entry["mechanism"] = str(path.parent / mechanism)
    return content


@cache
def default_model() -> CellModel:
    """The shipped model of a cat V1 L2/3 pyramidal cell."""
    with resources.as_file(resources.files("ketune") / "data" / "models" / "cat_v1_l23.toml") as path:
        return read_model(path)


def build_cell(
    model: CellModel | None = None, morphology: Morphology | None = None, *, d_lambda: float | None = None
) -> Cell:
    """Put a model's mechanisms on a morphology; both default to the shipped ones.

    Parameters
    ----------
    d_lambda
        Replaces the model's own discretisation (fraction of the 100 Hz length constant).

    Raises
    ------
    InputError
        A mechanism lacks a parameter that the model sets, or the cell cannot rest at ``v_init_mV``.
    """
    model = model or default_model()
    table = compartments.build(
        morphology or default_morphology(),
        d_lambda=d_lambda or model.d_lambda,
        ra_ohm_cm=model.ra_ohm_cm,
        cm_uF_cm2=model.cm_uF_cm2,
    )
    placements = [_density(d, table) for d in model.density] + [_synapse(s, table) for s in model.synapse]
    ports: dict[str, tuple[str, ...]] = {}
    for s in model.synapse:
        ports[s.port] = (*ports.get(s.port, ()), s.label)
    return Cell(
        name=model.name,
        table=table,
        placements=tuple(p for p in placements if len(p.compartments)),
        ports=ports,
        reversal_mV=dict(model.reversal_mV),
        concentration_mM=dict(model.concentration_mM),
        celsius=model.celsius,
        v_init_mV=model.v_init_mV,
    ).rest_balanced()


def default_cell(**options: Any) -> Cell:
    """The shipped cat V1 L2/3 pyramidal cell, at rest; options as of :func:`build_cell`."""
    return build_cell(**options)


def _mechanism(model: DensityModel | SynapseModel) -> mechanisms.Mechanism:
    mechanism = model.load()
    if unknown := set(model.parameters) - set(mechanism.parameters):
        raise InputError(
            f"'{model.label}': mechanism '{mechanism.name}' has no parameter '{sorted(unknown)[0]}' "
            f"(it has {', '.join(mechanism.parameters)})"
        )
    return mechanism


def _density(model: DensityModel, table: compartments.CompartmentTable) -> Placement:
    mechanism = _mechanism(model)
    if mechanism.kind != "density":
        raise InputError(f"'{model.label}': {mechanism.name} is a point process; list it under [[synapse]]")
    first = next(iter(model.parameters.values()), 0.0)
    regions = model.regions or (tuple(first) if isinstance(first, dict) else compartments.REGIONS)
    present = np.isin(table.region, regions)
    rows = np.flatnonzero(present)
    return Placement(model.label, mechanism, rows, _values(mechanism, model.parameters, table.region[rows]))


def _synapse(model: SynapseModel, table: compartments.CompartmentTable) -> Placement:
    mechanism = _mechanism(model)
    if mechanism.kind == "density":
        raise InputError(
            f"'{model.label}': {mechanism.name} is a density mechanism; list it under [[density]]"
        )
    if model.per_compartment > 1 and mechanism.merging != "separate":
        raise InputError(
            f"'{model.label}': synapses of {mechanism.name} on one compartment share their states exactly; leave out "
            "per_compartment"
        )
    present = np.isin(table.region, model.regions)
    if model.within_um is not None:
        present &= table.path_um <= model.within_um
    rows = np.repeat(np.flatnonzero(present), model.per_compartment)
    return Placement(model.label, mechanism, rows, _values(mechanism, model.parameters, table.region[rows]))


def _values(
    mechanism: mechanisms.Mechanism, given: Mapping[str, ByRegion], region: np.ndarray
) -> dict[str, np.ndarray]:
    values = {}
    for name, parameter in mechanism.parameters.items():
        value = given.get(name, parameter.value)
        if isinstance(value, dict):
            values[name] = np.array([value.get(r, parameter.value) for r in region], float)
        else:
            values[name] = np.full(len(region), float(value))
    return values
