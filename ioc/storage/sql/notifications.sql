-- Silences, groups of alerts, and what was told to whom.

-- name: silences
SELECT silence_id, matchers, starts_at, ends_at, author, comment, created_at, ended_by FROM silence
WHERE (%(silence_id)s::uuid IS NULL OR silence_id = %(silence_id)s)
  AND (%(over_since)s::timestamptz IS NULL OR ends_at > %(over_since)s)
ORDER BY starts_at DESC, silence_id LIMIT %(limit)s

-- name: add_silence
INSERT INTO silence (silence_id, matchers, starts_at, ends_at, author, comment, created_at)
VALUES (%(silence_id)s, %(matchers)s, %(starts_at)s, %(ends_at)s, %(author)s, %(comment)s, %(created_at)s)

-- name: end_silence
-- One that has not begun silences nothing.
UPDATE silence SET starts_at = least(starts_at, %(now)s), ends_at = %(now)s, ended_by = %(actor)s
WHERE silence_id = %(silence_id)s AND ends_at > %(now)s

-- name: wait_for_position
-- Whoever wakes every group waits for whoever sorts, so that the two never hold what the other wants.
SELECT FROM notification_position FOR UPDATE

-- name: wake_groups
-- A silence has begun or ended: whoever waits for a later look looks now. Also those that are due: who decides one just now
-- has not seen it, and puts the next look off.
UPDATE notification_group SET look_at = least(look_at, %(now)s)

-- name: lock_position
SELECT event_id FROM notification_position FOR UPDATE SKIP LOCKED

-- name: move_position
UPDATE notification_position SET event_id = %(event_id)s

-- name: journal_after
SELECT event_id, alert_id, type FROM alert_event WHERE event_id > %(after)s ORDER BY event_id LIMIT %(limit)s

-- name: alerts_by_id
SELECT * FROM alert WHERE alert_id = ANY(%(alert_ids)s)

-- name: groups_of_alerts
SELECT alert_id, route_id FROM notification_member JOIN notification_group USING (group_id)
WHERE alert_id = ANY(%(alert_ids)s)

-- name: open_groups
INSERT INTO notification_group (group_id, group_key, route_id, departments, labels, opened_at, look_at)
SELECT group_id, group_key, route_id, string_to_array(departments, ' '), labels, %(now)s, %(now)s
FROM unnest(%(group_ids)s::uuid[], %(group_keys)s::text[], %(route_ids)s::text[], %(departments)s::text[],
    %(labels)s::jsonb[]) AS given (group_id, group_key, route_id, departments, labels)
ORDER BY group_key
ON CONFLICT (group_key) DO UPDATE SET departments = excluded.departments

-- name: come_to_list
-- Alerts that hold and stand in no group, because they were in shadow when they began; and those that their groups take
-- for off the list, where they have moved away from the entry that held them.
SELECT alert_id FROM alert
WHERE alert_id = ANY(%(alert_ids)s) AND ended_at IS NULL AND NOT shadow
  AND (NOT EXISTS (SELECT FROM notification_member AS member WHERE member.alert_id = alert.alert_id)
       OR (suppression_id IS NULL AND EXISTS (
           SELECT FROM notification_member AS member
           WHERE member.alert_id = alert.alert_id AND member.held_why IN ('suppressed', 'out_of_service'))))

-- name: join_groups
INSERT INTO notification_member (group_id, alert_id, joined_at)
SELECT group_id, alert_id, %(now)s FROM unnest(%(group_ids)s::uuid[], %(alert_ids)s::uuid[]) AS given (group_id, alert_id)
ON CONFLICT DO NOTHING

-- name: wake_groups_of
-- Also those that are due, see wake_groups.
UPDATE notification_group SET look_at = least(look_at, %(now)s)
WHERE group_id IN (SELECT group_id FROM notification_member WHERE alert_id = ANY(%(alert_ids)s))

-- name: watch_escalations
INSERT INTO escalation (alert_id, ladder_id, unacked_at, look_at)
SELECT alert_id, ladder_id, %(now)s, %(now)s FROM unnest(%(alert_ids)s::uuid[], %(ladder_ids)s::text[]) AS given (alert_id, ladder_id)
ON CONFLICT (alert_id) DO UPDATE SET look_at = excluded.look_at, ladder_id = excluded.ladder_id,
    -- On another ladder it begins at the ground.
    unacked_at = CASE escalation.ladder_id WHEN excluded.ladder_id THEN escalation.unacked_at ELSE excluded.unacked_at END,
    reached = CASE escalation.ladder_id WHEN excluded.ladder_id THEN escalation.reached ELSE 0 END

-- name: due_groups
SELECT * FROM notification_group WHERE look_at <= %(now)s ORDER BY look_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED

-- name: members_of_groups
SELECT member.group_id, member.joined_at, member.held_why, member.told_severity, member.told_flapping, alert.* FROM notification_member AS member JOIN alert USING (alert_id)
WHERE member.group_id = ANY(%(group_ids)s)

-- name: elsewhere_of_members
-- In which other groups members are whose departments are told there as well.
SELECT mine.group_id, mine.alert_id, other.route_id, other.departments, mine.alert_id = ANY(other.told_firing) AS has_told
FROM notification_member AS mine JOIN notification_group AS own ON own.group_id = mine.group_id
JOIN notification_member AS theirs ON theirs.alert_id = mine.alert_id AND theirs.group_id <> mine.group_id
JOIN notification_group AS other ON other.group_id = theirs.group_id AND other.departments @> own.departments
WHERE mine.group_id = ANY(%(group_ids)s)

