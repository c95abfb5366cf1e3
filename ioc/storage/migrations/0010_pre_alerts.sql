-- Alerts: one row per occurrence, one open row per condition, and a journal that only grows.

CREATE TABLE alert (
    alert_id uuid PRIMARY KEY,
    revision integer NOT NULL,
    fingerprint bytea NOT NULL,
    rule_id text NOT NULL,
    rule_version text NOT NULL,
    labels jsonb NOT NULL,
    severity text NOT NULL CHECK (severity IN ('critical', 'major', 'minor', 'info')),
    condition text NOT NULL CHECK (condition IN ('inactive', 'pending', 'firing', 'recovering')),
    operator text NOT NULL CHECK (operator IN (
        'normal', 'unacknowledged', 'acknowledged', 'returned_unacknowledged', 'shelved', 'suppressed', 'out_of_service'
    )),
    feed_id text NOT NULL,
    asset_id text,
    unit_code text,
    zone_id text,
    lon_deg double precision,
    lat_deg double precision,
    title_vi text NOT NULL,
    title_en text NOT NULL,
    detail_vi text NOT NULL,
    detail_en text NOT NULL,
    value double precision,
    "limit" double precision,
    quantity_unit text NOT NULL,
    observed_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    decided_at timestamptz NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    resolve_reason text,
    acked_by text,
    acked_at timestamptz,
    shelved_until timestamptz,
    shadow boolean NOT NULL DEFAULT false
);

-- The promise "no second open alert for one fingerprint" is kept here, whatever a replica believes.
CREATE UNIQUE INDEX alert_one_open_per_fingerprint ON alert (fingerprint) WHERE ended_at IS NULL;
CREATE INDEX alert_open ON alert (started_at DESC, alert_id) WHERE ended_at IS NULL OR operator <> 'normal';
CREATE INDEX alert_by_start ON alert (started_at DESC, alert_id);
CREATE INDEX alert_by_asset ON alert (asset_id, started_at DESC);

CREATE SEQUENCE alert_event_id AS bigint;

CREATE TABLE alert_event (
    event_id bigint PRIMARY KEY,
    alert_id uuid NOT NULL REFERENCES alert (alert_id),
    revision integer NOT NULL,
    type text NOT NULL,
    at timestamptz NOT NULL,
    actor text,
    reason text,
    alert jsonb NOT NULL,
    input_ids uuid[] NOT NULL DEFAULT '{}',
    UNIQUE (alert_id, revision)
);

-- What an operator's request with an Idempotency-Key answered, for a day.
CREATE TABLE alert_action (
    actor text NOT NULL,
    idempotency_key text NOT NULL,
    alert_id uuid NOT NULL,
    revision integer NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (actor, idempotency_key)
);
