-- Statements of rule_health.py.

-- name: report
INSERT INTO rule_health (
    rule_id, process, version, started_at, reported_at, evaluations_count, cost_s, faults_count, recent_s,
    recent_evaluations_count, recent_cost_s, failing_since, series_count, open_count, readings_count, readings_limit,
    series_limit
)
SELECT rule_id, %(process)s, version, started_at, %(now)s, evaluations_count, cost_s, faults_count, recent_s,
       recent_evaluations_count, recent_cost_s, failing_since, series_count, open_count, readings_count, readings_limit,
    series_limit
FROM unnest(
    %(rule_id)s::text[], %(version)s::text[], %(started_at)s::timestamptz[], %(evaluations_count)s::bigint[],
    %(cost_s)s::double precision[], %(faults_count)s::bigint[], %(recent_s)s::double precision[],
    %(recent_evaluations_count)s::bigint[], %(recent_cost_s)s::double precision[], %(failing_since)s::timestamptz[],
    %(series_count)s::bigint[], %(open_count)s::bigint[], %(readings_count)s::bigint[], %(readings_limit)s::bigint[],
    %(series_limit)s::bigint[]
) AS reported (
    rule_id, version, started_at, evaluations_count, cost_s, faults_count, recent_s, recent_evaluations_count,
    recent_cost_s, failing_since, series_count, open_count, readings_count, readings_limit,
    series_limit
)
ON CONFLICT (rule_id, process) DO UPDATE SET
    version = excluded.version, started_at = excluded.started_at, reported_at = excluded.reported_at,
    evaluations_count = excluded.evaluations_count, cost_s = excluded.cost_s, faults_count = excluded.faults_count,
    recent_s = excluded.recent_s, recent_evaluations_count = excluded.recent_evaluations_count,
    recent_cost_s = excluded.recent_cost_s, failing_since = excluded.failing_since,
    series_count = excluded.series_count, open_count = excluded.open_count, readings_count = excluded.readings_count,
    readings_limit = excluded.readings_limit, series_limit = excluded.series_limit;

-- Rows of processes that stopped, and of rules that a process does not run any more.
-- name: forget
DELETE FROM rule_health
WHERE reported_at < %(gone_before)s OR (process = %(process)s AND reported_at < %(now)s);

-- A batch that is read again after a crash fails on the same readings at the same log time: they are there already.
-- name: add_faults
INSERT INTO rule_fault (rule_id, at, asset_id, reason)
SELECT rule_id, at, asset_id, reason
FROM unnest(%(rule_id)s::text[], %(at)s::timestamptz[], %(asset_id)s::text[], %(reason)s::text[])
    AS fault (rule_id, at, asset_id, reason)
ON CONFLICT DO NOTHING;

-- name: trim_faults
DELETE FROM rule_fault
USING (
    SELECT rule_id, at, asset_id, reason,
           row_number() OVER (PARTITION BY rule_id ORDER BY at DESC, asset_id, reason) AS place
    FROM rule_fault WHERE rule_id = ANY (%(rule_id)s::text[])
) AS held
WHERE held.place > %(most)s AND rule_fault.rule_id = held.rule_id AND rule_fault.at = held.at
  AND rule_fault.asset_id = held.asset_id AND rule_fault.reason = held.reason;

-- name: list
SELECT rule_id, process, version, started_at, reported_at, evaluations_count, cost_s, faults_count, recent_s,
       recent_evaluations_count, recent_cost_s, failing_since, series_count, open_count, readings_count, readings_limit,
    series_limit
FROM rule_health WHERE reported_at >= %s ORDER BY rule_id, process;

-- name: list_faults
SELECT rule_id, at, asset_id, reason FROM rule_fault ORDER BY rule_id, at DESC, asset_id, reason;

-- name: list_failing
SELECT rule_id, bool_or(failing_since IS NOT NULL) FROM rule_health WHERE reported_at >= %s
GROUP BY rule_id ORDER BY rule_id;
