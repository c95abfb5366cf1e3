-- The files of the archive: what was written, verified and let go of in the store. Files without a row here are none.

CREATE TABLE archive_file (
    kind text COLLATE "C" NOT NULL,
    feed_id text COLLATE "C" NOT NULL,
    day date NOT NULL,
    part integer NOT NULL,
    name text COLLATE "C" NOT NULL UNIQUE,
    rows_count bigint NOT NULL,
    bytes_count bigint NOT NULL,
    sha256 text NOT NULL,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    archived_at timestamptz NOT NULL,
    PRIMARY KEY (kind, feed_id, day, part)
);
CREATE INDEX archive_file_span ON archive_file (kind, last_at, first_at);
