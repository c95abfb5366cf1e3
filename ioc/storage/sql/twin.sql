-- Statements of twin.py: how things stand now, how they stood, and where they went.

-- name: page_latest
SELECT kind, asset_id, observed_at, received_at, event_id, quality, feed_id, unit_code, lon_deg, lat_deg, data
FROM latest
WHERE kind = ANY (%(kinds)s) AND (kind, asset_id) > (%(after_kind)s, %(after_asset)s)
  AND (%(unit_code)s::text IS NULL OR unit_code = %(unit_code)s)
  AND (%(prefix)s::text IS NULL OR starts_with(asset_id, %(prefix)s))
  AND (%(asset_id)s::text IS NULL OR asset_id = %(asset_id)s)
  AND (%(since)s::timestamptz IS NULL OR observed_at >= %(since)s)
  AND (%(west)s::float8 IS NULL OR (lon_deg BETWEEN %(west)s AND %(east)s AND lat_deg BETWEEN %(south)s AND %(north)s))
ORDER BY kind, asset_id
LIMIT %(limit)s;

-- Which assets there are comes from `latest`; one step down the index of each finds its reading of that time.
-- name: page_as_of
SELECT known.asset_id, held.observed_at, held.received_at, held.event_id, held.quality, held.feed_id, held.unit_code,
       held.lon_deg, held.lat_deg, {fields}
FROM (
    SELECT asset_id FROM latest
    WHERE kind = %(kind)s AND asset_id > %(after_asset)s
      AND (%(prefix)s::text IS NULL OR starts_with(asset_id, %(prefix)s))
      AND (%(asset_id)s::text IS NULL OR asset_id = %(asset_id)s)
    ORDER BY asset_id
) AS known
CROSS JOIN LATERAL (
    SELECT * FROM {table} AS reading
    WHERE reading.asset_id = known.asset_id
      AND reading.observed_at <= %(at)s AND reading.observed_at > %(oldest)s
      AND (%(known_at)s::timestamptz IS NULL OR reading.received_at <= %(known_at)s)
    ORDER BY reading.observed_at DESC, reading.event_id DESC
    LIMIT 1
) AS held
WHERE (%(unit_code)s::text IS NULL OR held.unit_code = %(unit_code)s)
  AND (%(since)s::timestamptz IS NULL OR held.observed_at >= %(since)s)
  AND (%(west)s::float8 IS NULL
       OR (held.lon_deg BETWEEN %(west)s AND %(east)s AND held.lat_deg BETWEEN %(south)s AND %(north)s))
ORDER BY known.asset_id
LIMIT %(limit)s;

-- name: list_track
SELECT observed_at, lon_deg, lat_deg
FROM {table}
WHERE asset_id = %(asset_id)s AND observed_at >= %(start)s AND observed_at < %(end)s
  AND lon_deg IS NOT NULL AND lat_deg IS NOT NULL AND quality < 3
ORDER BY observed_at, event_id
LIMIT %(limit)s;
