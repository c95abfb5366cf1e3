-- Alerts and their journal. Column order follows the fields of ioc.domain.alerts.Alert.

-- name: lock_for_changes
SELECT * FROM alert
WHERE alert_id = ANY(%(alert_ids)s) OR (fingerprint = ANY(%(fingerprints)s) AND ended_at IS NULL)
ORDER BY alert_id
FOR UPDATE

-- name: lock_named
SELECT * FROM alert WHERE alert_id = ANY(%(alert_ids)s) ORDER BY alert_id FOR UPDATE

-- name: lock_over_shelves
SELECT * FROM alert WHERE operator = 'shelved' AND shelved_until <= %(now)s FOR UPDATE SKIP LOCKED

-- name: lock_long_returned
SELECT * FROM alert
WHERE operator = 'returned_unacknowledged' AND ended_at <= %(before)s AND severity = ANY(%(severities)s)
ORDER BY alert_id LIMIT %(limit)s FOR UPDATE SKIP LOCKED

-- name: get
SELECT * FROM alert WHERE alert_id = %(alert_id)s

-- name: save
INSERT INTO alert ({columns}) VALUES ({values})
ON CONFLICT (alert_id) DO UPDATE SET {assignments}

-- name: order_events
-- Ids are taken and committed in one order: a reader that has seen id n will never find a smaller one later.
SELECT pg_advisory_xact_lock(hashtext('ioc.alert_event'), hashtext(current_schema()))

-- name: add_event
INSERT INTO alert_event (event_id, alert_id, revision, type, at, actor, reason, alert, input_ids, grounds)
VALUES (nextval('alert_event_id'), %(alert_id)s, %(revision)s, %(type)s, %(at)s, %(actor)s, %(reason)s, %(alert)s, %(input_ids)s,
        %(grounds)s)
RETURNING event_id

-- name: notify
SELECT pg_notify('alert_event', current_schema())

-- name: open
SELECT * FROM alert WHERE (ended_at IS NULL OR operator <> 'normal') AND NOT shadow
ORDER BY started_at DESC, alert_id
LIMIT %(limit)s

-- name: touched_since
SELECT * FROM alert WHERE (acked_at >= %(since)s OR ended_at >= %(since)s) AND NOT shadow
LIMIT %(limit)s

-- name: page
SELECT * FROM alert
WHERE (NOT %(open_only)s OR ended_at IS NULL OR operator <> 'normal')
  AND (%(rule_id)s::text IS NULL OR rule_id = %(rule_id)s)
  AND (%(asset_id)s::text IS NULL OR asset_id = %(asset_id)s)
  AND (%(unit_code)s::text IS NULL OR unit_code = %(unit_code)s)
  AND (%(severity)s::text IS NULL OR severity = %(severity)s)
  AND (%(after_started_at)s::timestamptz IS NULL
       OR (started_at, alert_id) < (%(after_started_at)s, %(after_alert_id)s::uuid))
ORDER BY started_at DESC, alert_id DESC
LIMIT %(limit)s

-- name: events_of
SELECT event_id, alert_id, revision, type, at, actor, reason, alert FROM alert_event
WHERE alert_id = %(alert_id)s ORDER BY revision DESC LIMIT %(limit)s

-- name: inputs_of
SELECT revision, input_ids FROM alert_event
WHERE alert_id = %(alert_id)s AND cardinality(input_ids) > 0 ORDER BY revision DESC LIMIT %(limit)s

-- name: grounds_of
SELECT grounds FROM alert_event WHERE alert_id = %(alert_id)s AND revision = %(revision)s

-- name: events_after
SELECT event_id, alert_id, revision, type, at, actor, reason, alert FROM alert_event
WHERE event_id > %(after)s ORDER BY event_id LIMIT %(limit)s

-- name: span_between
-- The inner query keeps the planner from walking the whole primary key for the least id.
SELECT min(event_id), max(event_id)
FROM (SELECT event_id FROM alert_event WHERE at >= %(start)s AND at < %(end)s OFFSET 0) AS found

-- name: events_of_span
-- By id alone: with the time in it, the planner may fetch and sort the whole period for every page.
SELECT event_id, alert_id, revision, type, at, actor, reason, alert::text FROM alert_event
WHERE event_id > %(after)s AND event_id <= %(last)s ORDER BY event_id LIMIT %(limit)s

-- name: standing_at
-- How each alert stood at an instant: its newest entry before it, where that one leaves it on the operators' list.
-- What time alone took off the list later (a shelf's end, a day after its end) shows that by its newest entry only.
SELECT event_id, alert_id, revision, type, at, actor, reason, alert
FROM (
    SELECT DISTINCT ON (alert_event.alert_id) alert_event.*
    FROM alert_event JOIN alert USING (alert_id)
    WHERE alert_event.at < %(at)s AND alert.started_at < %(at)s
      AND (alert.ended_at IS NULL OR alert.operator <> 'normal' OR alert.decided_at >= %(at)s OR alert.ended_at >= %(at)s
           OR alert.acked_at >= %(at)s
           OR EXISTS (SELECT FROM alert_event AS last WHERE last.alert_id = alert.alert_id
                      AND last.revision = alert.revision AND last.at >= %(at)s))
    ORDER BY alert_event.alert_id, alert_event.revision DESC
) AS newest
LIMIT %(limit)s

-- name: last_event_id
SELECT coalesce(max(event_id), 0) FROM alert_event
