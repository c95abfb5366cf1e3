#!/usr/bin/env python3
"""Print the Python that the environment is made with: the fastest here of the version that ``python3`` has.

Two Pythons of one version differ: distributions build theirs with profiles of real programs, version managers usually
do not, and there the alerting engine takes a quarter longer. ``make setup PYTHON=/path/to/python`` chooses another.
Standard library only: nothing else is there yet.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

OLDEST = (3, 11)
WORTH_IT = 1.1
"""How much faster another one must be to be taken: less may be chance, and people expect their own."""
RUNS = 5
_PROBE = """
import ensurepip, sys, time, venv
class Point:
    def __init__(self, x): self.x = x
    def moved(self, by): return Point(self.x + by)
def work():
    seen, point = {}, Point(0)
    for number in range(30_000):
        point = point.moved(number)
        seen[number % 97, "key"] = point.x
work()
began = time.process_time(); work()
print(*sys.version_info[:2], time.process_time() - began)
"""


def pick(found: dict[str, tuple[tuple[int, int], float]], usual: str) -> str:
    """Give the fastest of the usual one's version, by path; ``found`` has each one's version and seconds."""
    if usual not in found:
        return usual
    version, usual_s = found[usual]
    same = {path: seconds for path, (its_version, seconds) in found.items() if its_version == version}
    fastest = min(same, key=lambda path: same[path])
    return fastest if same[fastest] * WORTH_IT < usual_s else usual


def main() -> int:
    """Try what is here and print a path; what is said beside it goes to the standard error."""
    usual = shutil.which("python3") or sys.executable
    minor = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    named = [Path(folder) / name for folder in ("/usr/bin", "/usr/local/bin") for name in ("python3", minor)]
    paths = {str(path.resolve()): str(path) for path in named if path.exists()} | {str(Path(usual).resolve()): usual}
    found: dict[str, tuple[tuple[int, int], float]] = {}
    for _ in range(RUNS):  # in turn, so that a busy moment of the machine meets all
        for path in paths.values():
            if (told := _try(path)) is not None:
                version, seconds = told
                found[path] = version, min(seconds, found.get(path, (version, seconds))[1])
    chosen = pick(found, usual)
    if (told := found.get(chosen)) is not None and told[0] < OLDEST:
        print(f"{chosen} is Python {told[0][0]}.{told[0][1]}; 3.11 or newer is needed, see PYTHON=", file=sys.stderr)
        return 1
    if chosen != usual:
        times = found[usual][1] / found[chosen][1]
        print(f"==> {chosen}: runs a loop {times:.1f} times as fast as {usual} (PYTHON= chooses)", file=sys.stderr)
    print(chosen)
    return 0


def _try(path: str) -> tuple[tuple[int, int], float] | None:
    """Give version and seconds; None where it cannot make environments or does not run."""
    try:
        said = subprocess.run([path, "-I", "-c", _PROBE], capture_output=True, text=True, timeout=30, check=True)
        major, minor, seconds = said.stdout.split()
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return (int(major), int(minor)), float(seconds)


if __name__ == "__main__":
    sys.exit(main())
