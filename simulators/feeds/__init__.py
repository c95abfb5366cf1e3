"""One simulated source per feed."""
