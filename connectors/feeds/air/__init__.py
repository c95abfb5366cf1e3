"""Automatic air stations: one JSON object a reading over MQTT, lists of them over HTTP, CSV files of other networks."""
