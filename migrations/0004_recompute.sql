-- What counting a day again from raw needs: which day an hour belongs to, and which
-- days were checked.

-- +goose Up

-- A local day begins where a local hour does, and a site changes its zone there too: so
-- the events of an hour are of one day. The day is in the key all the same: whatever
-- offsets events came with, a row is made from the events of one day and no other.
ALTER TABLE rollup_hour ADD COLUMN day date;
UPDATE rollup_hour r SET day = (
    SELECT e.day FROM events e
    WHERE e.site_id = r.site_id AND e.time >= r.hour AND e.time < r.hour + interval '1 hour'
      AND date_trunc('hour', e.time + e.utc_offset * interval '1 minute', 'UTC') - e.utc_offset * interval '1 minute' = r.hour
    LIMIT 1);
DELETE FROM rollup_hour WHERE day IS NULL;
ALTER TABLE rollup_hour DROP CONSTRAINT rollup_hour_pkey;
ALTER TABLE rollup_hour ADD PRIMARY KEY (site_id, hour, day);
COMMENT ON COLUMN rollup_hour.day IS 'the local day of the site whose events the row counts';

CREATE TABLE day_checks (
    site_id     integer     NOT NULL,
    day         date        NOT NULL,
    checked_at  timestamptz NOT NULL,
    differences bigint,
    replaced    boolean     NOT NULL,
    PRIMARY KEY (site_id, day)
);
COMMENT ON TABLE day_checks IS 'days of sites that were counted again once they were over';
COMMENT ON COLUMN day_checks.differences IS 'rows of visits and rollups that differed; null: the day takes longer than a run may';
COMMENT ON COLUMN day_checks.replaced IS 'the differences were put right';

-- +goose Down
DROP TABLE day_checks;
DELETE FROM rollup_hour a USING rollup_hour b WHERE a.site_id = b.site_id AND a.hour = b.hour AND a.day > b.day;
ALTER TABLE rollup_hour DROP COLUMN day; -- and with it the key
ALTER TABLE rollup_hour ADD PRIMARY KEY (site_id, hour);
