"""From a configuration to jobs."""

from hypothesis import given
from hypothesis import strategies as st

from ketune.batch import Job, plan_batch
from ketune.batch._job import InputFile
from ketune.batch._settings import FitSettings

HYPOTHESES = """
[[recording]]
file = "cell.csv"
[[hypothesis]]
name = "nmda"
targets = "nmda"
[[hypothesis]]
name = "all"
[[apply]]
drug = "ketamine"
dose = "10 mg/ml"
at = "30 min"
name = "early"
[[apply]]
drug = "ketamine"
dose = "1 mg/ml"
at = ["60 min"]
name = "weak"
"""


def job(**changed) -> Job:
    file = InputFile(path="inputs/1/cell.csv", sha256="ab" * 32, original="/data/cell.csv")
    fields = {
        "recording_name": "cell",
        "model_name": "default",
        "hypothesis": None,
        "recording": file,
        "seed": 1,
        "fit": FitSettings(),
    }
    return Job(**(fields | changed))


def test_every_recording_with_every_model_and_seed(configure, tmp_path, recording):
    (tmp_path / "cells").mkdir()
    for name in "ab":
        (tmp_path / "cells" / f"{name}.csv").write_text(recording.read_text() + f"# {name}\n")
    path = configure(
        "seeds = [3, 4]",
        tables='[[recording]]\nfile = "cells/*.csv"\n[[model]]\n'
        '[[model]]\nname = "small"\nmorphology = "small_pyramidal"\n',
    )
    plan = plan_batch(path)
    assert [j.label for j in plan.jobs] == [
        f"{name}{model}, seed {seed}" for name in "ab" for model in ("", ", small") for seed in (3, 4)
    ]
    assert plan.counts == {"recordings": 2, "models": 2, "hypotheses": 1, "seeds": 2}
    assert len({j.key for j in plan.jobs}) == 8


def test_neurons_of_a_file_and_rows_of_a_table(configure, tmp_path):
    rows = "\n".join(
        f"{o},{t},{o // 45 + t},{n}" for n in ("x", "y") for t in (1, 2) for o in (0, 45, 90, 135)
    )
    (tmp_path / "many.csv").write_text(f"orientation_deg,trial,spikes,neuron\n{rows}\n")
    (tmp_path / "cells.csv").write_text(
        "# two of them\nfile,neuron,window\nmany.csv,x,0.5 s\nmany.csv,y,1 s\n"
    )
    starred = plan_batch(
        configure(tables='[[recording]]\nfile = "many.csv"\nneuron = "*"\nwindow = "0.5 s"\n')
    )
    assert [(j.neuron, j.window) for j in starred.jobs] == [("x", "0.5 s"), ("y", "0.5 s")]
    table = plan_batch(configure(tables='[[recording]]\ntable = "cells.csv"\n'))
    assert [(j.neuron, j.window) for j in table.jobs] == [("x", "0.5 s"), ("y", "1 s")]
    assert starred.jobs[0].key == table.jobs[0].key


def test_hypotheses_about_the_applied_drug_share_a_fit(configure):
    (only,) = plan_batch(configure(tables=HYPOTHESES)).jobs
    assert [a.name for a in only.applications] == ["nmda-early", "all-early", "nmda-weak", "all-weak"]
    assert [a.settings.request.targets for a in only.applications] == ["nmda", None, "nmda", None]
    assert only.applications[2].settings.request.at == ("60 min",)


def test_hypotheses_about_the_fit_are_fits_of_their_own(configure, tmp_path, recording):
    text = recording.read_text().splitlines()
    rows = [f"{row},{c}" for c in ("control", "ketamine") for row in text[1:]]
    recording.write_text("\n".join([text[0] + ",condition", *rows]) + "\n")
    plan = plan_batch(
        configure(
            tables='[[recording]]\nfile = "cell.csv"\nwith = "ketamine"\n'
            + "".join(f'[[hypothesis]]\nname = "{n}"\nactions = "{n}"\n' for n in ("nmda", "pv"))
        )
    )
    assert [(j.hypothesis, j.actions) for j in plan.jobs] == [("nmda", "nmda"), ("pv", "pv")]


def test_inputs_are_copied_once_and_jobs_read_the_copies(configure, tmp_path, recording):
    plan = plan_batch(configure("seeds = [1, 2]"))
    plan.inputs.copy_to(tmp_path / "out")
    copies = [p for p in (tmp_path / "out").rglob("*") if p.is_file()]
    assert [p.read_text() for p in copies] == [recording.read_text()]
    assert {j.data(tmp_path / "out") for j in plan.jobs} == set(copies)


def test_the_key_is_that_of_the_contents():
    moved = InputFile(path="inputs/2/other.csv", sha256="ab" * 32, original="/elsewhere/other.csv")
    changed = InputFile(path="inputs/1/cell.csv", sha256="cd" * 32, original="/data/cell.csv")
    assert job(recording=moved, recording_name="other").key == job().key
    for other in (
        job(recording=changed),
        job(seed=2),
        job(actions="nmda"),
        job(window="1 s"),
        job(morphology=moved),
        job(fit=FitSettings(effort="quick")),
    ):
        assert other.key != job().key


@given(st.integers(0, 10**6), st.text(min_size=1), st.text(min_size=1, max_size=200))
def test_a_job_survives_json_and_its_folder_is_a_plain_name(seed, neuron, name):
    one = job(seed=seed, neuron=neuron, recording_name=name)
    again = Job.model_validate_json(one.model_dump_json())
    assert again == one
    assert again.key == one.key
    assert one.folder.endswith(one.key)
    assert "/" not in one.folder
    assert not one.folder.startswith(".")
    assert len(one.folder) < 120


def test_fresh_seeds_are_apart():
    seeds = {job(seed=s).seed_of(a) for s in range(1000) for a in range(20)}
    assert len(seeds) == 20_000
