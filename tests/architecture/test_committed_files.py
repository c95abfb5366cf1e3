"""What is committed names no package registry and no place on the machine where it was written."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.servers import REPOSITORY

# In two parts each, because this file is committed too.
REGISTRIES = [
    "pypi" + ".org",
    "python" + "hosted.org",
    "registry.npm" + "js.org",
    "registry.yarn" + "pkg.com",
    "maven" + ".org",
    "maven" + ".apache.org",
    "maven." + "google.com",
    "deb." + "debian.org",
    "security." + "debian.org",
    "archive." + "ubuntu.com",
    "proxy." + "golang.org",
    "crates" + ".io",
    "conda." + "anaconda.org",
]
_OPTION = r"(?:--(?:extra-)?index" + r"-url|--find" + r"-links|trusted" + r"-host)[ =]\S"
_HOMES = r"/(?:home|Users)/[a-z][\w.-]+/"
_BY_HAND = r"\b\d{1,3}(?:\.\d{1,3}){3}:\d+/(?:simple|npm|maven2?)\b"
VENDORED = "ioc/wall/vendor/"


def _places_of_this_machine() -> list[str]:
    """The checkout, what lies around it, and the home folder, as far as they say anything."""
    places = [REPOSITORY, REPOSITORY.parent, Path.home()]
    return [f"{place}/" for place in places if len(place.parts) > 1]


def find_addresses(text: str) -> Iterator[str]:
    """Give what must not stand in a committed file."""
    registries = "|".join(re.escape(name) for name in REGISTRIES)
    places = "|".join(rf"(?<![\w./-]){re.escape(place)}" for place in _places_of_this_machine())
    pattern = rf"(?:{registries})|{_OPTION}|{_HOMES}|{_BY_HAND}|{places}"
    return (found[0] for found in re.finditer(pattern, text))


def _committed() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [name for name in listed.stdout.split("\0") if name]


def test_no_committed_file_names_a_registry_or_a_place_of_this_machine() -> None:
    found = {}
    names = _committed()
    for name in names:
        path = REPOSITORY / name
        if path.is_file() and not name.startswith(VENDORED):
            addresses = sorted(set(find_addresses(path.read_bytes().decode("utf-8", "replace"))))
            if addresses:
                found[name] = addresses
    assert len(names) > 100
    assert found == {}


@pytest.mark.parametrize(
    "planted",
    [
        *(f"see https://{name}/simple" for name in REGISTRIES),
        "pip install --index" + "-url=x",
        "open /home/" + "somebody/notes",
        "from 10.1.2.3:8080" + "/simple",
        f"open {REPOSITORY}/README.md",
    ],
)
def test_a_planted_address_is_found(planted: str) -> None:
    assert list(find_addresses(planted))


@pytest.mark.parametrize("innocent", ["GET /home/", "the home/work balance", "https://example.org/simple", "127.0.0.1"])
def test_what_is_no_address_is_left_alone(innocent: str) -> None:
    assert list(find_addresses(innocent)) == []


def test_what_the_machine_makes_is_not_committed() -> None:
    made = re.compile(r"(^|/)(\.venv|__pycache__|node_modules|build|dist|var)/|\.pyc$|(^|/)\.env$")
    assert [name for name in _committed() if made.search(name)] == []
