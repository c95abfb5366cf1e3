-- What requests with an Idempotency-Key were answered, for a day: whatever they made or changed.

CREATE TABLE kept_answer (
    actor text COLLATE "C" NOT NULL,
    idempotency_key text COLLATE "C" NOT NULL,
    at timestamptz NOT NULL,
    request_hash bytea NOT NULL,
    -- Null only inside the transaction that does what is asked: what others can see has an answer.
    sealed_answer bytea,
    PRIMARY KEY (actor, idempotency_key)
);
CREATE INDEX kept_answer_at ON kept_answer (at);
