"""One pretend source per feed: pure, seeded, moved by world time alone."""
