"""Stepping over the log: which rule looks at what, in which order, and what must be kept."""
