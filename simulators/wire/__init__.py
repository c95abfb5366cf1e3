"""How the pretend sources reach the world: an MQTT broker, a TCP server of NMEA lines, HTTP pushes."""
