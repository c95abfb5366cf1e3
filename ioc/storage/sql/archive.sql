-- Statements of archive.py and of reading it.

-- name: try_session_lock
SELECT pg_try_advisory_lock(hashtextextended(current_schema() || '.archive.' || %s::text, 0));

-- name: unlock_session
SELECT pg_advisory_unlock(hashtextextended(current_schema() || '.archive.' || %s::text, 0));

-- name: limit_waiting
SET LOCAL lock_timeout = '5s';

-- Late readings of the day wait, so that nothing is dropped that was not seen.
-- name: hold_still
LOCK TABLE {relation} IN SHARE MODE;

-- name: keep_snapshot
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;

-- name: list_rows
SELECT {columns} FROM {relation}
WHERE observed_at >= %(start)s AND observed_at < %(end)s
ORDER BY feed_id, received_at, event_id;

-- name: list_stray_days
SELECT DISTINCT (observed_at AT TIME ZONE 'UTC')::date FROM {relation} WHERE observed_at < %s ORDER BY 1;

-- name: delete_strays
DELETE FROM {relation} WHERE observed_at >= %(start)s AND observed_at < %(end)s;

-- name: list_old_chunks
SELECT chunk_schema, chunk_name, range_start, range_end
FROM timescaledb_information.chunks
WHERE hypertable_schema = current_schema() AND hypertable_name = %s AND range_end <= %s
ORDER BY range_start;

-- name: drop_chunk
SELECT count(*) FROM drop_chunks({table}::regclass, older_than => {end}::timestamptz, newer_than => {start}::timestamptz);

-- name: find_last_part
SELECT coalesce(max(part), 0) FROM archive_file WHERE kind = %s AND feed_id = %s AND day = %s;

-- name: add_file
INSERT INTO archive_file (kind, feed_id, day, part, name, rows_count, bytes_count, sha256, first_at, last_at, archived_at)
VALUES (%(kind)s, %(feed_id)s, %(day)s, %(part)s, %(name)s, %(rows_count)s, %(bytes_count)s, %(sha256)s, %(first_at)s,
        %(last_at)s, %(archived_at)s);

-- name: list_files
SELECT name, rows_count, first_at, last_at
FROM archive_file
WHERE kind = %(kind)s AND last_at >= %(start)s AND first_at < %(end)s
ORDER BY day, feed_id, part;
