-- Backtests that people asked for: what was asked, how far it is, and what it found. Any replica of the API shows them.

CREATE TABLE backtest_run (
    run_id uuid PRIMARY KEY,
    turn bigint GENERATED ALWAYS AS IDENTITY,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    rules text NOT NULL,
    period_from timestamptz NOT NULL,
    period_to timestamptz NOT NULL CHECK (period_to > period_from),
    unit_code text,
    state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'done', 'cancelled', 'failed')),
    is_cancel_asked boolean NOT NULL DEFAULT false,
    started_at timestamptz,
    finished_at timestamptz,
    -- Told by the process that runs it, on the database's clock: silence means that the process is gone.
    beat_at timestamptz,
    events_count bigint NOT NULL DEFAULT 0,
    events_estimate bigint,
    rate_per_s double precision NOT NULL DEFAULT 0,
    reached_at timestamptz,
    reason text,
    result jsonb,
    plot text
) WITH (fillfactor = 50);
CREATE INDEX backtest_run_waiting ON backtest_run (turn) WHERE state IN ('queued', 'running');
CREATE INDEX backtest_run_created ON backtest_run (created_at, run_id);
