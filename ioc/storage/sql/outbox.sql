-- Subscriptions, deliveries and attempts.

-- name: list_wishes
SELECT subscription_id, min_severity, feed_ids, rule_ids, unit_codes, zone_ids, change_types FROM subscription
WHERE wants = 'changes' ORDER BY subscription_id
FOR KEY SHARE -- Nobody may remove one while its deliveries are being written.

-- name: supersede
-- A revision that has failed at least once gives way to the newer one, which carries the state before it.
-- One statement for a whole batch: its plan fits the table as it is, not as it was when the first alert came.
UPDATE delivery SET state = 'superseded', settled_at = newer.at
FROM (
    SELECT subscription_id, alert_id, min(at) AS at
    FROM unnest(%(subscription_ids)s::uuid[], %(alert_ids)s::uuid[], %(ats)s::timestamptz[])
        AS given (subscription_id, alert_id, at)
    GROUP BY subscription_id, alert_id
) newer
WHERE delivery.subscription_id = newer.subscription_id AND delivery.alert_id = newer.alert_id
  AND delivery.state = 'pending' AND delivery.attempts > 0
  AND (delivery.leased_until IS NULL OR delivery.leased_until < newer.at)

-- name: enqueue
INSERT INTO delivery (webhook_id, subscription_id, alert_id, revision, body, next_attempt_at, created_at)
SELECT webhook_id, subscription_id, alert_id, revision, body, at, at
FROM unnest(%(webhook_ids)s::text[], %(subscription_ids)s::uuid[], %(alert_ids)s::uuid[], %(revisions)s::integer[],
    %(bodies)s::bytea[], %(ats)s::timestamptz[]) WITH ORDINALITY
    AS given (webhook_id, subscription_id, alert_id, revision, body, at, place)
ORDER BY place
ON CONFLICT (webhook_id) DO NOTHING

-- name: claim
-- In order per endpoint and alert: a delivery waits while an earlier one of the same alert is not settled.
-- Endpoints take turns, each with at most %(per_endpoint)s attempts under way, or one while it is failing; all that fail
-- share %(failing_limit)s. So slow and dead endpoints wait for each other and not the others for them.
-- Each attempt is noted as it begins: one that dies with its dispatcher is still seen.
WITH endpoint AS (
    SELECT s.subscription_id, s.failing_since IS NOT NULL AS failing,
        greatest(0, CASE WHEN s.failing_since IS NULL THEN %(per_endpoint)s ELSE 1 END - (
            SELECT count(*) FROM delivery busy
            WHERE busy.subscription_id = s.subscription_id AND busy.state = 'pending'
              AND busy.leased_until IS NOT NULL AND busy.leased_until >= %(now)s
        )) AS free
    FROM subscription s WHERE s.enabled
), due AS (
    SELECT head.delivery_id, endpoint.failing,
        row_number() OVER (PARTITION BY endpoint.failing ORDER BY head.turn, head.next_attempt_at) AS place
    FROM endpoint CROSS JOIN LATERAL (
        SELECT d.delivery_id, d.next_attempt_at, row_number() OVER (ORDER BY d.next_attempt_at, d.delivery_id) AS turn
        FROM delivery d
        WHERE d.subscription_id = endpoint.subscription_id AND d.state = 'pending' AND d.next_attempt_at <= %(now)s
          AND (d.leased_until IS NULL OR d.leased_until < %(now)s)
          AND NOT EXISTS (
              SELECT FROM delivery earlier
              WHERE earlier.subscription_id = d.subscription_id AND earlier.alert_id = d.alert_id
                AND earlier.state = 'pending' AND earlier.delivery_id < d.delivery_id
          )
        ORDER BY d.next_attempt_at, d.delivery_id LIMIT endpoint.free
    ) head
), chosen AS (
    SELECT delivery.delivery_id FROM delivery JOIN due USING (delivery_id)
    WHERE (place <= %(failing_limit)s OR NOT failing)
      AND state = 'pending' AND (leased_until IS NULL OR leased_until < %(now)s)
    ORDER BY failing, place LIMIT %(limit)s
    FOR UPDATE OF delivery SKIP LOCKED
), claimed AS (
    UPDATE delivery d SET leased_until = %(leased_until)s, attempts = d.attempts + 1
    FROM chosen, subscription s
    WHERE d.delivery_id = chosen.delivery_id AND s.subscription_id = d.subscription_id
    RETURNING d.delivery_id, d.webhook_id, d.subscription_id, d.body, d.attempts, d.attempts_before, s.url, s.sealed_secret,
        CASE WHEN s.old_secret_until > %(now)s THEN s.sealed_old_secret END AS sealed_old_secret, s.failing_since
), begun AS (
    INSERT INTO delivery_attempt (delivery_id, attempt, at, outcome, status, duration_ms, detail)
    SELECT delivery_id, attempts, %(now)s, 'under_way', NULL, 0, '' FROM claimed
)
SELECT * FROM claimed

