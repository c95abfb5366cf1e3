"""One module per group of routes; each gives a router for the services it needs."""
