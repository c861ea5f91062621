"""Whether a file's units match, by NEURON's own `modlunit`. NEURON itself compiles files whose units do not."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

_LIMIT_S = 20.0


def unit_complaint(path: Path) -> str | None:
    """The first place where units do not match, as one line; None where all do, or NEURON comes without its checker."""
    import neuron

    data = Path(neuron.__file__).parent / ".data"
    checker, table = data / "bin" / "modlunit", data / "share" / "nrn" / "lib" / "nrnunits.lib"
    if not (checker.is_file() and table.is_file()):
        return None
    try:
        done = subprocess.run(
            [str(checker), str(path)],
            env={**os.environ, "MODLUNIT": str(table)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    output = done.stdout + done.stderr
    place = re.search(r"at line (\d+) in file", output)
    if place is None:
        return None
    said = re.findall(r"^units:(?!\s*$)(.*)$", output[: place.start()], flags=re.MULTILINE)
    reason = said[-1].strip() if said else "units do not match"
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    number = int(place.group(1))
    shown = f' in "{lines[number - 1].strip()}"' if number <= len(lines) else ""
    return f"units, line {number}: {reason}{shown} (NEURON's modlunit; it compiles all the same)"
