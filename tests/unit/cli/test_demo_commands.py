"""What ``ioc demo`` refuses before it starts anything."""

from __future__ import annotations

import pytest

from ioc.cli.city import _alone
from ioc.errors import ConfigurationError


def test_a_second_demo_on_one_folder_is_refused_and_the_next_may_start(tmp_path):
    with _alone(tmp_path), pytest.raises(ConfigurationError, match="another demo runs"), _alone(tmp_path):
        pytest.fail("two cities would write into one log")
    with _alone(tmp_path):
        pass
