"""``make bench``: runs every benchmark, prints machine, versions, medians and ratios, writes ``build/bench.json``.

    python -m tests.benchmarks              all of them
    python -m tests.benchmarks log store    only bench_log and bench_store

Each ``bench_<name>.py`` has ``measure() -> list[dict]`` with entries {name, value, unit, beside, ratio}: ``beside``
names what was measured next to it in the same run, ``ratio`` is value ÷ that.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
SHOWN = ("aiokafka", "fastapi", "msgspec", "psycopg", "pydantic", "shapely", "uvloop", "uvicorn")


def main() -> int:
    """Run the chosen benchmarks and report them."""
    names = sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="benchmarks to run (default: all)")
    parser.add_argument("--output", type=Path, default=Path("build/bench.json"))
    arguments = parser.parse_args()
    print(f"machine   {os.cpu_count()} cores, {platform.machine()}, {platform.system()} {platform.release()}")
    print(f"versions  Python {platform.python_version()}, " + ", ".join(f"{name} {version(name)}" for name in SHOWN))
    results: list[dict[str, object]] = []
    for name in arguments.names or names:
        print(f"\n== {name}", flush=True)
        module = importlib.import_module(f"tests.benchmarks.bench_{name}")
        for entry in module.measure():
            results.append(entry)
            print(_format(entry), flush=True)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"\nwritten to {arguments.output}")
    return 0


def _format(entry: dict[str, object]) -> str:
    value = entry["value"]
    shown = (
        f"{value:,.4g}" if isinstance(value, float) and value < 100 else f"{value:,.0f}" if value is not None else "–"
    )
    beside = f"   {entry['ratio']:.2f} × {entry['beside']}" if entry.get("ratio") is not None else ""
    if not beside and entry.get("beside"):
        beside = f"   beside {entry['beside']}"
    return f"{entry['name']:<58} {shown:>12} {entry['unit']}{beside}"


if __name__ == "__main__":
    sys.exit(main())
