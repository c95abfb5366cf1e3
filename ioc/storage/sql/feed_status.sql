-- Statements of feed_status.py.

-- name: report
INSERT INTO feed_status (feed_id, reported_at, status) VALUES (%s, %s, %s)
ON CONFLICT (feed_id) DO UPDATE SET reported_at = excluded.reported_at, status = excluded.status
WHERE feed_status.reported_at <= excluded.reported_at;

-- name: list
SELECT reported_at, status FROM feed_status ORDER BY feed_id;

-- name: list_heard
SELECT feed_id, max(last_at), max(received_at)
FROM (
    SELECT feed_id, observed_at AS last_at, received_at FROM latest
    UNION ALL
    SELECT feed_id, to_timestamp((status ->> 'last_at')::bigint / 1000.0),
           to_timestamp((status ->> 'received_at')::bigint / 1000.0)
    FROM feed_status
    WHERE status ->> 'last_at' IS NOT NULL AND status ->> 'received_at' IS NOT NULL
) AS heard
GROUP BY feed_id;
