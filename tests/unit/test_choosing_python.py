"""The environment is made with the fastest Python of the usual version, and with no other version by surprise."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "deploy" / "dev" / "python.py"
OURS, THEIRS, NEWER = "/mine/python3", "/usr/bin/python3", "/usr/local/bin/python3"


@pytest.fixture
def chooser():
    spec = importlib.util.spec_from_file_location("choosing_python", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("found", "chosen"),
    [
        ({OURS: ((3, 11), 0.03), THEIRS: ((3, 11), 0.02)}, THEIRS),
        ({OURS: ((3, 11), 0.021), THEIRS: ((3, 11), 0.02)}, OURS),  # may be chance
        ({OURS: ((3, 12), 0.03), THEIRS: ((3, 11), 0.02), NEWER: ((3, 13), 0.01)}, OURS),
        ({OURS: ((3, 11), 0.02)}, OURS),
        ({THEIRS: ((3, 11), 0.02)}, OURS),  # ours cannot make environments: its own message says why
    ],
)
def test_another_one_is_taken_if_it_is_surely_faster_and_of_the_same_version(chooser, found, chosen):
    assert chooser.pick(found, OURS) == chosen


def test_it_prints_one_path_that_runs():
    said = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True, timeout=120, check=True)
    [path] = said.stdout.splitlines()
    subprocess.run([path, "-c", "import venv, ensurepip"], timeout=60, check=True)


def test_an_old_one_is_refused_with_what_to_do(chooser, monkeypatch, capsys):
    monkeypatch.setattr(chooser, "_try", lambda _: ((3, 9), 0.02))
    assert chooser.main() == 1
    assert "3.11 or newer is needed" in capsys.readouterr().err
