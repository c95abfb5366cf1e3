-- Statements of batches.py: positions, engine state and dead letters of the worker's batches.

-- A row that is missing stands at 0. The answer names the partitions whose position was not where the batch begins.
-- name: advance_positions
WITH wanted AS (
    SELECT topic, partition, first_offset, next_offset
    FROM unnest(%(topics)s::text[], %(partitions)s::int[], %(first)s::bigint[], %(next)s::bigint[])
        AS slice (topic, partition, first_offset, next_offset)
), moved AS (
    INSERT INTO log_position AS held (consumer_group, topic, partition, first_offset, next_offset)
    SELECT %(group)s, topic, partition, first_offset, next_offset
    FROM wanted
    WHERE first_offset = 0
       OR EXISTS (SELECT FROM log_position AS there
                  WHERE there.consumer_group = %(group)s
                    AND there.topic = wanted.topic AND there.partition = wanted.partition)
    ORDER BY topic, partition
    ON CONFLICT (consumer_group, topic, partition) DO UPDATE SET
        first_offset = excluded.first_offset, next_offset = excluded.next_offset, moved_at = now()
    WHERE held.next_offset = excluded.first_offset
    RETURNING topic, partition
)
SELECT topic, partition, first_offset
FROM wanted
WHERE NOT EXISTS (SELECT FROM moved WHERE moved.topic = wanted.topic AND moved.partition = wanted.partition)
ORDER BY topic, partition;

-- name: find_position
SELECT next_offset FROM log_position WHERE consumer_group = %s AND topic = %s AND partition = %s;

-- name: list_positions
SELECT topic, partition, next_offset FROM log_position WHERE consumer_group = %s;

-- name: list_state
SELECT topic, partition, rule_id, key, state
FROM engine_state
JOIN unnest(%s::text[], %s::int[]) AS wanted (topic, partition) USING (topic, partition)
WHERE consumer_group = %s;

-- name: save_state
INSERT INTO engine_state (consumer_group, topic, partition, rule_id, key, state)
SELECT %s, topic, partition, rule_id, key, state
FROM unnest(%b::text[], %b::int[], %b::text[], %b::text[], %b::bytea[]) AS saved (topic, partition, rule_id, key, state)
ON CONFLICT (consumer_group, topic, partition, rule_id, key) DO UPDATE SET state = excluded.state;

-- name: delete_state
DELETE FROM engine_state AS held
USING unnest(%s::text[], %s::int[], %s::text[], %s::text[]) AS gone (topic, partition, rule_id, key)
WHERE held.consumer_group = %s AND held.topic = gone.topic AND held.partition = gone.partition
  AND held.rule_id = gone.rule_id AND held.key = gone.key;

-- name: bury
INSERT INTO dead_letter (dead_letter_id, feed_id, received_at, reason, source, raw)
SELECT encode(dead_letter_id, 'hex')::uuid, feed_id, received_at, reason, source, raw
FROM unnest(%s::bytea[], %s::text[], %s::timestamptz[], %s::text[], %s::text[], %s::bytea[])
    AS letter (dead_letter_id, feed_id, received_at, reason, source, raw)
ON CONFLICT (dead_letter_id) DO NOTHING;

-- name: list_letters
SELECT dead_letter_id, feed_id, received_at, reason, source, state, retried_at, length(raw)
FROM dead_letter
WHERE (%(state)s::text IS NULL OR state = %(state)s)
  AND (%(feed_id)s::text IS NULL OR feed_id = %(feed_id)s)
  AND (%(before_at)s::timestamptz IS NULL
       OR (received_at, dead_letter_id) < (%(before_at)s, %(before_id)s::uuid))
ORDER BY received_at DESC, dead_letter_id DESC
LIMIT %(limit)s;

-- name: find_letter
SELECT dead_letter_id, feed_id, received_at, reason, source, state, retried_at, length(raw), raw
FROM dead_letter
WHERE dead_letter_id = %s;

-- name: settle_letter
UPDATE dead_letter SET state = %s, retried_at = %s WHERE dead_letter_id = %s RETURNING dead_letter_id;

-- name: count_letters
SELECT feed_id, count(*) FROM dead_letter WHERE state = 'new' GROUP BY feed_id;
