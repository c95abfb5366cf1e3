-- Statements of series.py: what walls, the history API and operators read.

-- name: list_latest
SELECT kind, asset_id, observed_at, received_at, event_id, quality, feed_id, unit_code, lon_deg, lat_deg, data
FROM latest
WHERE (%(kinds)s::text[] IS NULL OR kind = ANY (%(kinds)s))
  AND (%(unit_code)s::text IS NULL OR unit_code = %(unit_code)s)
  AND (%(since)s::timestamptz IS NULL OR observed_at >= %(since)s)
ORDER BY kind, asset_id;

-- Everything before the first minute that is not rolled up comes from the roll-ups, the rest from readings.
-- name: find_first_mark
SELECT min(bucket) FROM rollup_mark WHERE kind = %s AND bucket >= %s AND bucket < %s;

-- name: list_points
SELECT observed_at, event_id, {quantity}::double precision
FROM {table}
WHERE asset_id = %(asset_id)s AND observed_at >= %(start)s AND observed_at < %(end)s AND {quantity} IS NOT NULL {only}
ORDER BY observed_at, event_id
LIMIT %(limit)s;

-- name: partials_from_readings
SELECT {floor} AS bucket, sum({column})::double precision, count({column}), min({column})::double precision,
       max({column})::double precision
FROM {table}
WHERE asset_id = %(asset_id)s AND observed_at >= %(start)s AND observed_at < %(end)s AND quality < 3
  AND {column} IS NOT NULL {only}
GROUP BY 1;

-- name: bucket_from_readings
SELECT {floor} AS bucket, {from_readings} AS value
FROM {table}
WHERE asset_id = %(asset_id)s AND observed_at >= %(tail)s AND observed_at < %(end)s AND quality < 3 {only}
GROUP BY 1

-- name: bucket_from_rollup
SELECT bucket, {from_rollup} AS value
FROM {rollup}
WHERE asset_id = %(asset_id)s AND bucket >= %(start)s AND bucket < %(tail)s

-- name: list_buckets
SELECT bucket, value FROM ({found}) AS found WHERE value IS NOT NULL ORDER BY bucket LIMIT %(limit)s;

-- name: list_every_bucket
SELECT grid.bucket, found.value
FROM generate_series(%(start)s::timestamptz, %(last)s::timestamptz, %(width)s::interval) AS grid (bucket)
LEFT JOIN ({found}) AS found USING (bucket)
ORDER BY grid.bucket
LIMIT %(limit)s;

-- Each run of empty buckets belongs to the bucket with a value before it; the first run gets the value before the range.
-- name: carry_buckets_forward
WITH gridded AS (
    SELECT grid.bucket, found.value, count(found.value) OVER (ORDER BY grid.bucket) AS run
    FROM generate_series(%(start)s::timestamptz, %(last)s::timestamptz, %(width)s::interval) AS grid (bucket)
    LEFT JOIN ({found}) AS found USING (bucket)
)
SELECT bucket,
       CASE WHEN run = 0 THEN %(seed)s::double precision
            ELSE first_value(value) OVER (PARTITION BY run ORDER BY bucket) END
FROM gridded
ORDER BY bucket
LIMIT %(limit)s;

-- The value of the last bucket before the range; looks back a bounded time, so that no chunk of years ago is opened.
-- name: find_value_before
SELECT value FROM ({found}) AS found WHERE value IS NOT NULL ORDER BY bucket DESC LIMIT 1;

-- name: floor_to_width
date_bin({width}, observed_at, TIMESTAMPTZ '2000-01-01 00:00+00')

-- name: floor_to_province_day
date_trunc('day', observed_at, 'Asia/Ho_Chi_Minh')

-- name: find_as_of
SELECT asset.asset_id, reading.observed_at, reading.received_at, reading.event_id, reading.quality, reading.feed_id,
       reading.unit_code, reading.lon_deg, reading.lat_deg, {fields}
FROM unnest(%(assets)s::text[]) AS asset (asset_id)
CROSS JOIN LATERAL (
    SELECT * FROM {table} AS held
    WHERE held.asset_id = asset.asset_id AND held.observed_at <= %(at)s AND held.observed_at > %(after)s
    ORDER BY held.observed_at DESC, held.event_id DESC
    LIMIT 1
) AS reading
ORDER BY asset.asset_id;

-- name: list_assets
SELECT asset_id FROM latest WHERE kind = %s;

-- name: count_readings
SELECT count(*) FROM {table};

-- name: list_since
SELECT asset_id, observed_at, received_at, event_id, quality, feed_id, unit_code, lon_deg, lat_deg, {fields}
FROM {table} WHERE observed_at >= %s ORDER BY observed_at;
