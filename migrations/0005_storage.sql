-- How rows lie on the disk. docs/performance.md has the figures behind each choice.

-- +goose Up

-- It is schema-guard that compresses, not a policy: TimescaleDB's job may run beside a
-- transaction that adds to a compressed rollup row, and lose the sum. The policies go
-- before anything is locked, or a job that runs just now would wait for this migration,
-- and this migration for the job.
-- +goose StatementBegin
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') THEN
        PERFORM remove_compression_policy('events', if_exists => true);
        PERFORM remove_compression_policy('visits', if_exists => true);
    END IF;
END
$$;
-- +goose StatementEnd

-- Values are compared by their bytes, which is several times faster than by a language's
-- rules. Rollup rows are changed over and over while their day lasts: room beside them
-- keeps the index out of it.
ALTER TABLE rollup_day ALTER COLUMN value TYPE text COLLATE "C";
ALTER TABLE rollup_month ALTER COLUMN value TYPE text COLLATE "C";
ALTER TABLE rollup_hour SET (fillfactor = 70);
ALTER TABLE rollup_day SET (fillfactor = 70);
ALTER TABLE rollup_month SET (fillfactor = 70);

-- The index is for the earlier events of visitors, each of whom is of one day and site.
-- Those of today are then side by side in it.
DROP INDEX events_visitor;
CREATE INDEX events_visitor_day ON events (day, visitor);

-- With TimescaleDB chunks are of a week, and compressed in the order of time; so are the
-- rollups of days.
-- +goose StatementBegin
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') THEN
        PERFORM set_chunk_time_interval('events', interval '7 days');
        PERFORM set_chunk_time_interval('visits', interval '7 days');
        ALTER TABLE events SET (timescaledb.compress, timescaledb.compress_segmentby = 'site_id', timescaledb.compress_orderby = 'time, id');
        PERFORM create_hypertable('rollup_day', 'day', chunk_time_interval => interval '7 days', create_default_indexes => false, migrate_data => true);
        ALTER TABLE rollup_day SET (timescaledb.compress, timescaledb.compress_segmentby = 'site_id, dimension', timescaledb.compress_orderby = 'value, day');
    END IF;
END
$$;
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') THEN
        PERFORM set_chunk_time_interval('events', interval '1 day');
        PERFORM set_chunk_time_interval('visits', interval '1 day');
        ALTER TABLE events SET (timescaledb.compress, timescaledb.compress_segmentby = 'site_id', timescaledb.compress_orderby = 'visitor, time, id');
        PERFORM add_compression_policy('events', interval '3 days');
        PERFORM add_compression_policy('visits', interval '3 days');
    END IF;
END
$$;
-- +goose StatementEnd
-- What a hypertable holds is copied into a plain table of the same form.
CREATE TABLE rollup_day_plain (LIKE rollup_day INCLUDING DEFAULTS INCLUDING COMMENTS);
INSERT INTO rollup_day_plain SELECT * FROM rollup_day;
DROP INDEX events_visitor_day;
CREATE INDEX events_visitor ON events (site_id, visitor, time);
DROP TABLE rollup_day;
ALTER TABLE rollup_day_plain RENAME TO rollup_day;
ALTER TABLE rollup_day ALTER COLUMN value TYPE text COLLATE "default", ADD PRIMARY KEY (site_id, dimension, day, value);
ALTER TABLE rollup_month ALTER COLUMN value TYPE text COLLATE "default";
ALTER TABLE rollup_month RESET (fillfactor);
ALTER TABLE rollup_hour RESET (fillfactor);
