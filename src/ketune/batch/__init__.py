"""Many fits: recordings, models, hypotheses and seeds, on local workers or a cluster, without losing any.

:func:`run_batch` does what a TOML configuration asks for and what is not done yet; :func:`batch_status`,
:func:`collect` and :func:`rerun_job` read what it left.
"""

from ketune.batch._clusters import Where
from ketune.batch._collect import check_table, collect, write_table
from ketune.batch._fit_job import fit_job
from ketune.batch._folder import BatchFolder, Limits
from ketune.batch._job import Job
from ketune.batch._plan import BatchPlan, plan_batch
from ketune.batch._report import report_batch
from ketune.batch._rerun import describe_rerun, differences, rerun_job
from ketune.batch._run import clean_batch, preview_batch, retry_batch, run_batch
from ketune.batch._status import batch_status, describe_failures, describe_status

__all__ = [
    "BatchFolder",
    "BatchPlan",
    "Job",
    "Limits",
    "Where",
    "batch_status",
    "check_table",
    "clean_batch",
    "collect",
    "describe_failures",
    "describe_rerun",
    "describe_status",
    "differences",
    "fit_job",
    "plan_batch",
    "preview_batch",
    "report_batch",
    "rerun_job",
    "retry_batch",
    "run_batch",
    "write_table",
]
