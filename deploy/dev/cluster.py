#!/usr/bin/env python3
"""The simulated province on Kafka and TimescaleDB, a process per role and two of `process`: `make demo-cluster`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from parts.cache import Cache, cache_directory

HERE = Path(__file__).resolve().parent
PARTS = ("kafka", "timescaledb")


def main(arguments: list[str]) -> int:
    """Start the servers, run the demo on them until Ctrl-C, then stop what was started. Each start begins anew."""
    print("==> Kafka and TimescaleDB (first time: downloaded into the cache)", flush=True)
    # In the cache's home, because the servers' unprivileged user can reach it wherever this checkout lies.
    state = Cache(cache_directory()).home() / "cluster"
    servers = [sys.executable, str(HERE / "servers.py")]
    started = subprocess.run(
        [*servers, "up", *PARTS, "--durable", "--state", str(state)], stdout=subprocess.PIPE, text=True, check=False
    )
    facts = json.loads(started.stdout or "{}")
    if missing := [
        f"{name}: {facts.get(name, {}).get('unavailable')}" for name in PARTS if "port" not in facts.get(name, {})
    ]:
        print("cannot start " + "; ".join(missing), file=sys.stderr)
        return 1
    environment = {
        **os.environ,
        "IOC_DATA_DIR": os.environ.get("IOC_DATA_DIR", str(HERE.parent.parent / "var" / "cluster")),
        "IOC_LOG__BACKEND": "kafka",
        "IOC_LOG__KAFKA_BOOTSTRAP": facts["kafka"]["bootstrap"],
        "IOC_STORE__URL": facts["timescaledb"]["url"],
    }
    # The demo gets Ctrl-C from the terminal itself; we wait until it has drained, then stop the servers under it.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    demo = subprocess.Popen([sys.executable, "-m", "ioc", "demo", "--cluster", *arguments], env=environment)
    signal.signal(signal.SIGTERM, lambda *_: demo.terminate())
    try:
        return demo.wait()
    finally:
        subprocess.run([*servers, "down", *PARTS, "--state", str(state)], stdout=subprocess.DEVNULL, check=False)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
