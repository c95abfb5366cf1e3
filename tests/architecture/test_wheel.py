"""The program works from its wheel, anywhere: nothing it needs lies only in the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.servers import REPOSITORY

PACKAGES = ("ioc", "connectors", "alerts", "geo", "simulators")
DEADLINE_S = 150


def _run(command: Sequence[str | Path], cwd: Path) -> str:
    environment = {"PATH": os.environ["PATH"], "HOME": str(cwd), "LANG": "C.UTF-8", "COLUMNS": "120"}
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=DEADLINE_S, check=False, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built without any download."""
    folder = tmp_path_factory.mktemp("wheel")
    offline = ["--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check", "--quiet"]
    _run([sys.executable, "-m", "pip", "wheel", *offline, "--wheel-dir", folder, REPOSITORY], folder)
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel; what it depends on is borrowed from ours, behind it on the path."""
    place = tmp_path_factory.mktemp("installed") / "venv"
    _run([sys.executable, "-m", "venv", "--without-pip", place], place.parent)
    program = place / "bin" / "python"
    offline = ["--no-deps", "--no-index", "--disable-pip-version-check", "--quiet"]
    _run([sys.executable, "-m", "pip", "--python", program, "install", *offline, wheel], place.parent)
    (site,) = place.glob("lib/python*/site-packages")
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return place


def test_the_wheel_has_every_committed_file_of_the_packages(wheel: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", *PACKAGES], cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    wanted = {name for name in listed.stdout.splitlines() if (REPOSITORY / name).exists()}
    with zipfile.ZipFile(wheel) as archive:
        assert wanted - set(archive.namelist()) == set()


def test_the_installed_program_is_the_wheels_and_finds_its_data(installed: Path, tmp_path: Path) -> None:
    program = (
        "import alerts, connectors, geo, ioc, simulators, pathlib\n"
        "from connectors.inventory import load_inventory\n"
        "from ioc.storage.migrate import list_migrations\n"
        "from ioc.storage.statements import load_statements\n"
        "assert load_inventory() and list_migrations() and load_statements('batches')\n"
        "assert (pathlib.Path(ioc.__file__).parent / 'wall' / 'index.html').is_file()\n"
        "print(*(module.__file__ for module in (alerts, connectors, geo, ioc, simulators)), sep='\\n')\n"
    )
    files = _run([installed / "bin" / "python", "-c", program], tmp_path).splitlines()
    assert len(files) == 5
    assert all(Path(file).is_relative_to(installed) for file in files)


def test_the_installed_command_explains_itself_from_another_folder(installed: Path, tmp_path: Path) -> None:
    said = _run([installed / "bin" / "ioc", "--help"], tmp_path)
    assert "demo" in said
    assert "replay" in said
    assert list(tmp_path.iterdir()) == []
