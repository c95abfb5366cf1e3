-- How many attempts a delivery had when it was asked for again: its schedule counts from there.

ALTER TABLE delivery ADD COLUMN attempts_before integer NOT NULL DEFAULT 0;
