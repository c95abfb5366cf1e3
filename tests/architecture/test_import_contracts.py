"""The import contracts hold, and each of them is seen to fail when it is broken on purpose."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.servers import REPOSITORY

SETTINGS = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
NAMES = [contract["name"] for contract in SETTINGS["contracts"]]
BREACHES = {
    "Layers": ("ioc/storage/pool.py", "import ioc.api"),
    "Alerting reads from the language of rules up to what is asked of them": (
        "alerts/memory/series.py",
        "import alerts.engine.stepping",
    ),
    "Decisions, domain and geometry do no I/O": ("geo/distance.py", "import asyncio"),
    "Kafka's client has one home": ("ioc/messaging/codec.py", "import aiokafka"),
    "The database driver has one home": ("ioc/delivery/policy.py", "import psycopg"),
    "The web framework has one home": ("ioc/messaging/topics.py", "import fastapi"),
    "Feeds do not know each other": ("connectors/feeds/air/parse.py", "import connectors.feeds.units.parse"),
    "Simulators speak wire formats and know no connector": ("simulators/city.py", "import connectors.records"),
}
"""For each contract a module and an import that it must not have."""
DEADLINE_S = 120


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the program's modules with the contracts."""
    for package in SETTINGS["root_packages"]:
        shutil.copytree(
            REPOSITORY / package,
            tmp_path / package,
            ignore=lambda folder, names: [
                name for name in names if not (name.endswith(".py") or (Path(folder) / name).is_dir())
            ],
        )
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    return tmp_path


def _judge(folder: Path) -> Mapping[str, str]:
    """Ask import-linter for each contract's verdict."""
    program = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True, no_logo=True))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
        env={"PYTHONPATH": str(folder), "PATH": "", "COLUMNS": "200", "LANG": "C.UTF-8"},
    )
    verdicts = dict(re.findall(r"^(.+?) (KEPT|BROKEN)$", done.stdout, flags=re.MULTILINE))
    assert set(verdicts) == set(NAMES), done.stdout + done.stderr
    assert done.returncode == int("BROKEN" in verdicts.values())
    return verdicts


def test_every_contract_has_its_breach() -> None:
    assert sorted(NAMES) == sorted(BREACHES)


def test_the_program_keeps_every_contract(copy: Path) -> None:
    assert set(_judge(copy).values()) == {"KEPT"}


def test_each_contract_is_seen_to_fail_when_it_is_broken(copy: Path) -> None:
    for module, forbidden in BREACHES.values():
        path = copy / module
        path.write_text(path.read_text(encoding="utf-8") + f"\n{forbidden}\n", encoding="utf-8")
    assert set(_judge(copy).values()) == {"BROKEN"}


def test_one_breach_breaks_no_contract_that_it_does_not_concern(copy: Path) -> None:
    path = copy / "ioc/messaging/codec.py"
    path.write_text(path.read_text(encoding="utf-8") + "\nimport aiokafka\n", encoding="utf-8")
    verdicts = _judge(copy)
    assert [name for name, verdict in verdicts.items() if verdict == "BROKEN"] == ["Kafka's client has one home"]
