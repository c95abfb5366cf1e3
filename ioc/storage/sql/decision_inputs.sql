-- Statements of decision_inputs.py: the readings that a decision of the engine rests on.

-- name: only_quantity
AND quantity = %(quantity)s

-- name: list_of_asset
-- The newest of an asset before a decision that had come by then.
SELECT asset_id, observed_at, received_at, event_id, quality, feed_id, unit_code, lon_deg, lat_deg, {fields}
FROM {table}
WHERE asset_id = %(asset_id)s AND observed_at > %(after)s AND observed_at <= %(until)s AND received_at <= %(received_by)s
  {only}
ORDER BY observed_at DESC, event_id DESC
LIMIT %(limit)s;

-- name: list_newest
-- The newest of each asset before a decision that had come by then.
SELECT DISTINCT ON (asset_id)
       asset_id, observed_at, received_at, event_id, quality, feed_id, unit_code, lon_deg, lat_deg, {fields}
FROM {table}
WHERE observed_at > %(after)s AND observed_at <= %(until)s AND received_at <= %(received_by)s
ORDER BY asset_id, observed_at DESC, event_id DESC;

-- name: find_by_id
-- No index has the id: the source's time names the partitions, the block range index of the arrival finds the pages.
SELECT asset_id, observed_at, received_at, event_id, quality, feed_id, unit_code, lon_deg, lat_deg, {fields}
FROM {table}
WHERE observed_at > %(observed_after)s AND observed_at <= %(observed_until)s
  AND received_at >= %(after)s AND received_at <= %(until)s AND event_id = ANY (%(ids)s);

-- name: is_archived
SELECT EXISTS (SELECT FROM archive_file WHERE kind = %(kind)s AND last_at > %(after)s AND first_at <= %(until)s);
