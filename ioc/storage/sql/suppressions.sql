-- The register of suppressions, and the alerts that it holds.

-- name: share_register
-- Who opens alerts reads the register as it is until their commit; who changes it waits for them, and they for it.
SELECT pg_advisory_xact_lock_shared(hashtext('ioc.suppression'), hashtext(current_schema()))

-- name: lock_register
SELECT pg_advisory_xact_lock(hashtext('ioc.suppression'), hashtext(current_schema()))

-- name: running
SELECT suppression_id, state, matchers, starts_at, ends_at, author, reason, created_at
FROM suppression WHERE ended_at IS NULL ORDER BY created_at DESC, suppression_id

-- name: list
SELECT suppression_id, state, matchers, starts_at, ends_at, author, reason, created_at, ended_at, ended_by, end_reason,
    (SELECT count(*) FROM alert WHERE alert.suppression_id = suppression.suppression_id) AS held_count
FROM suppression
WHERE (%(suppression_id)s::uuid IS NULL OR suppression_id = %(suppression_id)s)
  AND (%(with_ended)s OR ended_at IS NULL)
ORDER BY created_at DESC, suppression_id LIMIT %(limit)s

-- name: add
INSERT INTO suppression (suppression_id, state, matchers, starts_at, ends_at, author, reason, created_at)
VALUES (%(suppression_id)s, %(state)s, %(matchers)s, %(starts_at)s, %(ends_at)s, %(author)s, %(reason)s, %(created_at)s)

-- name: due
SELECT suppression_id FROM suppression WHERE ended_at IS NULL AND ends_at <= %(now)s

-- name: end
UPDATE suppression SET ended_at = %(now)s, ended_by = %(actor)s, end_reason = %(reason)s
WHERE suppression_id = ANY(%(suppression_ids)s) AND ended_at IS NULL
RETURNING suppression_id

-- name: open_candidates
SELECT * FROM alert
WHERE ended_at IS NULL AND NOT shadow AND (%(rule_id)s::text IS NULL OR rule_id = %(rule_id)s)

-- name: lock_held
SELECT * FROM alert WHERE suppression_id = ANY(%(suppression_ids)s) ORDER BY alert_id FOR UPDATE

-- name: lock_alerts
-- One order for all who lock several alerts.
SELECT * FROM alert WHERE alert_id = ANY(%(alert_ids)s) ORDER BY alert_id FOR UPDATE
