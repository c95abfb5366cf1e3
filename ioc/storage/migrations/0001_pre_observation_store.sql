-- The tables of the observation store that do not follow from the registry of kinds.

CREATE TABLE latest (
    kind text COLLATE "C" NOT NULL,
    asset_id text COLLATE "C" NOT NULL,
    observed_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    event_id uuid NOT NULL,
    quality smallint NOT NULL,
    feed_id text NOT NULL,
    unit_code text,
    lon_deg double precision,
    lat_deg double precision,
    data jsonb NOT NULL,
    PRIMARY KEY (kind, asset_id)
) WITH (
    -- Every row is rewritten with every batch: room on the page keeps the updates off the index.
    fillfactor = 50,
    autovacuum_vacuum_scale_factor = 0.05,
    autovacuum_vacuum_cost_delay = 0
);
COMMENT ON TABLE latest IS 'The newest reading of every asset and kind.';

CREATE TABLE log_position (
    consumer_group text COLLATE "C" NOT NULL,
    topic text COLLATE "C" NOT NULL,
    partition integer NOT NULL,
    first_offset bigint NOT NULL,
    next_offset bigint NOT NULL,
    moved_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer_group, topic, partition),
    CHECK (next_offset >= first_offset)
) WITH (fillfactor = 20);
COMMENT ON TABLE log_position IS 'How far a consumer group has read; moves in the transaction of the rows.';
COMMENT ON COLUMN log_position.first_offset IS 'Where the last batch began: the position that the next move must find.';

CREATE TABLE engine_state (
    consumer_group text COLLATE "C" NOT NULL,
    topic text COLLATE "C" NOT NULL,
    partition integer NOT NULL,
    rule_id text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    state bytea NOT NULL,
    PRIMARY KEY (consumer_group, topic, partition, rule_id, key)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
COMMENT ON TABLE engine_state IS 'What the alert engine remembers per partition; saved in the transaction of the position.';

CREATE TABLE dead_letter (
    dead_letter_id uuid PRIMARY KEY,
    feed_id text COLLATE "C" NOT NULL,
    received_at timestamptz NOT NULL,
    reason text NOT NULL,
    source text NOT NULL,
    raw bytea NOT NULL,
    state text NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'retried', 'discarded')),
    retried_at timestamptz
);
CREATE INDEX dead_letter_received_at ON dead_letter (received_at DESC, dead_letter_id);
COMMENT ON TABLE dead_letter IS 'What a source sent and the program could not read, with its bytes and the reason.';

-- No unique key: two writers that mark the same minute must not wait for each other.
CREATE TABLE rollup_mark (
    mark_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text COLLATE "C" NOT NULL,
    bucket timestamptz NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX rollup_mark_bucket ON rollup_mark (kind, bucket);
COMMENT ON TABLE rollup_mark IS 'Minutes whose roll-ups do not yet hold everything that is stored.';
