-- Subscriptions choose zones too, and the dispatcher finds the head of each endpoint's queue without reading the rest.

ALTER TABLE subscription ADD COLUMN zone_ids text[];

CREATE INDEX delivery_queue ON delivery (subscription_id, delivery_id) WHERE state = 'pending';
CREATE INDEX delivery_leased ON delivery (subscription_id) WHERE state = 'pending' AND leased_until IS NOT NULL;
CREATE INDEX delivery_settled ON delivery (settled_at) WHERE settled_at IS NOT NULL;
