"""Vessels by AIS: NMEA 0183 sentences over TCP or UDP, and recorded files of them."""
