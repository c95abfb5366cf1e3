"""Public transport: where buses and shuttles are, after GTFS-realtime."""
