"""One module per kind of condition that a rule can state."""
