"""Weather stations and the warnings of the meteorological service."""
