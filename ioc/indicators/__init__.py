"""The province's indicators: each defined once, computed from events as they come, shown on walls, API and metrics."""