-- name: note_attempt
UPDATE delivery_attempt
SET at = %(at)s, outcome = %(outcome)s, status = %(status)s, duration_ms = %(duration_ms)s, detail = %(detail)s
WHERE delivery_id = %(delivery_id)s AND attempt = %(attempt)s

-- name: settle
UPDATE delivery SET state = %(state)s, settled_at = %(now)s, leased_until = NULL
WHERE delivery_id = %(delivery_id)s AND attempts = %(attempt)s AND state = 'pending'

-- name: retry
UPDATE delivery SET next_attempt_at = %(retry_at)s, leased_until = NULL
WHERE delivery_id = %(delivery_id)s AND attempts = %(attempt)s AND state = 'pending'

-- name: give_way
-- A revision that failed while the next one waited behind it already: see supersede.
UPDATE delivery AS failed SET state = 'superseded', settled_at = %(now)s
WHERE delivery_id = %(delivery_id)s AND state = 'pending' AND leased_until IS NULL AND revision IS NOT NULL
  AND EXISTS (
      SELECT FROM delivery AS newer
      WHERE newer.subscription_id = failed.subscription_id AND newer.alert_id = failed.alert_id
        AND newer.state = 'pending' AND newer.delivery_id > failed.delivery_id AND newer.revision IS NOT NULL
  )

-- name: note_success
UPDATE subscription SET failing_since = NULL WHERE subscription_id = %(subscription_id)s AND failing_since IS NOT NULL

-- name: note_failure
UPDATE subscription SET failing_since = coalesce(failing_since, %(now)s) WHERE subscription_id = %(subscription_id)s

-- name: disable
UPDATE subscription SET enabled = false, disabled_reason = %(reason)s WHERE subscription_id = %(subscription_id)s

-- name: add_subscription
INSERT INTO subscription (subscription_id, department, url, description, min_severity, feed_ids, rule_ids, unit_codes,
    zone_ids, change_types, wants, sealed_secret, created_at, created_by)
VALUES (%(subscription_id)s, %(department)s, %(url)s, %(description)s, %(min_severity)s, %(feed_ids)s, %(rule_ids)s,
    %(unit_codes)s, %(zone_ids)s, %(change_types)s, %(wants)s, %(sealed_secret)s, %(created_at)s, %(created_by)s)

-- name: list_subscriptions
SELECT subscription_id, department, url, description, min_severity, feed_ids, rule_ids, unit_codes, zone_ids, change_types,
    wants, enabled, disabled_reason, failing_since, created_at, created_by
FROM subscription
WHERE (%(department)s::text IS NULL OR department = %(department)s)
  AND (%(subscription_id)s::uuid IS NULL OR subscription_id = %(subscription_id)s)
ORDER BY created_at, subscription_id

-- name: remove_subscription
DELETE FROM subscription WHERE subscription_id = %(subscription_id)s

-- name: enable
UPDATE subscription SET enabled = true, disabled_reason = NULL, failing_since = NULL
WHERE subscription_id = %(subscription_id)s

-- name: rotate_secret
UPDATE subscription SET sealed_old_secret = sealed_secret, old_secret_until = %(old_until)s, sealed_secret = %(sealed_secret)s
WHERE subscription_id = %(subscription_id)s

-- name: list_deliveries
SELECT delivery_id, webhook_id, subscription_id, alert_id, revision, state, attempts, next_attempt_at, created_at, settled_at
FROM delivery
WHERE subscription_id = %(subscription_id)s AND (%(before)s::bigint IS NULL OR delivery_id < %(before)s)
ORDER BY delivery_id DESC LIMIT %(limit)s

-- name: list_attempts
-- An attempt that nobody is making any more and that nobody noted the end of died with its dispatcher.
SELECT a.delivery_id, a.attempt, a.at,
    CASE WHEN a.outcome = 'under_way' AND (d.leased_until IS NULL OR a.attempt < d.attempts) THEN 'lost' ELSE a.outcome END
        AS outcome,
    a.status, a.duration_ms, a.detail
FROM delivery_attempt a JOIN delivery d USING (delivery_id)
WHERE a.delivery_id = ANY(%(delivery_ids)s) ORDER BY a.delivery_id, a.attempt

-- name: redeliver
-- Attempts count on, as the log has them; the schedule begins anew.
UPDATE delivery SET state = 'pending', next_attempt_at = %(now)s, leased_until = NULL, settled_at = NULL, attempts_before = attempts
WHERE subscription_id = %(subscription_id)s AND state <> 'pending'
  AND (%(delivery_id)s::bigint IS NULL OR delivery_id = %(delivery_id)s)
  AND (%(since)s::timestamptz IS NULL OR created_at >= %(since)s)

-- name: give_up_waiting
UPDATE delivery SET state = 'failed', settled_at = %(now)s, leased_until = NULL
WHERE state = 'pending' AND created_at < %(before)s AND (leased_until IS NULL OR leased_until < %(now)s)

-- name: forget_settled
DELETE FROM delivery WHERE settled_at < %(before)s

-- Departments that are told of alerts now.
-- name: list_told
SELECT DISTINCT department FROM subscription WHERE enabled ORDER BY department;
