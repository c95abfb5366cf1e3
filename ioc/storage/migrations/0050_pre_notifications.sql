-- Who was told what: silences, groups of alerts as the last notification knew them, and the log of every notification.

ALTER TABLE subscription ADD COLUMN wants text NOT NULL DEFAULT 'changes' CHECK (wants IN ('changes', 'notifications'));

CREATE TABLE silence (
    silence_id uuid PRIMARY KEY,
    matchers text NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL CHECK (ends_at >= starts_at),
    author text NOT NULL,
    comment text NOT NULL CHECK (comment <> ''),
    created_at timestamptz NOT NULL,
    ended_by text
);
CREATE INDEX silence_end ON silence (ends_at);

-- How far into the journal alerts have been sorted into groups. The row's lock says which replica is sorting.
CREATE TABLE notification_position (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    event_id bigint NOT NULL
);
-- What happened before there were groups is not told again.
INSERT INTO notification_position (event_id) SELECT coalesce(max(event_id), 0) FROM alert_event;

CREATE TABLE notification_group (
    group_id uuid PRIMARY KEY,
    group_key text COLLATE "C" NOT NULL UNIQUE,
    route_id text NOT NULL,
    departments text[] NOT NULL,
    labels jsonb NOT NULL,
    opened_at timestamptz NOT NULL,
    told_at timestamptz,
    told_firing uuid[] NOT NULL DEFAULT '{}',
    told_resolved uuid[] NOT NULL DEFAULT '{}',
    told_count integer NOT NULL DEFAULT 0,
    look_at timestamptz NOT NULL,
    reason text NOT NULL DEFAULT 'waiting',
    decided_at timestamptz
) WITH (fillfactor = 70);
CREATE INDEX notification_group_due ON notification_group (look_at);

CREATE TABLE notification_member (
    group_id uuid NOT NULL REFERENCES notification_group (group_id) ON DELETE CASCADE,
    alert_id uuid NOT NULL REFERENCES alert (alert_id),
    joined_at timestamptz NOT NULL,
    held_why text,
    held_by text,
    held_until timestamptz,
    told_severity text,
    PRIMARY KEY (group_id, alert_id)
);
CREATE INDEX notification_member_alert ON notification_member (alert_id);

CREATE TABLE escalation (
    alert_id uuid PRIMARY KEY REFERENCES alert (alert_id),
    ladder_id text NOT NULL,
    unacked_at timestamptz NOT NULL,
    reached integer NOT NULL DEFAULT 0,
    look_at timestamptz NOT NULL
);
CREATE INDEX escalation_due ON escalation (look_at);

CREATE TABLE notification (
    notification_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    department text NOT NULL,
    group_id uuid,
    group_key text NOT NULL,
    route_id text NOT NULL,
    reason text NOT NULL,
    form text NOT NULL CHECK (form IN ('group', 'flood', 'escalation')),
    firing_ids uuid[] NOT NULL,
    resolved_ids uuid[] NOT NULL,
    new_count integer NOT NULL,
    receivers_count integer NOT NULL
);
CREATE INDEX notification_department ON notification (department, at DESC);
CREATE INDEX notification_at ON notification (at);
CREATE INDEX notification_alerts ON notification USING gin (firing_ids);
CREATE INDEX notification_ended ON notification USING gin (resolved_ids);
