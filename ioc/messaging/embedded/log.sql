-- The embedded log's file. Statements are named; file.py loads them.

-- name: schema
CREATE TABLE IF NOT EXISTS part (
    part_id     INTEGER PRIMARY KEY,
    topic       TEXT    NOT NULL,
    partition   INTEGER NOT NULL,
    next_offset INTEGER NOT NULL DEFAULT 0,
    size_bytes  INTEGER NOT NULL DEFAULT 0,
    UNIQUE (topic, partition)
);
CREATE TABLE IF NOT EXISTS block (
    block_id       INTEGER PRIMARY KEY,
    part_id        INTEGER NOT NULL REFERENCES part,
    first_offset   INTEGER NOT NULL,
    next_offset    INTEGER NOT NULL,
    appended_at_ms INTEGER NOT NULL,
    size_bytes     INTEGER NOT NULL,
    payload        BLOB    NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS block_place ON block (part_id, next_offset);
CREATE TABLE IF NOT EXISTS position (
    reader      TEXT    NOT NULL,
    part_id     INTEGER NOT NULL REFERENCES part,
    next_offset INTEGER NOT NULL,
    PRIMARY KEY (reader, part_id)
) WITHOUT ROWID;

-- name: partitions_there
SELECT count(*) FROM part WHERE topic = ?

-- name: add_part
INSERT INTO part (topic, partition) VALUES (?, ?) ON CONFLICT DO NOTHING

-- name: parts
SELECT part_id, topic, partition, next_offset, size_bytes FROM part

-- name: add_block
INSERT INTO block (part_id, first_offset, next_offset, appended_at_ms, size_bytes, payload) VALUES (?, ?, ?, ?, ?, ?)

-- name: move_end
UPDATE part SET next_offset = ?, size_bytes = ? WHERE part_id = ?

-- name: move_position
INSERT INTO position (reader, part_id, next_offset) VALUES (?, ?, ?)
ON CONFLICT (reader, part_id) DO UPDATE SET next_offset = excluded.next_offset

-- name: positions
SELECT reader, part_id, next_offset FROM position

-- name: blocks_after
SELECT first_offset, next_offset, payload FROM block WHERE part_id = ? AND next_offset > ? ORDER BY next_offset LIMIT ?

-- name: oldest_blocks
-- The payload stays untouched: it lies behind the other columns, on pages of its own.
SELECT block_id, part_id, first_offset, next_offset, appended_at_ms, size_bytes FROM block ORDER BY block_id

-- name: drop_block
DELETE FROM block WHERE block_id = ?

-- name: shrink_part
UPDATE part SET size_bytes = size_bytes - ? WHERE part_id = ?

-- name: oldest_offset
SELECT min(first_offset) FROM block WHERE part_id = ?

-- name: shift_away
UPDATE block SET first_offset = -(first_offset + ?), next_offset = -(next_offset + ?) WHERE part_id = ?

-- name: shift_back
UPDATE block SET first_offset = -first_offset, next_offset = -next_offset WHERE part_id = ? AND next_offset < 0

-- name: shift_end
UPDATE part SET next_offset = next_offset + ? WHERE part_id = ?

-- name: shift_positions
UPDATE position SET next_offset = next_offset + ? WHERE part_id = ?

-- name: total_bytes
SELECT coalesce(sum(size_bytes), 0) FROM part
