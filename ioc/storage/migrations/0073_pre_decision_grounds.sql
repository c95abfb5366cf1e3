-- What a condition asked for when it decided, part by part: it outlives the readings, and what several had in common.

ALTER TABLE alert_event ADD COLUMN grounds jsonb;
