-- A day of made-up traffic of a site: visits with one event or more, 2.5 on the average,
-- by visitors of whom some come twice. Everything follows from the numbers of site, day
-- and visit, so that each run makes the same.
--
-- $1 is the site, $2 the day, $3 the number of visits.
INSERT INTO events (
    site_id, time, id, day, utc_offset, visitor, type, name, hostname, page, title,
    referrer, source, channel, utm_source, utm_medium, utm_campaign, utm_term, utm_content,
    country, region, city, browser, browser_version, os, os_version, device, language, screen,
    props, amount, currency, subject, funnel, funnel_step)
SELECT
    $1, v.start + e.n * interval '37 seconds' + (e.chance % 20000) * interval '1 millisecond',
    (lpad(to_hex(v.id), 16, '0') || lpad(to_hex(e.n), 16, '0'))::uuid, $2, 0,
    -- One in seven comes a second time, hours later.
    hashint8extended(CASE WHEN v.number % 7 = 0 AND v.number > $3 / 2 THEN v.id - $3 / 2 ELSE v.id END, 1),
    CASE WHEN e.n > 0 AND e.chance % 12 = 0 THEN 3 ELSE 1 END,
    CASE WHEN e.n > 0 AND e.chance % 12 = 0 THEN (ARRAY['signup', 'download', 'purchase', 'share'])[1 + e.chance / 12 % 4] ELSE '' END,
    'example.com',
    -- A few pages have most of the views.
    CASE WHEN e.chance % 5 = 0 THEN '/' WHEN e.chance % 5 = 1 THEN '/pricing'
         ELSE '/blog/post-' || floor(2000 * power((e.chance / 5 % 10000) / 10000.0, 3)) END,
    'A page', '',
    (ARRAY['', '', 'Google', 'Google', 'Google', 'Bing', 'Hacker News', 'X', 'newsletter', 'Reddit', 'DuckDuckGo', 'YouTube'])[1 + v.chance % 12],
    (ARRAY['Direct', 'Direct', 'Organic Search', 'Organic Search', 'Organic Search', 'Organic Search', 'Referral', 'Organic Social', 'Email', 'Organic Social', 'Organic Search', 'Organic Video'])[1 + v.chance % 12],
    '', '', CASE WHEN v.chance % 12 = 8 THEN 'autumn-' || v.chance / 12 % 9 ELSE '' END, '', '',
    (ARRAY['US', 'US', 'US', 'DE', 'DE', 'GB', 'FR', 'IN', 'BR', 'JP', 'CA', 'NL', 'ES', 'IT', 'PL', 'SE', 'AU', 'MX', 'KR', 'ZA'])[1 + v.chance / 12 % 20],
    '', 'City ' || v.chance / 240 % 400,
    (ARRAY['Chrome', 'Chrome', 'Chrome', 'Safari', 'Safari', 'Firefox', 'Edge', 'Samsung Browser'])[1 + v.chance / 7 % 8], (100 + v.chance / 56 % 40)::text,
    (ARRAY['Windows', 'Windows', 'macOS', 'iOS', 'Android', 'Android', 'Linux', 'ChromeOS'])[1 + v.chance / 11 % 8], (10 + v.chance / 88 % 5)::text,
    (ARRAY['Desktop', 'Desktop', 'Mobile', 'Mobile', 'Tablet'])[1 + v.chance / 13 % 5],
    (ARRAY['en-US', 'en-GB', 'de', 'fr', 'es', 'ja', 'pt-BR', 'nl'])[1 + v.chance / 17 % 8],
    (ARRAY['1920x1080', '1440x900', '390x844', '412x915', '2560x1440', '1366x768'])[1 + v.chance / 19 % 6],
    CASE WHEN e.n > 0 AND e.chance % 12 = 0 THEN jsonb_build_object('plan', (ARRAY['free', 'pro', 'team'])[1 + e.chance / 48 % 3]) END,
    CASE WHEN e.n > 0 AND e.chance % 12 = 0 AND e.chance / 12 % 4 = 2 THEN (5 + e.chance % 90)::numeric END,
    CASE WHEN e.n > 0 AND e.chance % 12 = 0 AND e.chance / 12 % 4 = 2 THEN 'EUR' ELSE '' END,
    NULL, '', 0
FROM (
    SELECT number, id, chance, $2::timestamp AT TIME ZONE 'UTC'
           + least(86000, 86400 * (number::float8 / $3) * 0.98 + chance % 1000) * interval '1 second' AS start
    FROM (
        SELECT number, (($1::bigint * 100000 + ($2::date - date '2020-01-01')) << 32) + number AS id,
               hashint8extended((($1::bigint * 100000 + ($2::date - date '2020-01-01')) << 32) + number, 7) & 1073741823 AS chance
        FROM generate_series(1, $3::integer) AS number
    ) AS numbered
) AS v
CROSS JOIN LATERAL (
    SELECT n, hashint8extended(v.id, n + 100) & 1073741823 AS chance
    FROM generate_series(0, CASE v.chance / 3 % 8 WHEN 0 THEN 0 WHEN 1 THEN 0 WHEN 2 THEN 0 WHEN 3 THEN 1 WHEN 4 THEN 1 WHEN 5 THEN 2 WHEN 6 THEN 3 ELSE 5 END) AS n
) AS e
WHERE v.start + e.n * interval '37 seconds' + interval '20 seconds' < ($2 + 1)::timestamp AT TIME ZONE 'UTC'
