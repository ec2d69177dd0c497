-- A page has one form, and people read it decoded: /café, whether it came as /caf%c3%a9 or as
-- /caf%C3%A9. What was stored before is rewritten day by day, since only the events say how many
-- visitors the rows of one page have together.

-- +goose Up
CREATE TABLE path_days (
    site_id integer NOT NULL REFERENCES sites ON DELETE CASCADE,
    day     date    NOT NULL,
    tried   boolean NOT NULL DEFAULT false,
    PRIMARY KEY (site_id, day)
);
COMMENT ON TABLE path_days IS 'days of sites whose events may have pages or referrers in the form of before';
COMMENT ON COLUMN path_days.tried IS 'rewriting the day takes longer than a run may';

-- Pages, entry pages, exit pages and referrers.
INSERT INTO path_days (site_id, day)
SELECT DISTINCT site_id, day FROM rollup_day WHERE dimension IN (1, 20, 21, 22) AND value LIKE '%\%%'
ON CONFLICT DO NOTHING;

-- +goose Down
DROP TABLE path_days;
