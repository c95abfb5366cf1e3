// The province's static shapes, loaded once from the API and served to both kinds of map.

const EMPTY = { type: "FeatureCollection", features: [] };
const NAMES = ["land", "units", "zones", "places"];

/** Units whose names a province map shows from afar, and where their town is (lon, lat in degrees). */
const TOWNS = {
  "06685": [107.078, 20.954], "06712": [107.97, 21.52], "06793": [107.288, 21.018], "06811": [106.766, 21.025], "06838": [107.387, 21.517],
  "06862": [107.394, 21.34], "06895": [107.601, 21.355], "06922": [107.736, 21.447], "06970": [107.285, 21.272], "06994": [107.42, 21.066],
  "07069": [106.589, 21.069], "07132": [106.805, 20.939], "07192": [107.756, 20.99],
};

/** "Phường Hà Tu" is "Hà Tu" on a map: the kind of unit only repeats itself there. */
const shortName = (name) => name.replace(/^(Phường|Xã|Đặc khu)\s+/u, "").replace(/\s+(Ward|Commune|Special Zone)$/u, "");

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

/** Outlines without the straight cuts at the edge of the data, which are no coast. */
function coastOf(land) {
  const rings = land.features.flatMap(({ geometry }) => outerRings(geometry));
  const xs = rings.flat().map((point) => point[0]);
  const ys = rings.flat().map((point) => point[1]);
  const edges = [xs.reduce((a, b) => Math.min(a, b), 180), xs.reduce((a, b) => Math.max(a, b), -180), ys.reduce((a, b) => Math.min(a, b), 90), ys.reduce((a, b) => Math.max(a, b), -90)];
  const isCut = (a, b) => edges.some((edge, index) => {
    const axis = index < 2 ? 0 : 1;
    return Math.abs(a[axis] - edge) < 1e-6 && Math.abs(b[axis] - edge) < 1e-6;
  });
  const lines = [];
  for (const ring of rings) {
    let line = [ring[0]];
    for (let index = 1; index < ring.length; index += 1) {
      if (isCut(ring[index - 1], ring[index])) {
        if (line.length > 1) lines.push(line);
        line = [];
      }
      line.push(ring[index]);
    }
    if (line.length > 1) lines.push(line);
  }
  return { type: "FeatureCollection", features: [{ type: "Feature", properties: {}, geometry: { type: "MultiLineString", coordinates: lines } }] };
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
    geodata.coast = coastOf(geodata.land);
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
      const town = name === "units" ? TOWNS[shape.properties.code] : undefined;
      const at = town ?? labelPoint(shape);
      if (!at) continue;
      const fullName = language.field(shape.properties, "name");
      features.push({
        type: "Feature",
        geometry: { type: "Point", coordinates: at },
        properties: {
          label: name === "units" ? shortName(fullName) : fullName, kind: shape.properties.kind ?? "",
          isTown: town !== undefined, id: shape.properties.id ?? "", rank: shape.properties.rank ?? 5,
        },
      });
    }
    return { type: "FeatureCollection", features };
  }
}
