"""The rules together, ready for an engine."""
