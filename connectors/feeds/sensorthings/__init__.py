"""OGC SensorThings 1.1: observations of any server, over HTTP and MQTT."""
