-- The highest severity that an alert has had; null: from before it was kept. Who was told of it hears of its end.

ALTER TABLE alert ADD COLUMN highest_severity text CHECK (highest_severity IN ('critical', 'major', 'minor', 'info'));
