-- The queue of an endpoint is read by what is due next: a dead endpoint's thousands that wait for later cost nothing.

DROP INDEX delivery_queue;
DROP INDEX delivery_due;
CREATE INDEX delivery_queue ON delivery (subscription_id, next_attempt_at, delivery_id) WHERE state = 'pending';
