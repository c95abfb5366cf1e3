"""From a draft to a rule in force: its tests, its version, what activation asks."""
