-- The expected content of the derived tables, computed from the raw events with plain SQL:
-- slow, and independent of the code under test.

-- The value of the rollup row that counts a value: days that keep only some values of a
-- dimension count the others as (other).
CREATE TEMP TABLE kept ON COMMIT DROP AS
SELECT site_id, day, dimension, substring(hashes FROM 8 * n + 1 FOR 8) AS hash
FROM rollup_kept, generate_series(0, length(hashes) / 8 - 1) AS n;

CREATE TEMP TABLE bounded ON COMMIT DROP AS
SELECT site_id, day, dimension FROM rollup_kept;

CREATE FUNCTION pg_temp.row_of(integer, date, integer, text) RETURNS text LANGUAGE sql AS $$
SELECT CASE WHEN $4 <> '' AND EXISTS (SELECT FROM bounded WHERE (site_id, day, dimension) = ($1, $2, $3))
    AND NOT EXISTS (SELECT FROM kept WHERE (site_id, day, dimension) = ($1, $2, $3) AND hash = substring(sha256(convert_to($4, 'UTF8')) FOR 8))
    THEN '(other)' ELSE $4 END
$$;

CREATE TEMP TABLE runs ON COMMIT DROP AS
WITH marked AS (
    SELECT e.*,
           CASE WHEN time - lag(time) OVER w < interval '30 minutes' THEN 0 ELSE 1 END AS begins
    FROM events e
    WINDOW w AS (PARTITION BY site_id, day, visitor ORDER BY time, id)
)
SELECT m.*,
       sum(begins) OVER (PARTITION BY site_id, day, visitor ORDER BY time, id) AS number,
       date_trunc('hour', time + utc_offset * interval '1 minute', 'UTC') - utc_offset * interval '1 minute' AS hour
FROM marked m;

-- Engagements do not count as events. Those before the first event of a run belong to no
-- visit.
CREATE TEMP TABLE numbered ON COMMIT DROP AS
SELECT * FROM runs WHERE type <> 5;

CREATE TEMP TABLE engagements ON COMMIT DROP AS
SELECT r.*
FROM runs r
JOIN (SELECT DISTINCT ON (site_id, day, visitor, number) site_id, day, visitor, number, time, id
      FROM numbered ORDER BY site_id, day, visitor, number, time, id) AS f USING (site_id, day, visitor, number)
WHERE r.type = 5 AND (r.time, r.id) > (f.time, f.id);

CREATE TEMP TABLE folded ON COMMIT DROP AS
SELECT site_id, min(time) AS started_at, visitor, day, number, (array_agg(hour ORDER BY time, id))[1] AS hour,
       floor(extract(epoch FROM max(time) - min(time)))::integer AS duration,
       count(*) FILTER (WHERE type = 1)::integer AS pageviews,
       count(*)::integer AS events,
       count(*) FILTER (WHERE NOT passive) <= 1 AS bounce,
       coalesce((array_agg(page ORDER BY time, id) FILTER (WHERE type = 1))[1], (array_agg(page ORDER BY time, id))[1]) AS entry_page,
       coalesce((array_agg(page ORDER BY time DESC, id DESC) FILTER (WHERE type = 1))[1], (array_agg(page ORDER BY time DESC, id DESC))[1]) AS exit_page,
       (array_agg(hostname ORDER BY time, id))[1] AS hostname,
       (array_agg(referrer ORDER BY time, id))[1] AS referrer,
       (array_agg(source ORDER BY time, id))[1] AS source,
       (array_agg(channel ORDER BY time, id))[1] AS channel,
       (array_agg(utm_source ORDER BY time, id))[1] AS utm_source,
       (array_agg(utm_medium ORDER BY time, id))[1] AS utm_medium,
       (array_agg(utm_campaign ORDER BY time, id))[1] AS utm_campaign,
       (array_agg(utm_term ORDER BY time, id))[1] AS utm_term,
       (array_agg(utm_content ORDER BY time, id))[1] AS utm_content,
       (array_agg(country ORDER BY time, id))[1] AS country,
       (array_agg(region ORDER BY time, id))[1] AS region,
       (array_agg(city ORDER BY time, id))[1] AS city,
       (array_agg(browser ORDER BY time, id))[1] AS browser,
       (array_agg(browser_version ORDER BY time, id))[1] AS browser_version,
       (array_agg(os ORDER BY time, id))[1] AS os,
       (array_agg(os_version ORDER BY time, id))[1] AS os_version,
       (array_agg(device ORDER BY time, id))[1] AS device,
       (array_agg(language ORDER BY time, id))[1] AS language,
       (array_agg(screen ORDER BY time, id))[1] AS screen
FROM numbered
GROUP BY site_id, day, visitor, number;

