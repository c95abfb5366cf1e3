"""Alert decisions: pure functions of events, state and time. No I/O, no clock, no logging."""
