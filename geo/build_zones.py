"""Draw `zones.geojson` from `zone_outlines.csv`: discs around places, outlines typed in, corridors along routes.

None of them has been surveyed, and each says so: a port's disc is as good as the point it stands on.

    python -m geo.build_zones
"""

from __future__ import annotations

import sys
from pathlib import Path

import shapely
from shapely.geometry import Point, Polygon
from shapely.geometry.base import BaseGeometry

from geo.geojson import (
    Json,
    feature,
    features_of,
    geometry_of,
    properties_of,
    read_collection,
    to_feature_collection,
    write_feature_collection,
)
from geo.plane import PROVINCE_PLANE
from geo.tables import read_rows

STRAY_M = 30.0


def draw(shape: str, outline: str, places: dict[str, BaseGeometry]) -> BaseGeometry:
    """One zone's area in degrees.

    Raises:
        ValueError: the shape is not disc, corridor or outline.
        KeyError: the outline names a place that is not there.
    """
    if shape == "outline":
        return Polygon([[float(number) for number in pair.split()] for pair in outline.split(";")])
    *where, reach_m = outline.split()
    centre = places[where[0]] if len(where) == 1 else Point(float(where[0]), float(where[1]))
    in_metres = PROVINCE_PLANE.to_metres(centre)
    match shape:
        case "disc":
            return PROVINCE_PLANE.to_degrees(in_metres.buffer(float(reach_m), quad_segs=8))
        case "corridor":
            return PROVINCE_PLANE.to_degrees(in_metres.buffer(float(reach_m), quad_segs=4).simplify(STRAY_M))
        case _:
            raise ValueError(f"unknown shape {shape!r}")


def build_zones() -> Json:
    """All zones as one collection."""
    places = {
        str(properties_of(item)["id"]): geometry_of(item) for item in features_of(read_collection("places.geojson"))
    }
    return to_feature_collection(
        feature(
            row["zone_id"],
            shapely.normalize(draw(row["shape"], row["outline"], places)),
            name_vi=row["name_vi"],
            name_en=row["name_en"],
            kind=row["kind"],
            surveyed=False,
            source=f"{row['shape']} drawn from typed-in points, not surveyed",
        )
        for row in read_rows("zone_outlines.csv")
    )


def main() -> None:
    """Write `zones.geojson` and print its size."""
    size_bytes = write_feature_collection(Path(__file__).parent / "data" / "zones.geojson", build_zones())
    sys.stdout.write(f"zones.geojson: {size_bytes} bytes\n")


if __name__ == "__main__":
    main()
