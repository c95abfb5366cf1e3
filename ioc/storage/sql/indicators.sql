-- Statements of indicators.py.

-- name: record
INSERT INTO indicator_sample (indicator_id, minute, value, quality, observed_at)
SELECT indicator_id, %(minute)s, value, quality, observed_at
FROM unnest(%(ids)s::text[], %(values)s::double precision[], %(qualities)s::smallint[], %(times)s::timestamptz[])
    AS sample (indicator_id, value, quality, observed_at)
ON CONFLICT (indicator_id, minute) DO NOTHING;

-- name: courses
SELECT indicator_id, minute, value FROM indicator_sample WHERE minute > %s AND minute <= %s ORDER BY minute;

-- name: history
-- Days are the province's, seven hours ahead of UTC all year.
SELECT to_timestamp(floor((extract(epoch FROM minute) + 25200) / %(bucket_s)s) * %(bucket_s)s - 25200) AS bucket,
       avg(value), min(value), max(value), max(quality)
FROM indicator_sample
WHERE indicator_id = %(indicator_id)s AND minute >= %(start)s AND minute < %(end)s
GROUP BY bucket ORDER BY bucket
LIMIT %(limit)s;

-- name: forget
DELETE FROM indicator_sample WHERE minute < %s;
