"""The border gates: trucks step by step, and the queues before the gates. No plate and no trip id passes ``parse``."""
