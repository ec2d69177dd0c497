-- What the collector takes from other trackers: how far a page was scrolled, and events
-- that nobody did. And what each site lets in.

-- +goose Up
ALTER TABLE events ADD COLUMN scroll smallint NOT NULL DEFAULT 0;
ALTER TABLE events ADD COLUMN passive boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN events.scroll IS 'percent of the page that was seen so far, 1 to 100; of an engagement only; 0 when not measured';
COMMENT ON COLUMN events.passive IS 'happened without the visitor doing something: a visit with one event besides is still a bounce';

ALTER TABLE sites ADD COLUMN rules jsonb NOT NULL DEFAULT '{}';
COMMENT ON COLUMN sites.rules IS 'what the owner lets in, as package rules writes it';

-- +goose Down
ALTER TABLE sites DROP COLUMN rules;
ALTER TABLE events DROP COLUMN passive;
ALTER TABLE events DROP COLUMN scroll;
