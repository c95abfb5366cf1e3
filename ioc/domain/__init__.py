"""What the IOC talks about: ids, quantities, events, kinds and alerts. Pure: no I/O, no clock, no logging."""
