-- What people keep beside the numbers of a site, and how they share them: goals, segments,
-- funnels, annotations, links. All of it goes with its site.

-- +goose Up

-- First, since it takes the strongest lock on sites: a migration that came to it from a
-- weaker one could meet a change of a site that waits for that.
ALTER TABLE sites ADD COLUMN public boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN sites.public IS 'anyone may read its reports';

CREATE TABLE goals (
    id           integer     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    site_id      integer     NOT NULL REFERENCES sites ON DELETE CASCADE,
    name         text        NOT NULL,
    event_name   text        NOT NULL,
    page_pattern text        NOT NULL,
    props        jsonb       NOT NULL DEFAULT '{}',
    currency     text        NOT NULL DEFAULT '',
    created_at   timestamptz NOT NULL DEFAULT now(),
    UNIQUE (site_id, name),
    CHECK ((event_name = '') <> (page_pattern = ''))
);
COMMENT ON COLUMN goals.event_name IS 'an event of this name reaches it, or a view of a page that matches page_pattern: one of the two, the other is empty';
COMMENT ON COLUMN goals.page_pattern IS 'as package glob reads it: * is any run of characters but /, ** any run';
COMMENT ON COLUMN goals.props IS 'the event or view must have these properties';
COMMENT ON COLUMN goals.currency IS 'of a revenue goal, ISO 4217';

CREATE TABLE segments (
    id         integer     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    site_id    integer     NOT NULL REFERENCES sites ON DELETE CASCADE,
    name       text        NOT NULL,
    filters    jsonb       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (site_id, name)
);
COMMENT ON COLUMN segments.filters IS 'as a question has them';

CREATE TABLE funnels (
    id         integer     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    site_id    integer     NOT NULL REFERENCES sites ON DELETE CASCADE,
    name       text        NOT NULL,
    definition jsonb       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (site_id, name)
);

CREATE TABLE annotations (
    id         integer     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    site_id    integer     NOT NULL REFERENCES sites ON DELETE CASCADE,
    day        date        NOT NULL,
    text       text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX annotations_day ON annotations (site_id, day);
COMMENT ON COLUMN annotations.day IS 'local to the site';

CREATE TABLE share_links (
    id           integer     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    site_id      integer     NOT NULL REFERENCES sites ON DELETE CASCADE,
    name         text        NOT NULL,
    hash         bytea       NOT NULL UNIQUE,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    last_used_at timestamptz
);
CREATE INDEX share_links_site ON share_links (site_id);
COMMENT ON COLUMN share_links.hash IS 'SHA-256 of the secret; the secret itself is shown once and never stored';

-- +goose Down
ALTER TABLE sites DROP COLUMN public;
DROP TABLE share_links, annotations, funnels, segments, goals;
