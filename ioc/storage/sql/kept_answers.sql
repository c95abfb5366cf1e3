-- Answers to requests with an Idempotency-Key.

-- name: wait_briefly
-- A request that waits for its twin holds a connection of the pool.
SET LOCAL lock_timeout = '2s'

-- name: wait_as_usual
SET LOCAL lock_timeout = DEFAULT

-- name: claim
-- Of two at once the second waits here for the first one's transaction; it then sees the answer, or takes the key itself.
INSERT INTO kept_answer (actor, idempotency_key, at, request_hash)
VALUES (%(actor)s, %(key)s, %(at)s, %(request_hash)s)
ON CONFLICT (actor, idempotency_key) DO UPDATE SET at = kept_answer.at
RETURNING request_hash, sealed_answer

-- name: keep
UPDATE kept_answer SET sealed_answer = %(sealed_answer)s WHERE actor = %(actor)s AND idempotency_key = %(key)s

-- name: forget
DELETE FROM kept_answer WHERE at < %(before)s
