-- Statements of stored_events.py: what was stored, in the order in which it came. Pieces of statements come first.

-- name: as_array
array_agg({column})

-- name: as_instants
string_agg(timestamptz_send({column}), ''::bytea)

-- name: as_ids
string_agg(uuid_send({column}), ''::bytea)

-- name: only_assets
AND asset_id = ANY (%(asset_ids)s)

-- name: count_arrivals
-- How many readings came in each span of arrival, and between which of the source's times they lie.
SELECT (extract(epoch FROM received_at - %(start)s) * 1000000)::bigint / %(width_us)s AS span,
       count(*), min(observed_at), max(observed_at)
FROM {table}
WHERE received_at >= %(start)s AND received_at < %(end)s {only}
GROUP BY 1;

-- name: read_slice
-- All columns of a slice as arrays: one answer instead of one per row.
SELECT {columns}
FROM {table}
WHERE received_at >= %(start)s AND received_at < %(end)s
  AND observed_at >= %(oldest_at)s AND observed_at <= %(newest_at)s {only};

-- name: list_busy_spans
SELECT DISTINCT (extract(epoch FROM received_at - %(start)s) * 1000000)::bigint / %(width_us)s AS span
FROM {table}
WHERE received_at >= %(start)s AND received_at < %(end)s
ORDER BY 1;

-- name: list_files
-- A file that was archived before the span holds nothing that came in it.
SELECT name, kind
FROM archive_file
WHERE kind = ANY (%(kinds)s) AND archived_at >= %(start)s AND first_at < %(end)s + INTERVAL '1 day'
ORDER BY day, feed_id, part;

-- name: count_files
SELECT count(*) FROM archive_file WHERE kind = ANY (%(kinds)s);
