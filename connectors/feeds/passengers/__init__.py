"""Passengers at the border gates: how many cross, and how the automatic gates do. No person gets here."""
