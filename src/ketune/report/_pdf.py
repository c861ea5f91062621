"""A page as a PDF, printed by a browser that is on the machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from ketune.errors import InputError
from ketune.storage import whole_file

BROWSER_VARIABLE = "KETUNE_BROWSER"
_NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "msedge",
    "microsoft-edge",
)
_APPLICATIONS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)
_LONGEST_s = 180.0


def browser() -> str:
    """The program that prints: Chromium, Chrome or Edge, or what ``KETUNE_BROWSER`` names.

    Raises
    ------
    InputError
        There is none.
    """
    named = os.environ.get(BROWSER_VARIABLE)
    if named:
        found = shutil.which(named)
        if found is None:
            raise InputError(f"{BROWSER_VARIABLE}={named}: no such program; name Chromium, Chrome or Edge")
        return found
    for name in (*_NAMES, *_APPLICATIONS):
        if found := shutil.which(name):
            return found
    raise InputError(
        f"--pdf: needs Chromium, Chrome or Edge, and none was found; install one, name it in {BROWSER_VARIABLE}, or "
        "print the HTML file from any browser"
    )


def write_pdf(page: Path, output: Path, program: str) -> Path:
    """See `ketune.report.write_pdf`."""
    with tempfile.TemporaryDirectory(prefix="ketune-pdf-") as scratch:
        printed = Path(scratch) / "page.pdf"
        command = [
            program,
            "--headless",
            "--disable-gpu",
            "--no-pdf-header-footer",
            f"--user-data-dir={scratch}/profile",
            f"--print-to-pdf={printed}",
            # Chromium's own sandbox does not run as root; the page is ours and asks for nothing from outside.
            *(["--no-sandbox"] if sys.platform != "win32" and os.geteuid() == 0 else []),
            page.absolute().as_uri(),
        ]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, errors="replace", timeout=_LONGEST_s
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise InputError(f"{output}: {program} could not print it ({error}); {page} is written") from None
        if not printed.exists() or not printed.read_bytes().startswith(b"%PDF"):
            said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise InputError(f"{output}: {program} printed nothing ({said}); {page} is written")
        try:
            with whole_file(output) as unfinished:
                shutil.copyfile(printed, unfinished)
        except OSError as error:
            raise InputError(f"{output}: cannot be written ({error.strerror or error})") from None
    return output