-- name: hold_members
UPDATE notification_member SET held_why = given.why, held_by = given.by, held_until = given.until
FROM unnest(%(alert_ids)s::uuid[], %(whys)s::text[], %(bys)s::text[], %(untils)s::timestamptz[])
    AS given (alert_id, why, by, until)
WHERE notification_member.group_id = %(group_id)s AND notification_member.alert_id = given.alert_id
  AND (held_why, held_by, held_until) IS DISTINCT FROM (given.why, given.by, given.until)

-- name: note_told
UPDATE notification_member SET told_severity = given.severity, told_flapping = given.flapping
FROM unnest(%(alert_ids)s::uuid[], %(severities)s::text[], %(flappings)s::boolean[])
    AS given (alert_id, severity, flapping)
WHERE notification_member.group_id = %(group_id)s AND notification_member.alert_id = given.alert_id
  AND (told_severity, told_flapping) IS DISTINCT FROM (given.severity, given.flapping)

-- name: wake_escalations_of
-- Also those that are due, see wake_groups.
UPDATE escalation SET look_at = least(look_at, %(now)s) WHERE alert_id = ANY(%(alert_ids)s)

-- name: save_group
UPDATE notification_group SET told_at = %(told_at)s, told_firing = %(told_firing)s, told_resolved = %(told_resolved)s, told_renewed = %(told_renewed)s,
    told_count = %(told_count)s, look_at = %(look_at)s, reason = %(reason)s, decided_at = %(now)s
WHERE group_id = %(group_id)s

-- name: leave_groups
DELETE FROM notification_member WHERE group_id = %(group_id)s AND alert_id = ANY(%(alert_ids)s)

-- name: close_groups
DELETE FROM notification_group
WHERE group_id = ANY(%(group_ids)s)
  AND NOT EXISTS (SELECT FROM notification_member AS member WHERE member.group_id = notification_group.group_id)

-- name: receivers
SELECT subscription_id, department, min_severity FROM subscription
WHERE wants = 'notifications' AND department = ANY(%(departments)s)
ORDER BY subscription_id FOR KEY SHARE

-- name: note_notifications
INSERT INTO notification (at, department, group_id, group_key, route_id, reason, form, firing_ids, resolved_ids, new_count, receivers_count)
VALUES (%(at)s, %(department)s, %(group_id)s, %(group_key)s, %(route_id)s, %(reason)s, %(form)s, %(firing_ids)s,
    %(resolved_ids)s, %(new_count)s, %(receivers_count)s)

-- name: told_on_ladder
-- Whose last word of an alert from its ladder was that it holds.
SELECT department FROM (
    SELECT DISTINCT ON (department) department, firing_ids FROM notification
    WHERE form = 'escalation' AND (firing_ids @> ARRAY[%(alert_id)s::uuid] OR resolved_ids @> ARRAY[%(alert_id)s::uuid])
    ORDER BY department, notification_id DESC
) AS newest
WHERE firing_ids @> ARRAY[%(alert_id)s::uuid] ORDER BY department

-- name: recent_notifications
SELECT department, at, form, new_count FROM notification
WHERE department = ANY(%(departments)s) AND at > %(since)s ORDER BY at

-- name: due_escalations
SELECT escalation.ladder_id, escalation.unacked_at, escalation.reached, escalation.is_paused, alert.*
FROM escalation JOIN alert USING (alert_id)
WHERE escalation.look_at <= %(now)s ORDER BY escalation.look_at LIMIT %(limit)s
FOR UPDATE OF escalation SKIP LOCKED

-- name: save_escalation
UPDATE escalation SET unacked_at = %(unacked_at)s, reached = %(reached)s, is_paused = %(is_paused)s, look_at = %(look_at)s
WHERE alert_id = %(alert_id)s

-- name: end_escalation
DELETE FROM escalation WHERE alert_id = %(alert_id)s

-- name: firing_alerts
-- What is out of service explains nothing: its measurement is in doubt.
SELECT * FROM alert
WHERE ended_at IS NULL AND NOT shadow AND operator <> 'out_of_service'
  AND (%(rule_ids)s::text[] IS NULL OR rule_id = ANY(%(rule_ids)s))
ORDER BY started_at DESC LIMIT %(limit)s

-- name: notifications
SELECT notification_id, at, department, group_id, group_key, route_id, reason, form, firing_ids, resolved_ids, new_count,
    receivers_count
FROM notification
WHERE (%(department)s::text IS NULL OR department = %(department)s)
  AND (%(alert_id)s::uuid IS NULL OR firing_ids @> ARRAY[%(alert_id)s::uuid] OR resolved_ids @> ARRAY[%(alert_id)s::uuid])
  AND (%(before)s::bigint IS NULL OR notification_id < %(before)s)
ORDER BY notification_id DESC LIMIT %(limit)s

-- name: groups_of_alert
SELECT g.group_id, g.group_key, g.route_id, g.departments, g.labels, g.opened_at, g.told_at, g.told_count, g.look_at,
    g.reason, g.decided_at, member.joined_at, member.held_why, member.held_by, member.held_until,
    cardinality(g.told_firing) AS told_firing_count
FROM notification_member AS member JOIN notification_group AS g USING (group_id)
WHERE member.alert_id = %(alert_id)s ORDER BY g.group_key

-- name: escalation_of_alert
SELECT ladder_id, unacked_at, reached, is_paused, look_at FROM escalation WHERE alert_id = %(alert_id)s

-- name: forget_notifications
DELETE FROM notification WHERE at < %(before)s
