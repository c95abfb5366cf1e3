-- What the indicators were, a value a minute: the course that walls show after a restart, and the history of each.

CREATE TABLE indicator_sample (
    indicator_id text COLLATE "C" NOT NULL,
    minute timestamptz NOT NULL,
    value double precision,
    quality smallint NOT NULL,
    observed_at timestamptz,
    PRIMARY KEY (indicator_id, minute)
);
CREATE INDEX indicator_sample_minute ON indicator_sample (minute);
CREATE INDEX alert_acked_at ON alert (acked_at) WHERE acked_at IS NOT NULL;
CREATE INDEX alert_ended_at ON alert (ended_at) WHERE ended_at IS NOT NULL;
