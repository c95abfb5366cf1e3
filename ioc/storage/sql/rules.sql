-- Versions of rules and what was made active when.

-- name: order_changes
-- Ids are taken and committed in one order: who has seen activation n will never find a smaller one later.
SELECT pg_advisory_xact_lock(hashtext('ioc.rule_activation'), hashtext(current_schema()))

-- name: add_version
INSERT INTO rule_version (rule_id, number, source, version, tests_count, author, reason, created_at)
SELECT %(rule_id)s, coalesce(max(number), 0) + 1, %(source)s, %(version)s, %(tests_count)s, %(author)s, %(reason)s, %(at)s
FROM rule_version WHERE rule_id = %(rule_id)s
RETURNING rule_id, number, source, version, tests_count, author, reason, created_at

-- name: versions
SELECT rule_id, number, source, version, tests_count, author, reason, created_at FROM rule_version
WHERE rule_id = %(rule_id)s AND (%(number)s::integer IS NULL OR number = %(number)s)
  AND (%(version)s::text IS NULL OR version = %(version)s)
  AND (%(before)s::integer IS NULL OR number < %(before)s)
ORDER BY number DESC LIMIT %(limit)s

-- name: newest_activation
SELECT coalesce(max(activation_id), 0) FROM rule_activation

-- name: standing
SELECT DISTINCT ON (rule_id, lane) activation_id, rule_id, lane, state, number, is_roll_back, restores, actor, reason, at
FROM rule_activation ORDER BY rule_id, lane, activation_id DESC

-- name: versions_in_force
SELECT rule_id, number, source, version, tests_count, author, reason, created_at
FROM unnest(%(rule_ids)s::text[], %(numbers)s::integer[]) AS wanted (rule_id, number) JOIN rule_version USING (rule_id, number)

-- name: history
SELECT activation_id, rule_id, lane, state, number, is_roll_back, restores, actor, reason, at
FROM rule_activation WHERE rule_id = %(rule_id)s ORDER BY activation_id DESC LIMIT %(limit)s

-- name: add_activation
INSERT INTO rule_activation (rule_id, lane, state, number, is_roll_back, restores, actor, reason, at)
VALUES (%(rule_id)s, %(lane)s, %(state)s, %(number)s, %(is_roll_back)s, %(restores)s, %(actor)s, %(reason)s, %(at)s)
RETURNING activation_id, rule_id, lane, state, number, is_roll_back, restores, actor, reason, at
