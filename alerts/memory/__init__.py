"""What is remembered of a partition: series of conditions, readings to look back on, timers."""
