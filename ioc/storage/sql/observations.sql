-- Statements of observations.py: the write path.

-- name: copy_rows
COPY {table} ({columns}) FROM STDIN (FORMAT binary);

-- name: create_staging
CREATE TEMPORARY TABLE IF NOT EXISTS {staging} (LIKE {table}) ON COMMIT DELETE ROWS;

-- name: insert_staged
INSERT INTO {table} ({columns})
SELECT {columns} FROM {staging}
ON CONFLICT (asset_id, observed_at, event_id) DO NOTHING
RETURNING event_id;

-- name: find_heads
SELECT asset_id, (extract(epoch FROM observed_at - TIMESTAMPTZ '2000-01-01 00:00+00') * 1000000)::bigint
FROM latest
WHERE kind = %s AND asset_id = ANY (%s);

-- name: create_latest_staging
CREATE TEMPORARY TABLE IF NOT EXISTS latest_staging (LIKE latest) ON COMMIT DELETE ROWS;

-- name: copy_latest
COPY latest_staging (kind, asset_id, observed_at, received_at, event_id, quality, feed_id, unit_code, lon_deg, lat_deg, data)
FROM STDIN (FORMAT binary);

-- name: clear_latest_staging
TRUNCATE latest_staging;

-- name: update_latest
UPDATE latest AS held SET
    observed_at = newer.observed_at, received_at = newer.received_at, event_id = newer.event_id,
    quality = newer.quality, feed_id = newer.feed_id, unit_code = newer.unit_code,
    lon_deg = newer.lon_deg, lat_deg = newer.lat_deg, data = newer.data
FROM latest_staging AS newer
WHERE held.kind = newer.kind AND held.asset_id = newer.asset_id AND newer.observed_at > held.observed_at;

-- name: upsert_latest
INSERT INTO latest AS held
    (kind, asset_id, observed_at, received_at, event_id, quality, feed_id, unit_code, lon_deg, lat_deg, data)
SELECT kind, asset_id, observed_at, received_at, event_id, quality, feed_id, unit_code, lon_deg, lat_deg, data
FROM latest_staging
ON CONFLICT (kind, asset_id) DO UPDATE SET
    observed_at = excluded.observed_at, received_at = excluded.received_at, event_id = excluded.event_id,
    quality = excluded.quality, feed_id = excluded.feed_id, unit_code = excluded.unit_code,
    lon_deg = excluded.lon_deg, lat_deg = excluded.lat_deg, data = excluded.data
WHERE excluded.observed_at > held.observed_at;

-- name: mark_rollups
INSERT INTO rollup_mark (kind, bucket)
SELECT kind, TIMESTAMPTZ '2000-01-01 00:00+00' + minute * INTERVAL '1 minute'
FROM unnest(%s::text[], %s::bigint[]) AS mark (kind, minute);
