-- What supervisors take off the operators' list (a condition, not one occurrence), whose an alert is, and how severe
-- a person says that it is.

ALTER TABLE alert ADD COLUMN assigned_to text;
ALTER TABLE alert ADD COLUMN rule_severity text CHECK (rule_severity IN ('critical', 'major', 'minor', 'info'));
ALTER TABLE alert ADD COLUMN severity_by text;
ALTER TABLE alert ADD COLUMN overruled_severity text CHECK (overruled_severity IN ('critical', 'major', 'minor', 'info'));
ALTER TABLE alert ADD COLUMN suppressed_until timestamptz;
ALTER TABLE alert ADD COLUMN suppression_id uuid;
UPDATE alert SET rule_severity = severity WHERE ended_at IS NULL;
CREATE INDEX alert_by_suppression ON alert (suppression_id) WHERE suppression_id IS NOT NULL;

-- An entry holds what it matches until ended_at is set: by a person, or when ends_at has come.
CREATE TABLE suppression (
    suppression_id uuid PRIMARY KEY,
    state text NOT NULL CHECK (state IN ('suppressed', 'out_of_service')),
    matchers text NOT NULL CHECK (matchers <> ''),
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL CHECK (ends_at > starts_at),
    author text NOT NULL,
    reason text NOT NULL CHECK (reason <> ''),
    created_at timestamptz NOT NULL,
    ended_at timestamptz,
    ended_by text,
    end_reason text
);
CREATE INDEX suppression_running ON suppression (ends_at) WHERE ended_at IS NULL;
