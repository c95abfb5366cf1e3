"""REST and WebSocket edge of the IOC."""
