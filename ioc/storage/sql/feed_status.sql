-- Statements of feed_status.py.

-- name: report
INSERT INTO feed_status (feed_id, reported_at, status) VALUES (%s, %s, %s)
ON CONFLICT (feed_id) DO UPDATE SET reported_at = excluded.reported_at, status = excluded.status
WHERE feed_status.reported_at <= excluded.reported_at;

-- name: list
SELECT reported_at, status FROM feed_status ORDER BY feed_id;
