"""From the log to the store: one batch at a time through the stages record and evaluate."""
