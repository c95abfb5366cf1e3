-- Who may come in: people with accounts and sessions, machines with keys; and what they did.

CREATE TABLE account (
    name text PRIMARY KEY,
    display_name text NOT NULL,
    password_hash text NOT NULL,
    roles text[] NOT NULL,
    department text,
    disabled boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL
);

CREATE TABLE session (
    token_hash bytea PRIMARY KEY,
    account_name text NOT NULL REFERENCES account (name) ON DELETE CASCADE,
    csrf text NOT NULL,
    created_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL
);
CREATE INDEX session_seen ON session (seen_at);

CREATE TABLE ws_ticket (
    token_hash bytea PRIMARY KEY,
    account_name text NOT NULL REFERENCES account (name) ON DELETE CASCADE,
    expires_at timestamptz NOT NULL
);

CREATE TABLE api_key (
    key_id text PRIMARY KEY,
    name text NOT NULL,
    secret_hash bytea NOT NULL,
    feed_ids text[] NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz
);

-- Append-only: the application only ever inserts.
CREATE TABLE audit_log (
    audit_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    address text NOT NULL,
    action text NOT NULL,
    object text NOT NULL,
    detail jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_log_at ON audit_log (at DESC);
