"""From a configuration to jobs, everything checked before anything starts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from ketune import morphology as morphologies
from ketune.batch._inputs import Inputs
from ketune.batch._job import Application, InputFile, Job
from ketune.batch._recordings import Source, sources
from ketune.batch._settings import BatchSettings, HypothesisSettings, ModelSettings, read_settings
from ketune.cell import Cell
from ketune.errors import InputError
from ketune.progress import NullProgress, Progress
from ketune.storage import slug
from ketune.workflow import DrugRequest, FitRequest, cell_from, drug_plan

_FILES_OF_A_DRUG = ("protocol", "table", "assay")


@dataclass(frozen=True, eq=False)
class BatchPlan:
    """What a configuration asks for.

    Attributes
    ----------
    source
        The configuration's file.
    counts
        Recordings, models, fits of a hypothesis each, seeds: their product is the number of jobs.
    """

    source: Path
    name: str
    settings: BatchSettings
    jobs: tuple[Job, ...]
    inputs: Inputs
    counts: dict[str, int]


def plan_batch(path: str | Path, *, progress: Progress | None = None) -> BatchPlan:
    """Read a configuration, find everything it names, and check every job.

    Raises
    ------
    InputError
        One line with the file and the entry that is wrong.
    """
    path = Path(path)
    settings = read_settings(path)
    with _opening(str(path)):
        return _planned(path, settings, progress or NullProgress())


@contextmanager
def _opening(words: str) -> Iterator[None]:
    try:
        yield
    except InputError as error:
        raise InputError(f"{words}: {error}") from None


def _planned(path: Path, settings: BatchSettings, progress: Progress) -> BatchPlan:
    inputs, base = Inputs(), path.parent
    models = [_model(m, inputs, base) for m in settings.model]
    every_source = list(sources(settings.recording, base))
    groups = _hypothesis_groups(settings.hypothesis)
    jobs = []
    for source in every_source:
        with _opening(source.where):
            recording, joint, joint_files = _files(source, inputs, base)
        for model, (model_file, morphology_file) in zip(settings.model, models, strict=True):
            for hypothesis, actions, group in groups:
                applications = tuple(_applications(settings, group, inputs, base))
                first = Job(
                    recording_name=source.name,
                    model_name=model.name,
                    hypothesis=hypothesis,
                    recording=recording,
                    neuron=source.neuron,
                    condition=source.settings.condition,
                    window=source.settings.window,
                    fold=source.settings.fold,
                    radians=source.settings.radians,
                    layout=source.settings.layout,
                    spontaneous=source.settings.spontaneous,
                    joint=joint,
                    joint_files=joint_files,
                    model=model_file,
                    morphology=morphology_file,
                    actions=actions,
                    seed=settings.seeds[0],
                    fit=settings.fit,
                    applications=applications,
                )
                jobs += [first.model_copy(update={"seed": seed}) for seed in settings.seeds]
    _refuse_equal(jobs)
    _check(jobs, inputs, progress)
    counts = {
        "recordings": len(every_source),
        "models": len(models),
        "hypotheses": len(groups),
        "seeds": len(settings.seeds),
    }
    return BatchPlan(path, settings.name or path.stem, settings, tuple(jobs), inputs, counts)


def _model(model: ModelSettings, inputs: Inputs, base: Path) -> tuple[InputFile | None, InputFile | None]:
    with _opening(f"model '{model.name}'"):
        file = None if model.file is None else inputs.add(base / model.file, "cell model")
        if model.morphology is None:
            return file, None
        shipped = morphologies.shipped_morphologies().get(model.morphology)
        return file, inputs.add(shipped or base / model.morphology, "morphology")


def _files(
    source: Source, inputs: Inputs, base: Path
) -> tuple[InputFile, tuple[str, ...], tuple[InputFile, ...]]:
    """The recording's file, and its further conditions in it and in files of their own."""
    others = {name: base / name for name in source.settings.joint}
    files = tuple(inputs.add(p, "recording") for p in others.values() if p.is_file())
    inside = tuple(name for name, p in others.items() if not p.is_file())
    return inputs.add(source.path, "recording"), inside, files


