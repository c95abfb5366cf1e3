-- The session that asked for a wall's ticket: when it ends, whoever came in by the ticket acts no longer. Tickets that an
-- older program issues have none.
ALTER TABLE ws_ticket ADD COLUMN session_hash bytea;
