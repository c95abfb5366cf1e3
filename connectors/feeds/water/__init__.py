"""Rivers, reservoirs, rain and the sea: levels in m above their datum, rain in mm, tide beside its prediction."""
