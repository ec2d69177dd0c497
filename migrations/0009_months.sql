-- Months that are over are compressed, as days are.

-- +goose Up

-- A chunk has the rows of one month at most: no month begins sooner after another.
-- +goose StatementBegin
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') THEN
        PERFORM create_hypertable('rollup_month', 'month', chunk_time_interval => interval '28 days', create_default_indexes => false, migrate_data => true);
        ALTER TABLE rollup_month SET (timescaledb.compress, timescaledb.compress_segmentby = 'site_id, dimension', timescaledb.compress_orderby = 'value, month');
    END IF;
END
$$;
-- +goose StatementEnd

-- +goose Down
-- What a hypertable holds is copied into a plain table of the same form.
CREATE TABLE rollup_month_plain (LIKE rollup_month INCLUDING DEFAULTS INCLUDING COMMENTS);
INSERT INTO rollup_month_plain SELECT * FROM rollup_month;
DROP TABLE rollup_month;
ALTER TABLE rollup_month_plain RENAME TO rollup_month;
ALTER TABLE rollup_month ADD PRIMARY KEY (site_id, dimension, month, value);
ALTER TABLE rollup_month SET (fillfactor = 70);
