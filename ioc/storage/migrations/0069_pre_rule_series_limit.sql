-- Of how many things a rule may hold a state; null: a process of an earlier release reported.

ALTER TABLE rule_health ADD COLUMN series_limit bigint;
