"""The command line as a whole: what is listed, what is imported for it, and what a shell completes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from ioc.cli import COMMANDS, load_command, make_app

HEAVY = ("fastapi", "pyarrow", "shapely", "numpy", "pydantic", "psycopg", "structlog", "uvloop")
"""Each takes a tenth of a second or more, or pulls in what does."""
WATCHED = """
import sys
from ioc.cli import main
try:
    main()
finally:
    print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)
"""


@pytest.mark.parametrize("asked", ["--version", "--help"])
def test_what_only_tells_of_the_program_imports_nothing_heavy(asked):
    script = WATCHED.format(heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", script, asked], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert done.stdout.strip()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_listed_with_the_words_that_its_own_help_begins_with(name):
    command = load_command(name)
    assert command.name == name
    assert (command.help or "").split("\n\n")[0].replace("\n", " ") == COMMANDS[name].summary


def test_a_command_that_does_not_exist_is_refused_with_the_one_that_was_meant():
    refused = CliRunner().invoke(make_app(), ["rule", "check"])
    assert refused.exit_code == 2
    assert "Did you mean 'rules'" in refused.output


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("ioc ba", {"backtest"}),
        ("ioc rules w", {"why-not"}),
        ("ioc rules r", {"retire", "report", "roll-back"}),
        ("ioc backtest --pl", {"--plot"}),
        ("ioc reports shift --shift l", {"last"}),
        ("ioc accounts dis", {"disable"}),
    ],
)
def test_a_shell_completes_commands_and_options(words, wanted):
    """As bash asks: the words, and the place of the one that is being written."""
    asked = {"_IOC_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
    done = subprocess.run(
        [sys.executable, "-c", "import sys; sys.argv[0] = 'ioc'; from ioc.cli import main; main()"],
        capture_output=True, text=True, env=os.environ | asked, check=False,
    )  # fmt: skip
    assert set(done.stdout.split()) == wanted, done.stderr
