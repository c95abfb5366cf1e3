-- Statements of rollups.py.

-- name: try_lock
SELECT pg_try_advisory_xact_lock(hashtextextended(current_schema() || '.rollup.' || %s::text, 0));

-- name: list_due_minutes
SELECT DISTINCT bucket FROM rollup_mark WHERE kind = %s AND bucket < %s ORDER BY bucket LIMIT %s;

-- A mark that came between the two statements goes too: its readings are committed, so what follows sees them.
-- name: take_marks
DELETE FROM rollup_mark WHERE kind = %s AND bucket = ANY (%s);

-- name: roll_up_readings
INSERT INTO {rollup} (asset_id, bucket, n, {columns})
SELECT asset_id, date_bin('1 minute', observed_at, TIMESTAMPTZ '2000-01-01 00:00+00') AS bucket, count(*), {aggregates}
FROM {source}
WHERE observed_at >= %(start)s AND observed_at < %(end)s AND quality < 3
GROUP BY 1, 2
ON CONFLICT (asset_id, bucket) DO UPDATE SET n = excluded.n, {updates};

-- name: roll_up_rollup
INSERT INTO {rollup} (asset_id, bucket, n, {columns})
SELECT asset_id, date_bin({width}, bucket, {origin}) AS coarse, sum(n)::bigint, {aggregates}
FROM {source}
WHERE bucket >= %(start)s AND bucket < %(end)s
GROUP BY 1, 2
ON CONFLICT (asset_id, bucket) DO UPDATE SET n = excluded.n, {updates};

-- name: try_session_lock
SELECT pg_try_advisory_lock(hashtextextended(current_schema() || '.rollup.' || %s::text, 0));

-- name: unlock_session
SELECT pg_advisory_unlock(hashtextextended(current_schema() || '.rollup.' || %s::text, 0));

-- name: list_due_marks
SELECT mark_id, bucket FROM rollup_mark WHERE kind = %s AND bucket < %s ORDER BY mark_id LIMIT %s;

-- name: refresh_aggregate
CALL refresh_continuous_aggregate({rollup}::regclass, {start}::timestamptz, {end}::timestamptz);

-- name: delete_marks
DELETE FROM rollup_mark WHERE mark_id = ANY (%s);
