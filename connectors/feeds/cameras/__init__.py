"""Cameras: what their analysis recognised, and whether they work. No picture and no face gets here."""
