"""Ports: permits, lists, departures, arrivals and calls of distress, as numbers: nobody by name."""
