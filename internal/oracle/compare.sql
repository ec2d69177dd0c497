SELECT text FROM (
    (SELECT 'missing ' || w.rollup || ' rollup row ' || w::text AS text FROM (SELECT * FROM wanted EXCEPT ALL SELECT * FROM stored) AS w)
    UNION ALL
    (SELECT 'unexpected ' || s.rollup || ' rollup row ' || s::text FROM (SELECT * FROM stored EXCEPT ALL SELECT * FROM wanted) AS s)
    UNION ALL
    (SELECT 'missing visit ' || w::text FROM (
        SELECT site_id, started_at, visitor, day, duration, pageviews, events, bounce, entry_page, exit_page, hostname, referrer, source, channel,
               utm_source, utm_medium, utm_campaign, utm_term, utm_content, country, region, city, browser, browser_version, os, os_version, device, language, screen, engaged, revenue
        FROM whole EXCEPT ALL SELECT * FROM visits) AS w)
    UNION ALL
    (SELECT 'unexpected visit ' || s::text FROM (
        SELECT * FROM visits EXCEPT ALL
        SELECT site_id, started_at, visitor, day, duration, pageviews, events, bounce, entry_page, exit_page, hostname, referrer, source, channel,
               utm_source, utm_medium, utm_campaign, utm_term, utm_content, country, region, city, browser, browser_version, os, os_version, device, language, screen, engaged, revenue
        FROM whole) AS s)
) AS differences
LIMIT 10
