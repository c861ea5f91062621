"""The package as it is installed: from a wheel and as a link to the sources, both find mechanisms and data."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "ketune"
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]

# What an installed ketune finds of its own.
LOOK = """
import json, pathlib, ketune
from ketune import mechanisms, provenance
from ketune.morphology import default_morphology
from ketune.tuning import shipped_recording
root = pathlib.Path(ketune.__file__).parent
print(json.dumps({
    "root": str(root),
    "version": ketune.__version__,
    "mechanisms": sorted(mechanisms.names()),
    "mechanisms_sha256": provenance.provenance()["mechanisms_sha256"],
    "sections": len(default_morphology().sections),
    "trials": len(shipped_recording("macaque_v1").spikes),
}))
"""


def shipped_files() -> set[str]:
    """Every file of the sources that belongs into the wheel, relative to the package's parent."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "src/ketune"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return {name.removeprefix("src/") for name in listed.stdout.splitlines() if (ROOT / name).exists()}


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [*PIP, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT)],
        check=True,
    )
    (built,) = folder.glob("ketune-*.whl")
    return built


def install(folder: Path, *what: str) -> Path:
    """Install ketune alone into a new environment, which borrows only ketune's dependencies from this one."""
    environment = folder / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    python = environment / "bin" / "python"
    (site,) = environment.glob("lib/python*/site-packages")
    # A path in a .pth file is searched, but the .pth files in it are not read: this ketune stays out of sight.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    subprocess.run(
        [
            *PIP,
            "--python",
            str(python),
            "install",
            "--no-deps",
            "--no-build-isolation",
            "--ignore-installed",
            *what,
        ],
        check=True,
    )
    return environment


def look(environment: Path, cwd: Path) -> dict[str, object]:
    done = subprocess.run(
        [environment / "bin" / "python", "-c", LOOK], cwd=cwd, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_wheel_holds_every_file_of_the_package_and_the_notices(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name for name in names if name.startswith("ketune/")} == shipped_files()
    licences = {Path(name).name for name in names if "/licenses/" in name}
    assert licences == {"LICENSE", "NOTICE"}


def test_source_distribution_builds_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "sdist", "--directory", str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    (source,) = tmp_path.glob("ketune-*.tar.gz")
    subprocess.run(
        [*PIP, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path), str(source)],
        check=True,
    )
    (built,) = tmp_path.glob("ketune-*.whl")
    assert set(zipfile.ZipFile(built).namelist()) == set(zipfile.ZipFile(wheel).namelist())


def test_every_shipped_morphology_and_recording_is_attributed() -> None:
    notice = (ROOT / "NOTICE").read_text()
    own = {"example.csv", "small_pyramidal.swc"}  # made up by us
    data = {path for suffix in ("*.swc", "*.asc", "*.csv") for path in (SOURCE / "data").rglob(suffix)}
    assert data
    for path in data:
        assert path.name in own or path.relative_to(ROOT).as_posix() in notice, (
            f"NOTICE does not name {path.name}"
        )


def test_top_level_mechanisms_leads_into_the_package() -> None:
    assert (ROOT / "mechanisms").resolve() == SOURCE / "mechanisms" / "mod"
    assert list((ROOT / "mechanisms").glob("*.mod"))


@pytest.mark.neuron
def test_wheel_and_link_find_the_same_mechanisms_and_data(wheel: Path, tmp_path: Path) -> None:
    (tmp_path / "wheel").mkdir()
    (tmp_path / "link").mkdir()
    from_wheel = install(tmp_path / "wheel", str(wheel))
    from_link = install(tmp_path / "link", "--editable", str(ROOT))
    installed, linked = look(from_wheel, tmp_path), look(from_link, tmp_path)

    assert str(installed.pop("root")).startswith(str(from_wheel))
    assert linked.pop("root") == str(SOURCE)
    assert installed == linked
    assert installed["mechanisms"]
    for environment in (from_wheel, from_link):
        shown = subprocess.run([environment / "bin" / "ketune", "--version"], capture_output=True, text=True)
        assert shown.stdout == f"ketune {installed['version']}\n"
