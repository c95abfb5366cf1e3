"""Who is told what, when and why: routing, grouping, silences, inhibition, flood and escalation, as pure functions."""
