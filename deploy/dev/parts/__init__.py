"""Real servers for tests and for a developer's machine, brought up without containers (standard library only)."""
