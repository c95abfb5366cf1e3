"""Play the golden scenarios and show what would change in the stored files: ``python -m tests.golden [--write]``."""

from __future__ import annotations

import asyncio
import difflib
import json
import sys
from pathlib import Path

from ioc.storage.server import EmbeddedPostgres
from tests.support.golden import CASES, make_settings, play
from tests.support.servers import reachable_folder


def main() -> int:
    """Exit 1 when something differs and was not written."""
    is_different = False
    with reachable_folder() as folder:
        for case, changes in asyncio.run(_play_all(folder)):
            before = case.file.read_bytes() if case.file.exists() else b""
            if before == changes:
                print(f"{case.name}: unchanged")
                continue
            is_different = True
            print("\n".join(difflib.unified_diff(_lines(before), _lines(changes), case.name, "now", lineterm="", n=1)))
            if "--write" in sys.argv:
                case.file.write_bytes(changes)
                print(f"{case.name}: written")
    return int(is_different and "--write" not in sys.argv)


async def _play_all(folder: Path):
    async with EmbeddedPostgres(folder / "postgres", settings={"fsync": "off"}) as server:
        settings = make_settings(folder, server.conninfo)
        return [(case, (await play(case, settings, folder))[1]) for case in CASES]


def _lines(changes: bytes) -> list[str]:
    """Give a line per field, so that a difference stands alone."""
    return [
        line
        for change in changes.decode().splitlines()
        for line in json.dumps(json.loads(change), ensure_ascii=False, indent=0).splitlines()
    ]


sys.exit(main())
