-- Visits get the time for which they were engaged and what they were worth; sites
-- change their time zone from a day on.

-- +goose Up

ALTER TABLE events ADD COLUMN engaged integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN events.type IS '1 view, 2 click, 3 conversion, 4 funnel_step, 5 engagement, which is not counted as an event';
COMMENT ON COLUMN events.engaged IS 'milliseconds that the page was visible and had the focus since it last said so; of an engagement only';

ALTER TABLE visits ADD COLUMN engaged bigint NOT NULL DEFAULT 0;
ALTER TABLE visits ADD COLUMN revenue jsonb;
COMMENT ON COLUMN visits.duration IS 'whole seconds from the first to the last event, engagements left out';
COMMENT ON COLUMN visits.bounce IS 'the visit had a single event, engagements left out';
COMMENT ON COLUMN visits.engaged IS 'milliseconds, the sum over its engagements';
COMMENT ON COLUMN visits.revenue IS 'sums of the amounts of its events by currency; null when none has an amount';

ALTER TABLE rollup_hour ADD COLUMN engaged bigint NOT NULL DEFAULT 0;
ALTER TABLE rollup_day ADD COLUMN engaged bigint NOT NULL DEFAULT 0;
ALTER TABLE rollup_month ADD COLUMN engaged bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN rollup_hour.engaged IS 'milliseconds, of the visits that began in the hour';
COMMENT ON COLUMN rollup_day.engaged IS 'milliseconds, of the visits; for a dimension of events, of the engagements with the value in visits that have an event with it';
COMMENT ON COLUMN rollup_month.engaged IS 'the sum of its days';

ALTER TABLE sites ADD COLUMN previous_timezone text NOT NULL DEFAULT '';
ALTER TABLE sites ADD COLUMN timezone_since timestamptz;
COMMENT ON COLUMN sites.timezone IS 'IANA name; the days and hours of every report of this site are local to it, from timezone_since on';
COMMENT ON COLUMN sites.previous_timezone IS 'IANA name; was or is in force until timezone_since';
COMMENT ON COLUMN sites.timezone_since IS 'a local midnight of the previous zone; null when there is none';

-- Visits that are stored already are worth what their events are. Each day of a site
-- goes by itself, so that of compressed visits only those near an amount are unpacked.
-- +goose StatementBegin
DO $$
DECLARE
    part record;
BEGIN
    PERFORM set_config('timescaledb.max_tuples_decompressed_per_dml_transaction', '0', true),
            set_config('plan_cache_mode', 'force_custom_plan', true);
    FOR part IN
        -- No visit is as long as 50 hours: so long is a day, from where it begins first to where it ends last.
        SELECT site_id, day, min(time) - interval '50 hours' AS first, max(time) AS last
        FROM events WHERE amount IS NOT NULL GROUP BY site_id, day
    LOOP
        UPDATE visits AS v SET revenue = worth.revenue
        FROM (
            SELECT started_at, visitor, jsonb_object_agg(currency, amount) AS revenue
            FROM (
                SELECT w.started_at, w.visitor, e.currency, sum(e.amount) AS amount
                FROM events AS e
                JOIN visits AS w
                    ON w.visitor = e.visitor AND w.started_at <= e.time AND e.time < w.started_at + (w.duration + 1) * interval '1 second'
                WHERE e.site_id = part.site_id AND e.day = part.day AND e.time BETWEEN part.first AND part.last AND e.amount IS NOT NULL
                    AND w.site_id = part.site_id AND w.day = part.day AND w.started_at BETWEEN part.first AND part.last
                GROUP BY w.started_at, w.visitor, e.currency
            ) AS sums
            GROUP BY started_at, visitor
        ) AS worth
        WHERE v.site_id = part.site_id AND v.started_at BETWEEN part.first AND part.last
            AND v.started_at = worth.started_at AND v.visitor = worth.visitor;
    END LOOP;
END
$$;
-- +goose StatementEnd

-- +goose Down
ALTER TABLE sites DROP COLUMN timezone_since;
ALTER TABLE sites DROP COLUMN previous_timezone;
ALTER TABLE rollup_month DROP COLUMN engaged;
ALTER TABLE rollup_day DROP COLUMN engaged;
ALTER TABLE rollup_hour DROP COLUMN engaged;
ALTER TABLE visits DROP COLUMN revenue;
ALTER TABLE visits DROP COLUMN engaged;
ALTER TABLE events DROP COLUMN engaged;
-- Without engagements some visits would be two: the days that had any must be folded again.
SELECT set_config('timescaledb.max_tuples_decompressed_per_dml_transaction', '0', true);
DELETE FROM events WHERE type = 5;
