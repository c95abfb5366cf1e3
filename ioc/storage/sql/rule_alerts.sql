-- Statements of rule_alerts.py.

-- Alerts of a rule that were open at some time of a period: of one asset, and those that are about no asset alone.
-- name: in_period
SELECT * FROM alert
WHERE rule_id = %(rule_id)s AND started_at <= %(end)s AND (ended_at IS NULL OR ended_at >= %(start)s)
  AND (%(asset_id)s::text IS NULL OR asset_id = %(asset_id)s OR asset_id IS NULL)
ORDER BY started_at, alert_id
LIMIT %(limit)s;

-- name: find_last
SELECT max(started_at) FROM alert WHERE rule_id = %s;

-- name: occurrences
-- Alerts of some rules that stood in a time, each with when it was decided and every severity that it had until the end.
SELECT alert.rule_id, alert.labels, alert.asset_id, alert.unit_code, alert.title_vi, alert.title_en, alert.observed_at,
    CASE WHEN alert.ended_at <= %(end)s THEN alert.ended_at END AS ended_at, fired.at AS started_at, had.severities
FROM alert
CROSS JOIN LATERAL (SELECT min(at) AS at FROM alert_event AS entry
                    WHERE entry.alert_id = alert.alert_id AND entry.type = 'fired') AS fired
CROSS JOIN LATERAL (SELECT array_agg(DISTINCT entry.alert ->> 'severity') AS severities FROM alert_event AS entry
                    WHERE entry.alert_id = alert.alert_id AND entry.at < %(end)s) AS had
WHERE alert.rule_id = ANY(%(rule_ids)s) AND alert.started_at < %(end)s
  AND (alert.ended_at IS NULL OR alert.ended_at > %(start)s) AND fired.at < %(end)s
ORDER BY fired.at LIMIT %(limit)s
