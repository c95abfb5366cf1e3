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
