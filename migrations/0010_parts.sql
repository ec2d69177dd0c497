-- Days in columns come in parts, so that a day of any size can be kept; and views are
-- called pageview among the names of events.

-- +goose Up

-- What is kept has views without a name, and is made again from the events; so are the
-- rollups by name, as each day is counted again.
TRUNCATE day_columns;
ALTER TABLE day_columns ADD COLUMN part smallint NOT NULL DEFAULT 0;
ALTER TABLE day_columns ALTER COLUMN part DROP DEFAULT;
ALTER TABLE day_columns DROP CONSTRAINT day_columns_pkey;
ALTER TABLE day_columns ADD PRIMARY KEY (site_id, day, name, part);
COMMENT ON COLUMN day_columns.part IS 'of a day with many events, some of the visitors, from 0';
DELETE FROM day_checks;

-- +goose Down
TRUNCATE day_columns;
ALTER TABLE day_columns DROP COLUMN part;
ALTER TABLE day_columns ADD PRIMARY KEY (site_id, day, name);
