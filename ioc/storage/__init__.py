"""The store: time series, alerts, outbox and accounts in PostgreSQL or TimescaleDB."""
