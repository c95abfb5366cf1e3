-- Statements of retention.py.

-- name: try_turn
SELECT pg_try_advisory_lock(hashtextextended(current_schema() || '.retention', 0));

-- name: end_turn
SELECT pg_advisory_unlock(hashtextextended(current_schema() || '.retention', 0));

-- name: drop_chunks
SELECT count(*) FROM drop_chunks({table}::regclass, older_than => %s::timestamptz);

-- name: delete_readings
DELETE FROM {partition} WHERE observed_at < %s;

-- name: delete_rollup
DELETE FROM {rollup} WHERE bucket < %s;

-- name: remove_policy
SELECT remove_retention_policy({relation}::regclass, if_exists => true);

-- name: add_policy
SELECT add_retention_policy({relation}::regclass, drop_after => {age}::interval);

-- name: delete_latest
DELETE FROM latest WHERE kind = %s AND observed_at < %s;

-- name: delete_letters
DELETE FROM dead_letter WHERE received_at < %s;
