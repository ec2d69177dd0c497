-- The record: sites and keys, events as they came in, and what is derived from
-- them. Text columns are never null: '' means "not known", so that equality and
-- uniqueness need no special case.

-- +goose Up

CREATE TABLE sites (
    id         integer     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public_id  text        NOT NULL UNIQUE,
    domain     text        NOT NULL UNIQUE,
    name       text        NOT NULL DEFAULT '',
    timezone   text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN sites.timezone IS 'IANA name; the days and hours of every report of this site are local to it';

CREATE TABLE api_keys (
    id           integer     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name         text        NOT NULL,
    hash         bytea       NOT NULL UNIQUE,
    scopes       text[]      NOT NULL,
    site_ids     integer[]   NOT NULL DEFAULT '{}',
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz
);
COMMENT ON COLUMN api_keys.hash IS 'SHA-256 of the key; the key itself is shown once and never stored';
COMMENT ON COLUMN api_keys.site_ids IS 'the sites the key may see; empty means all';

CREATE TABLE salts (
    day  date  PRIMARY KEY,
    salt bytea NOT NULL
);
COMMENT ON TABLE salts IS 'one random salt a local day, destroyed when that day can receive no more events; afterwards nobody can compute a visitor of that day again';

CREATE TABLE events (
    site_id         integer     NOT NULL,
    time            timestamptz NOT NULL,
    id              uuid        NOT NULL,
    day             date        NOT NULL,
    utc_offset      smallint    NOT NULL,
    visitor         bigint      NOT NULL,
    type            smallint    NOT NULL,
    name            text        NOT NULL,
    hostname        text        NOT NULL,
    page            text        NOT NULL,
    title           text        NOT NULL,
    referrer        text        NOT NULL,
    source          text        NOT NULL,
    channel         text        NOT NULL,
    utm_source      text        NOT NULL,
    utm_medium      text        NOT NULL,
    utm_campaign    text        NOT NULL,
    utm_term        text        NOT NULL,
    utm_content     text        NOT NULL,
    country         text        NOT NULL,
    region          text        NOT NULL,
    city            text        NOT NULL,
    browser         text        NOT NULL,
    browser_version text        NOT NULL,
    os              text        NOT NULL,
    os_version      text        NOT NULL,
    device          text        NOT NULL,
    language        text        NOT NULL,
    screen          text        NOT NULL,
    props           jsonb,
    amount          numeric,
    currency        text        NOT NULL,
    subject         uuid,
    funnel          text        NOT NULL,
    funnel_step     smallint    NOT NULL,
    PRIMARY KEY (site_id, time, id)
);
CREATE INDEX events_visitor ON events (site_id, visitor, time);
COMMENT ON COLUMN events.day IS 'the local day of the site at that time; with site and visitor it names the visitor-day';
COMMENT ON COLUMN events.utc_offset IS 'minutes that local time was ahead of UTC';
COMMENT ON COLUMN events.visitor IS 'keyed hash under the salt of that day; means nothing on another day';
COMMENT ON COLUMN events.type IS '1 view, 2 click, 3 conversion, 4 funnel_step';
COMMENT ON COLUMN events.subject IS 'keyed hash of a reference the owner passed with consent; null without';

CREATE TABLE visits (
    site_id         integer     NOT NULL,
    started_at      timestamptz NOT NULL,
    visitor         bigint      NOT NULL,
    day             date        NOT NULL,
    duration        integer     NOT NULL,
    pageviews       integer     NOT NULL,
    events          integer     NOT NULL,
    bounce          boolean     NOT NULL,
    entry_page      text        NOT NULL,
    exit_page       text        NOT NULL,
    hostname        text        NOT NULL,
    referrer        text        NOT NULL,
    source          text        NOT NULL,
    channel         text        NOT NULL,
    utm_source      text        NOT NULL,
    utm_medium      text        NOT NULL,
    utm_campaign    text        NOT NULL,
    utm_term        text        NOT NULL,
    utm_content     text        NOT NULL,
    country         text        NOT NULL,
    region          text        NOT NULL,
    city            text        NOT NULL,
    browser         text        NOT NULL,
    browser_version text        NOT NULL,
    os              text        NOT NULL,
    os_version      text        NOT NULL,
    device          text        NOT NULL,
    language        text        NOT NULL,
    screen          text        NOT NULL,
    PRIMARY KEY (site_id, started_at, visitor)
);
COMMENT ON COLUMN visits.duration IS 'whole seconds from the first to the last event';
COMMENT ON COLUMN visits.bounce IS 'the visit had a single event';

-- Rollups hold, for a period and one value of one dimension: visitor-days and
-- visits that carry the value, their page views and events with it, and the
-- bounces and seconds of those visits. Dimension 0 with value '' is the total.
-- Hours have totals only; their visitors do not add up, those of days do.

CREATE TABLE rollup_hour (
    site_id   integer     NOT NULL,
    hour      timestamptz NOT NULL,
    visitors  bigint      NOT NULL,
    visits    bigint      NOT NULL,
    pageviews bigint      NOT NULL,
    events    bigint      NOT NULL,
    bounces   bigint      NOT NULL,
    seconds   bigint      NOT NULL,
    PRIMARY KEY (site_id, hour)
);
COMMENT ON COLUMN rollup_hour.hour IS 'when the local hour of the site began';

CREATE TABLE rollup_day (
    site_id   integer  NOT NULL,
    dimension smallint NOT NULL,
    day       date     NOT NULL,
    value     text     NOT NULL,
    visitors  bigint   NOT NULL,
    visits    bigint   NOT NULL,
    pageviews bigint   NOT NULL,
    events    bigint   NOT NULL,
    bounces   bigint   NOT NULL,
    seconds   bigint   NOT NULL,
    PRIMARY KEY (site_id, dimension, day, value)
);

CREATE TABLE rollup_month (
    site_id   integer  NOT NULL,
    dimension smallint NOT NULL,
    month     date     NOT NULL,
    value     text     NOT NULL,
    visitors  bigint   NOT NULL,
    visits    bigint   NOT NULL,
    pageviews bigint   NOT NULL,
    events    bigint   NOT NULL,
    bounces   bigint   NOT NULL,
    seconds   bigint   NOT NULL,
    PRIMARY KEY (site_id, dimension, month, value)
);
COMMENT ON COLUMN rollup_month.month IS 'first day of the month';

CREATE TABLE drops (
    site_id integer NOT NULL,
    day     date    NOT NULL,
    reason  text    NOT NULL,
    events  bigint  NOT NULL,
    PRIMARY KEY (site_id, day, reason)
);
COMMENT ON TABLE drops IS 'events that were left out on purpose, by reason';

CREATE TABLE dead_letters (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shard      smallint    NOT NULL,
    entry      text        NOT NULL,
    payload    bytea       NOT NULL,
    reason     text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (shard, entry)
);
COMMENT ON TABLE dead_letters IS 'queue entries that could not be stored, kept with the reason so that they can be replayed';

-- With TimescaleDB events and visits are hypertables, compressed once their day
-- can receive no more events; without it they are plain tables with the same
-- answers.
-- +goose StatementBegin
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') THEN
        PERFORM create_hypertable('events', 'time', chunk_time_interval => interval '1 day', create_default_indexes => false);
        PERFORM create_hypertable('visits', 'started_at', chunk_time_interval => interval '1 day', create_default_indexes => false);
        ALTER TABLE events SET (timescaledb.compress, timescaledb.compress_segmentby = 'site_id', timescaledb.compress_orderby = 'visitor, time, id');
        ALTER TABLE visits SET (timescaledb.compress, timescaledb.compress_segmentby = 'site_id', timescaledb.compress_orderby = 'started_at, visitor');
        PERFORM add_compression_policy('events', interval '3 days');
        PERFORM add_compression_policy('visits', interval '3 days');
    END IF;
END
$$;
-- +goose StatementEnd

-- +goose Down
DROP TABLE dead_letters, drops, rollup_month, rollup_day, rollup_hour, visits, events, salts, api_keys, sites;
