-- How the feeds stand, as the ingest processes see them; read by api processes for walls and /feeds.

CREATE TABLE feed_status (
    feed_id text PRIMARY KEY,
    reported_at timestamptz NOT NULL,
    status jsonb NOT NULL
);
