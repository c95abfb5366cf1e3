-- Versions of rules with author and reason, and what was made active when. Both only grow.

CREATE TABLE rule_version (
    rule_id text COLLATE "C" NOT NULL,
    number integer NOT NULL CHECK (number > 0),
    source text NOT NULL,
    version text NOT NULL,
    tests_count integer NOT NULL,
    author text NOT NULL CHECK (author <> ''),
    reason text NOT NULL CHECK (reason <> ''),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (rule_id, number)
);
CREATE INDEX rule_version_meaning ON rule_version (rule_id, version);

-- The newest row per rule and lane counts. In the lane 'live' stands what is in force: a version, the rule as the files
-- have it, or nothing; in 'shadow' a candidate that runs beside it, or nothing.
CREATE TABLE rule_activation (
    activation_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rule_id text COLLATE "C" NOT NULL,
    lane text NOT NULL CHECK (lane IN ('live', 'shadow')),
    state text NOT NULL CHECK (state IN ('version', 'file', 'off')),
    number integer,
    -- A roll-back names the activation that it goes back to (null: before the first).
    is_roll_back boolean NOT NULL DEFAULT false,
    restores bigint REFERENCES rule_activation (activation_id),
    actor text NOT NULL CHECK (actor <> ''),
    reason text NOT NULL CHECK (reason <> ''),
    at timestamptz NOT NULL,
    FOREIGN KEY (rule_id, number) REFERENCES rule_version (rule_id, number),
    CHECK ((state = 'version') = (number IS NOT NULL)),
    CHECK (lane = 'live' OR state <> 'file')
);
CREATE INDEX rule_activation_newest ON rule_activation (rule_id, lane, activation_id DESC);

CREATE FUNCTION refuse_rule_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'versions and activations of rules are append-only' USING ERRCODE = 'insufficient_privilege';
END
$$;

CREATE TRIGGER rule_version_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON rule_version
FOR EACH STATEMENT EXECUTE FUNCTION refuse_rule_change();

CREATE TRIGGER rule_activation_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON rule_activation
FOR EACH STATEMENT EXECUTE FUNCTION refuse_rule_change();
