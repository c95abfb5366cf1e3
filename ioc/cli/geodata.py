"""``ioc geo import``: official boundaries of the units instead of the approximate cells."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from geo import catalogue
from geo.geojson import GeoJsonError
from ioc import settings

geo_app = typer.Typer(help="Geodata of the province.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(geo_app, name="geo")


@geo_app.command("import")
def import_units(
    file: Annotated[
        Path, typer.Argument(help="GeoJSON FeatureCollection with 54 polygons that carry the official codes.")
    ],
) -> None:
    """Replace the approximate unit areas by official boundaries, after checking them.

    Checks: 54 features, known codes, valid polygons, no overlap. Nothing is written if one fails. Restart the api and
    process roles afterwards.

    Example:  ioc geo import boundaries.geojson
    """
    try:
        raw = file.read_bytes()
    except OSError as error:
        typer.echo(f"ioc: cannot read {file}: {error.strerror}", err=True)
        raise typer.Exit(2) from error
    target = settings.load().data_dir / "geo"
    target.mkdir(parents=True, exist_ok=True)
    try:
        faults = list(catalogue.import_units(raw, target))
    except GeoJsonError as error:
        faults = [str(error)]
    if faults:
        typer.echo(f"ioc: {file} is not usable:", err=True)
        for fault in faults:
            typer.echo(f"  - {fault}", err=True)
        raise typer.Exit(1)
    typer.echo(f"54 units imported into {target}; restart the api and process roles to use them")
