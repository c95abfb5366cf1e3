-- Departments' subscriptions, the outbox, and the log of every attempt.

CREATE TABLE subscription (
    subscription_id uuid PRIMARY KEY,
    department text NOT NULL,
    url text NOT NULL,
    description text NOT NULL DEFAULT '',
    min_severity smallint NOT NULL DEFAULT 0 CHECK (min_severity BETWEEN 0 AND 3),
    feed_ids text[],
    rule_ids text[],
    unit_codes text[],
    change_types text[],
    sealed_secret bytea NOT NULL,
    sealed_old_secret bytea,
    old_secret_until timestamptz,
    enabled boolean NOT NULL DEFAULT true,
    disabled_reason text,
    failing_since timestamptz,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL
);
CREATE INDEX subscription_department ON subscription (department);

CREATE TABLE delivery (
    delivery_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    webhook_id text NOT NULL UNIQUE,
    subscription_id uuid NOT NULL REFERENCES subscription (subscription_id) ON DELETE CASCADE,
    alert_id uuid,
    revision integer,
    body bytea NOT NULL,
    state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'superseded', 'failed')),
    attempts integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL,
    leased_until timestamptz,
    created_at timestamptz NOT NULL,
    settled_at timestamptz
) WITH (fillfactor = 70);
CREATE INDEX delivery_due ON delivery (next_attempt_at) WHERE state = 'pending';
CREATE INDEX delivery_order ON delivery (subscription_id, alert_id, delivery_id) WHERE state = 'pending';
CREATE INDEX delivery_recent ON delivery (subscription_id, delivery_id DESC);

CREATE TABLE delivery_attempt (
    delivery_id bigint NOT NULL REFERENCES delivery (delivery_id) ON DELETE CASCADE,
    attempt integer NOT NULL,
    at timestamptz NOT NULL,
    outcome text NOT NULL,
    status integer,
    duration_ms double precision NOT NULL,
    detail text NOT NULL,
    PRIMARY KEY (delivery_id, attempt)
);
