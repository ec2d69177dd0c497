-- A label of the page's version, to compare versions of a page (A/B tests).

-- +goose Up
ALTER TABLE events ADD COLUMN tag text NOT NULL DEFAULT '';
COMMENT ON COLUMN events.tag IS 'label of the page''s version; empty without';

-- No event has a tag yet, so the rollup rows of the dimension (4) are those of the total.
INSERT INTO rollup_day (site_id, dimension, day, value, visitors, visits, pageviews, events, bounces, seconds, engaged)
SELECT site_id, 4, day, '', visitors, visits, pageviews, events, bounces, seconds, engaged FROM rollup_day WHERE dimension = 0
ON CONFLICT DO NOTHING;
INSERT INTO rollup_month (site_id, dimension, month, value, visitors, visits, pageviews, events, bounces, seconds, engaged)
SELECT site_id, 4, month, '', visitors, visits, pageviews, events, bounces, seconds, engaged FROM rollup_month WHERE dimension = 0
ON CONFLICT DO NOTHING;

-- +goose Down
DELETE FROM rollup_month WHERE dimension = 4;
DELETE FROM rollup_day WHERE dimension = 4;
ALTER TABLE events DROP COLUMN tag;
