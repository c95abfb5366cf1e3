-- Statements of backtest_runs.py.

-- One at a time: two callers, or two replicas, must not both see the last free place.
-- name: lock
SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || '.backtest', 0));

-- name: count_queued
SELECT count(*) FROM backtest_run WHERE state = 'queued';

-- name: add
INSERT INTO backtest_run (run_id, created_at, created_by, rules, period_from, period_to, unit_code)
VALUES (%(run_id)s, %(created_at)s, %(created_by)s, %(rules)s, %(start)s, %(end)s, %(unit_code)s);

-- name: claim
UPDATE backtest_run SET state = 'running', started_at = %(now)s, beat_at = now()
WHERE run_id = (SELECT run_id FROM backtest_run WHERE state = 'queued' ORDER BY turn LIMIT 1)
  AND (SELECT count(*) FROM backtest_run WHERE state = 'running') < %(at_once)s
RETURNING run_id;

-- name: find_task
SELECT rules, period_from, period_to, unit_code FROM backtest_run WHERE run_id = %(run_id)s AND state = 'running';

-- name: beat
UPDATE backtest_run
SET beat_at = now(), events_count = %(events_count)s, events_estimate = %(events_estimate)s,
    rate_per_s = %(rate_per_s)s, reached_at = %(reached_at)s
WHERE run_id = %(run_id)s AND state = 'running'
RETURNING is_cancel_asked;

-- name: finish
UPDATE backtest_run
SET state = %(state)s, finished_at = %(now)s, reason = %(reason)s, result = %(result)s, plot = %(plot)s
WHERE run_id = %(run_id)s AND state = 'running';

-- A run that has not begun is over at once; one that runs stops by itself.
-- name: ask_cancel
UPDATE backtest_run
SET is_cancel_asked = true,
    state = CASE state WHEN 'queued' THEN 'cancelled' ELSE state END,
    finished_at = CASE state WHEN 'queued' THEN %(now)s ELSE finished_at END
WHERE run_id = %(run_id)s AND state IN ('queued', 'running');

-- name: give_up_silent
UPDATE backtest_run
SET state = 'failed', finished_at = %(now)s, reason = 'the server was restarted'
WHERE state = 'running' AND beat_at < now() - %(silence)s
RETURNING run_id;

-- name: forget_old
DELETE FROM backtest_run WHERE finished_at < %(before)s;

-- name: list_runs
SELECT run_id, created_at, created_by, period_from, period_to, unit_code, state, is_cancel_asked, started_at,
       finished_at, events_count, events_estimate, rate_per_s, reached_at, reason
FROM backtest_run
WHERE (%(run_id)s::uuid IS NULL OR run_id = %(run_id)s)
  AND (%(before)s::timestamptz IS NULL OR (created_at, run_id) < (%(before)s, %(before_id)s))
ORDER BY created_at DESC, run_id DESC
LIMIT %(limit)s;

-- name: find_result
SELECT result FROM backtest_run WHERE run_id = %(run_id)s;

-- name: find_plot
SELECT plot FROM backtest_run WHERE run_id = %(run_id)s;
