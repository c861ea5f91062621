"""What Jupyter shows of a batch's directory."""

from __future__ import annotations

from ketune.batch import BatchFolder, Limits, plan_batch
from ketune.storage import write_json


def test_counts_and_failures(configure, tmp_path):
    path = configure("seeds = [1, 2, 3]")
    folder = BatchFolder(tmp_path / "out")
    folder.make()
    jobs = plan_batch(path).jobs
    folder.write_batch("night <b>1</b>", path, jobs, Limits(time_limit_s=60.0, attempts=2))
    (folder.jobs_dir / f"cell-{jobs[0].key}").mkdir()
    failure = {
        "label": jobs[1].label,
        "kind": "error",
        "reason": "<script>alert(1)</script>",
        "attempts": [{}, {}],
        "log": "logs/x.log",
    }
    write_json(folder.failed_file(jobs[1].key), failure, "ketune-failed-job/1")
    html = folder._repr_html_()
    assert "Batch night &lt;b&gt;1&lt;/b&gt;" in html
    for name, n in (("jobs", 3), ("done", 1), ("missing", 1), ("failed", 1)):
        assert f'{name}</th><td style="text-align: left">{n}</td>' in html
    assert jobs[1].key in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "<script" not in html


def test_a_directory_without_a_batch_says_so(tmp_path):
    assert "holds no batch" in BatchFolder(tmp_path)._repr_html_()
