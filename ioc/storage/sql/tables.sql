-- Statements of tables.py and partitions.py: the relations that follow from the registry of kinds.

-- name: create_kind_table
CREATE TABLE IF NOT EXISTS {table} (
    asset_id text COLLATE "C" NOT NULL,
    observed_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    event_id uuid NOT NULL,
    quality smallint NOT NULL,
    feed_id text COLLATE "C" NOT NULL,
    unit_code text COLLATE "C",
    lon_deg double precision,
    lat_deg double precision,
    UNIQUE (asset_id, observed_at, event_id)
) {partitioning};

-- name: partition_by_time
PARTITION BY RANGE (observed_at)

-- name: create_default_partition
CREATE TABLE IF NOT EXISTS {partition} PARTITION OF {table} DEFAULT;

-- name: make_hypertable
SELECT create_hypertable({table}::regclass, by_range('observed_at', INTERVAL '1 day'),
                         create_default_indexes => false, if_not_exists => true);

-- Rows arrive nearly in the order of their time, so a block range index finds a minute at no cost to the writer.
-- name: create_time_index
CREATE INDEX IF NOT EXISTS {index} ON {table} USING brin (observed_at) WITH (pages_per_range = 32, autosummarize = on);

-- Replays read in the order of arrival; what was late lies in partitions of its own time and has to be found there.
-- name: create_arrival_index
CREATE INDEX IF NOT EXISTS {index} ON {table} USING brin (received_at) WITH (pages_per_range = 32, autosummarize = on);

-- name: add_columns
ALTER TABLE {table} {columns}

-- name: add_column
ADD COLUMN IF NOT EXISTS {column} {type}

-- name: list_relations
SELECT relname, array_agg(attname)
FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'i', 'I')
  AND attnum > 0 AND NOT attisdropped
GROUP BY relname;

-- name: list_columns
SELECT attname FROM pg_attribute WHERE attrelid = to_regclass({table}) AND attnum > 0 AND NOT attisdropped;

-- name: create_rollup_table
CREATE TABLE IF NOT EXISTS {rollup} (
    asset_id text COLLATE "C" NOT NULL,
    bucket timestamptz NOT NULL,
    n bigint NOT NULL,
    PRIMARY KEY (asset_id, bucket)
) WITH (fillfactor = 80);

-- name: create_rollup_time_index
CREATE INDEX IF NOT EXISTS {index} ON {rollup} USING brin (bucket) WITH (pages_per_range = 32, autosummarize = on);

-- name: create_aggregate_of_readings
CREATE MATERIALIZED VIEW {rollup}
WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT asset_id, time_bucket(INTERVAL '1 minute', observed_at) AS bucket, count(*) AS n, {columns}
FROM {source}
WHERE quality < 3
GROUP BY 1, 2
WITH NO DATA;

-- name: create_aggregate_of_aggregate
CREATE MATERIALIZED VIEW {rollup}
WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT asset_id, time_bucket({width}, bucket) AS bucket, sum(n)::bigint AS n, {columns}
FROM {source}
GROUP BY 1, 2
WITH NO DATA;

-- name: create_aggregate_by_province_day
CREATE MATERIALIZED VIEW {rollup}
WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT asset_id, time_bucket({width}, bucket, 'Asia/Ho_Chi_Minh') AS bucket, sum(n)::bigint AS n, {columns}
FROM {source}
GROUP BY 1, 2
WITH NO DATA;

-- name: rename_aggregate
ALTER MATERIALIZED VIEW {rollup} RENAME TO {name};

-- name: mark_everything
INSERT INTO rollup_mark (kind, bucket)
SELECT {kind}, minute
FROM (SELECT min(observed_at), max(observed_at) FROM {table}) AS range (oldest, newest)
CROSS JOIN LATERAL generate_series(date_trunc('minute', oldest), newest, INTERVAL '1 hour') AS minute;

-- name: list_columnar
SELECT hypertable_name
FROM timescaledb_information.hypertables
WHERE compression_enabled AND hypertable_schema = current_schema();

-- name: enable_columnstore
ALTER TABLE {table} SET (
    timescaledb.enable_columnstore,
    timescaledb.segmentby = 'asset_id',
    timescaledb.orderby = 'observed_at, event_id'
);

-- name: add_columnstore_policy
CALL add_columnstore_policy({table}::regclass, after => INTERVAL '7 days', if_not_exists => true);

-- name: current_day
SELECT (now() AT TIME ZONE 'UTC')::date;

-- name: is_partitioned
SELECT EXISTS (SELECT FROM pg_partitioned_table WHERE partrelid = to_regclass({table}));

-- name: list_partitions
SELECT child.relname
FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid
WHERE inhparent = to_regclass({table});

-- name: has_strays
SELECT EXISTS (SELECT FROM {default_partition} WHERE observed_at >= {start} AND observed_at < {end});

-- name: create_partition
CREATE TABLE {partition} PARTITION OF {table} FOR VALUES FROM ({start}) TO ({end});

-- name: create_detached_partition
CREATE TABLE {partition} (LIKE {table} INCLUDING ALL);

-- name: move_strays
WITH stray AS (
    DELETE FROM {default_partition} WHERE observed_at >= {start} AND observed_at < {end} RETURNING *
)
INSERT INTO {partition} SELECT * FROM stray;

-- name: attach_partition
ALTER TABLE {table} ATTACH PARTITION {partition} FOR VALUES FROM ({start}) TO ({end});

-- name: drop_partition
DROP TABLE IF EXISTS {partition};