CREATE TEMP TABLE whole ON COMMIT DROP AS
SELECT v.*, coalesce(engaged.engaged, 0)::bigint AS engaged, worth.revenue
FROM folded v
LEFT JOIN (
    SELECT site_id, day, visitor, number, sum(engaged) AS engaged
    FROM engagements GROUP BY site_id, day, visitor, number
) AS engaged USING (site_id, day, visitor, number)
LEFT JOIN (
    SELECT site_id, day, visitor, number, jsonb_object_agg(currency, amount) AS revenue
    FROM (SELECT site_id, day, visitor, number, currency, sum(amount) AS amount
          FROM numbered WHERE amount IS NOT NULL GROUP BY site_id, day, visitor, number, currency) AS sums
    GROUP BY site_id, day, visitor, number
) AS worth USING (site_id, day, visitor, number);

-- One row per visit, dimension and value. Engagements add to the values of the events of
-- their visit.
CREATE TEMP TABLE carried ON COMMIT DROP AS
SELECT site_id, day, visitor, number, d.dimension, pg_temp.row_of(site_id, day, d.dimension, d.value) AS value, pageviews, events, bounce, duration, engaged
FROM whole CROSS JOIN LATERAL (VALUES
    (0, ''), (20, entry_page), (21, exit_page), (22, referrer), (23, source), (24, channel), (25, utm_source),
    (26, utm_medium), (27, utm_campaign), (28, utm_term), (29, utm_content), (30, country), (31, region), (32, city),
    (33, browser), (34, os), (35, device), (36, language), (37, screen)) AS d (dimension, value)
UNION ALL
SELECT c.*, coalesce(engaged.engaged, 0)
FROM (
    SELECT n.site_id, n.day, n.visitor, n.number, d.dimension, r.value,
           count(*) FILTER (WHERE n.type = 1), count(*), bool_and(w.bounce), min(w.duration)
    FROM numbered n
    JOIN whole w USING (site_id, day, visitor, number)
    CROSS JOIN LATERAL (VALUES (1, n.page), (2, CASE WHEN n.name = '' AND n.type = 1 THEN 'pageview' ELSE n.name END), (3, n.hostname), (4, n.tag)) AS d (dimension, value)
    CROSS JOIN LATERAL pg_temp.row_of(n.site_id, n.day, d.dimension, d.value) AS r (value)
    GROUP BY n.site_id, n.day, n.visitor, n.number, d.dimension, r.value
) AS c
LEFT JOIN (
    SELECT n.site_id, n.day, n.visitor, n.number, d.dimension, r.value, sum(n.engaged) AS engaged
    FROM engagements n
    CROSS JOIN LATERAL (VALUES (1, n.page), (2, CASE n.name WHEN '' THEN 'pageview' ELSE n.name END), (3, n.hostname), (4, n.tag)) AS d (dimension, value)
    CROSS JOIN LATERAL pg_temp.row_of(n.site_id, n.day, d.dimension, d.value) AS r (value)
    GROUP BY n.site_id, n.day, n.visitor, n.number, d.dimension, r.value
) AS engaged USING (site_id, day, visitor, number, dimension, value);

CREATE TEMP TABLE wanted ON COMMIT DROP AS
SELECT 'day' AS rollup, site_id, dimension, day::text AS period, value,
       count(DISTINCT visitor) AS visitors, count(*) AS visits, sum(pageviews) AS pageviews, sum(events) AS events,
       count(*) FILTER (WHERE bounce) AS bounces, sum(duration) AS seconds, sum(engaged) AS engaged
FROM carried
GROUP BY site_id, dimension, day, value
UNION ALL
SELECT 'month', site_id, dimension, date_trunc('month', day::timestamp)::date::text, value,
       count(DISTINCT (day, visitor)), count(*), sum(pageviews), sum(events),
       count(*) FILTER (WHERE bounce), sum(duration), sum(engaged)
FROM carried
GROUP BY site_id, dimension, date_trunc('month', day::timestamp), value
UNION ALL
SELECT 'hour', site_id, 0, extract(epoch FROM hour)::bigint || ' of ' || day, '',
       count(DISTINCT visitor), count(DISTINCT (visitor, number)) FILTER (WHERE first),
       count(*) FILTER (WHERE type = 1), count(*),
       count(*) FILTER (WHERE first AND bounce), coalesce(sum(duration) FILTER (WHERE first), 0),
       coalesce(sum(whole_engaged) FILTER (WHERE first), 0)
FROM (SELECT n.*, w.bounce, w.duration, w.engaged AS whole_engaged,
             row_number() OVER (PARTITION BY n.site_id, n.day, n.visitor, n.number ORDER BY n.time, n.id) = 1 AS first
      FROM numbered n JOIN whole w USING (site_id, day, visitor, number)) AS e
GROUP BY site_id, hour, day;

CREATE TEMP VIEW stored AS
SELECT 'day' AS rollup, site_id, dimension::integer, day::text AS period, value, visitors, visits, pageviews::numeric, events::numeric, bounces, seconds::numeric, engaged::numeric
FROM rollup_day
UNION ALL
SELECT 'month', site_id, dimension, month::text, value, visitors, visits, pageviews, events, bounces, seconds, engaged
FROM rollup_month
UNION ALL
SELECT 'hour', site_id, 0, extract(epoch FROM hour)::bigint || ' of ' || day, '', visitors, visits, pageviews, events, bounces, seconds, engaged
FROM rollup_hour;
