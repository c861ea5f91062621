"""The process that works on jobs, one after another, for a Dask worker.

It is apart from the worker, so that a job that hangs, runs out of memory or crashes in compiled code takes nobody with
it. Requests and outcomes are lines of JSON on standard input and output. It ends when its input does: when its worker
dies, it does.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from queue import SimpleQueue
from typing import Any

from ketune.batch._folder import BatchFolder
from ketune.batch._job import Job
from ketune.batch._perform import perform


def main() -> None:
    """Serve requests until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    requests: SimpleQueue[dict[str, Any]] = SimpleQueue()
    threading.Thread(target=_listen, args=(requests,), daemon=True).start()
    while True:
        request = requests.get()
        outcome = perform(
            BatchFolder(request["root"]),
            Job.model_validate(request["job"]),
            request["attempt"],
            request["work"],
        )
        print(json.dumps(outcome.as_dict()), file=answers, flush=True)


def _listen(requests: SimpleQueue[dict[str, Any]]) -> None:
    for line in sys.stdin:
        requests.put(json.loads(line))
    # Not sys.exit: the main thread may be deep in compiled code, and nobody wants its result any more.
    os._exit(0)


if __name__ == "__main__":
    main()
