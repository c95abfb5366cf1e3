"""Geometry of the province: positions, zones, units and the geodata the product ships; imports nothing of ours."""
