"""Roads: counters, incidents and plate readers. No plate passes ``parse``."""