def _hypothesis_groups(
    hypotheses: tuple[HypothesisSettings, ...],
) -> list[tuple[str | None, str | None, tuple[HypothesisSettings, ...]]]:
    """One fit each: name, actions, and the hypotheses that share it."""
    if not hypotheses:
        return [(None, None, ())]
    found: list[tuple[str | None, str | None, tuple[HypothesisSettings, ...]]] = []
    for actions, members in groupby(sorted(hypotheses, key=lambda h: h.actions or ""), lambda h: h.actions):
        group = tuple(members)
        if actions is None:
            found.append((None, None, group))
        else:
            found += [(h.name, actions, (h,)) for h in group]
    return found


def _applications(
    settings: BatchSettings, hypotheses: tuple[HypothesisSettings, ...], inputs: Inputs, base: Path
) -> Iterator[Application]:
    for number, entry in enumerate(settings.apply, 1):
        with _opening(f"apply {number}"):
            named = {key: getattr(entry.request, key) for key in _FILES_OF_A_DRUG}
            files = {key: inputs.add(base / name, key) for key, name in named.items() if name is not None}
            nothing: dict[str, Any] = dict.fromkeys(files)
            plain = replace(entry.request, **nothing)
            for h in hypotheses or (None,):
                request = plain if h is None else _restricted(plain, h)
                own = str(number) if len(settings.apply) > 1 and entry.name is None else entry.name
                name = "-".join(part for part in (h and h.name, own) if part) or request.drug
                yield Application(
                    name=slug(name),
                    settings=entry.model_copy(update={"request": request, "name": None}),
                    files=files,
                )


def _restricted(request: DrugRequest, hypothesis: HypothesisSettings) -> DrugRequest:
    """The drug that may act on what a hypothesis says only."""
    if not (hypothesis.targets or hypothesis.without):
        return request
    if request.targets or request.without:
        raise InputError(
            f"says what the drug may act on, and so does hypothesis '{hypothesis.name}'; leave it out of one of them"
        )
    return replace(request, targets=hypothesis.targets, without=hypothesis.without)


def _refuse_equal(jobs: list[Job]) -> None:
    seen: dict[str, Job] = {}
    for job in jobs:
        other = seen.setdefault(job.key, job)
        if other is not job:
            raise InputError(
                f"two jobs would write the same place: '{other.label}' ({other.recording.original}) and "
                f"'{job.label}' ({job.recording.original}) have the same inputs; remove one"
            )
    for job in jobs:
        names = [a.name for a in job.applications]
        twice = next((n for n in names if names.count(n) > 1), None)
        if twice is not None:
            raise InputError(f"apply: two would write '{twice}'; give each [[apply]] a name of its own")


def _check(jobs: list[Job], inputs: Inputs, progress: Progress) -> None:
    """Read every recording and prepare every drug, as the jobs will; seeds apart, they are checked once."""
    cells: dict[tuple[str | None, str | None], Cell] = {}
    first_of = {job.model_copy(update={"seed": 0}).key: job for job in reversed(jobs)}
    checked: set[tuple[object, str]] = set()

    def place(file: InputFile | None) -> Path | None:
        return None if file is None else inputs.source(file)

    with progress.task("checking the jobs", len(first_of)) as task:
        for job in reversed(first_of.values()):
            if job.cell_key not in cells:
                with _opening(f"model '{job.model_name}'"):
                    cells[job.cell_key] = cell_from(
                        {"model": place(job.model), "morphology": place(job.morphology)}
                    )
            cell = cells[job.cell_key]
            with _opening(f"'{job.label}'"):
                _readable(job, inputs.source, cell)
            for application in job.applications:
                text = application.model_dump_json()
                if (job.cell_key, text) not in checked:
                    checked.add((job.cell_key, text))
                    with _opening(f"apply '{application.name}'"):
                        drug_plan(application.request(inputs.source), cell)
            task.advance()


def _readable(job: Job, source: Callable[[InputFile], Path], cell: Cell) -> None:
    request: FitRequest = job.fit_request(Path())
    files = (str(source(file)) for file in job.joint_files)
    replace(request, joint=(*job.joint, *files)).plan(source(job.recording), cell)
