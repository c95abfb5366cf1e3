// The province's static shapes, loaded once from the API and served to both kinds of map.

const EMPTY = { type: "FeatureCollection", features: [] };
const NAMES = ["land", "units", "zones", "places"];

function ringArea(ring) {
  let sum = 0;
  for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) sum += ring[j][0] * ring[i][1] - ring[i][0] * ring[j][1];
  return Math.abs(sum / 2);
}

function outerRings(geometry) {
  if (geometry?.type === "Polygon") return [geometry.coordinates[0]];
  if (geometry?.type === "MultiPolygon") return geometry.coordinates.map((polygon) => polygon[0]);
  return [];
}

/** Where to write a shape's name: the point given by its maker, else the middle of its largest part. */
export function labelPoint(feature) {
  const { label_lon: lon, label_lat: lat } = feature.properties;
  if (Number.isFinite(lon) && Number.isFinite(lat)) return [lon, lat];
  if (feature.geometry?.type === "Point") return feature.geometry.coordinates;
  const rings = outerRings(feature.geometry);
  if (!rings.length) return null;
  const largest = rings.reduce((best, ring) => (ringArea(ring) > ringArea(best) ? ring : best));
  const xs = largest.map((point) => point[0]);
  const ys = largest.map((point) => point[1]);
  return [(Math.min(...xs) + Math.max(...xs)) / 2, (Math.min(...ys) + Math.max(...ys)) / 2];
}

export class Geodata {
  failed = [];
  #unitNames = new Map();

  /** Loads what the server has; a missing file leaves an empty layer, named in `failed`. */
  static async load(session) {
    const geodata = new Geodata();
    await Promise.all(NAMES.map(async (name) => {
      try {
        geodata[name] = await session.geo(name);
      } catch {
        geodata[name] = EMPTY;
        geodata.failed.push(name);
      }
    }));
    for (const { properties } of geodata.units.features) geodata.#unitNames.set(String(properties.code ?? properties.id), properties);
    return geodata;
  }

  unitName(code, language) {
    const properties = this.#unitNames.get(String(code));
    return properties ? language.field(properties, "name") : code ?? "";
  }

  #zoneOrPlaceName(id, language) {
    const found = [...this.zones.features, ...this.places.features].find(({ properties }) => properties.id === id);
    return found ? language.field(found.properties, "name") : null;
  }

  zoneName(id, language) {
    return (id && this.#zoneOrPlaceName(id, language)) || id || "";
  }

  get isApproximate() {
    return this.units.features.some(({ properties }) => properties.approximate);
  }

  /** Names as points, so that each is written once (a name on a shape is repeated per tile). */
  labels(name, language) {
    const features = [];
    for (const shape of this[name].features) {
      const at = labelPoint(shape);
      if (!at) continue;
      features.push({
        type: "Feature",
        geometry: { type: "Point", coordinates: at },
        properties: { label: language.field(shape.properties, "name"), kind: shape.properties.kind ?? "", rank: shape.properties.rank ?? 5 },
      });
    }
    return { type: "FeatureCollection", features };
  }
}
