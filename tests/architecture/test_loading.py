"""What a process loads before anybody asks for it."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["ioc.cli.roles", "ioc.bootstrap.roles", "ioc.bootstrap.role_work"])
def test_a_role_loads_arrow_only_when_it_opens_a_file(module):
    code = f"import sys, {module}; sys.exit('pyarrow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == 0
