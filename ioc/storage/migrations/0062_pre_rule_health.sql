-- How the rules do: what each costs and holds in every process that runs them, and the newest readings they failed on.

CREATE TABLE rule_health (
    rule_id text COLLATE "C" NOT NULL,
    process text COLLATE "C" NOT NULL,
    version text NOT NULL,
    started_at timestamptz NOT NULL,
    reported_at timestamptz NOT NULL,
    evaluations_count bigint NOT NULL,
    cost_s double precision NOT NULL,
    faults_count bigint NOT NULL,
    recent_s double precision NOT NULL,
    recent_evaluations_count bigint NOT NULL,
    recent_cost_s double precision NOT NULL,
    failing_since timestamptz,
    series_count bigint NOT NULL,
    open_count bigint NOT NULL,
    readings_count bigint NOT NULL,
    readings_limit bigint,
    PRIMARY KEY (rule_id, process)
);
CREATE INDEX rule_health_reported_at ON rule_health (reported_at);

CREATE TABLE rule_fault (
    rule_id text COLLATE "C" NOT NULL,
    at timestamptz NOT NULL,
    asset_id text COLLATE "C" NOT NULL,
    reason text COLLATE "C" NOT NULL,
    PRIMARY KEY (rule_id, at, asset_id, reason)
);
