-- Statements of migrate.py and edition.py.

-- name: find_licence
SELECT current_setting('timescaledb.license', true)
FROM pg_extension
WHERE extname = 'timescaledb';

-- name: is_timescale_offered
SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb')
   AND 'timescaledb' = ANY (regexp_split_to_array(current_setting('shared_preload_libraries'), '\s*,\s*'))
   AND to_regclass('schema_migration') IS NULL;

-- name: create_timescale
CREATE EXTENSION IF NOT EXISTS timescaledb WITH SCHEMA public;

-- name: create_schema
CREATE SCHEMA IF NOT EXISTS {schema};

-- name: set_search_path
SET search_path TO {schema}, public;

-- name: lock
SELECT pg_advisory_lock(hashtextextended('ioc.migrate', 0));

-- name: unlock
SELECT pg_advisory_unlock(hashtextextended('ioc.migrate', 0));

-- name: create_journal
CREATE TABLE IF NOT EXISTS schema_migration (
    name text PRIMARY KEY,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- name: list_applied
SELECT name, checksum FROM schema_migration;

-- name: note_applied
INSERT INTO schema_migration (name, checksum) VALUES (%s, %s);

-- name: has_journal
SELECT to_regclass('schema_migration') IS NOT NULL;

-- name: drop_schema
DROP SCHEMA IF EXISTS {schema} CASCADE;
