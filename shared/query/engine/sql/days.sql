-- From the rollups of whole local days, and of whole months where the days need not be
-- distinguished.
SELECT
    {{.Period}} AS period,
    {{.Value}} AS value,
    sum(visitors)::bigint AS visitors, sum(visits)::bigint AS visits,
    sum(pageviews)::bigint AS pageviews, sum(events)::bigint AS events,
    sum(bounces)::bigint AS bounces, sum(seconds)::bigint AS seconds, sum(engaged)::bigint AS engaged
FROM (
    SELECT day, value, visitors, visits, pageviews, events, bounces, seconds, engaged
    FROM rollup_day
    WHERE site_id = @site AND dimension = @dimension AND day BETWEEN @head_first AND @head_last
    UNION ALL
    SELECT month, value, visitors, visits, pageviews, events, bounces, seconds, engaged
    FROM rollup_month
    WHERE site_id = @site AND dimension = @dimension AND month BETWEEN @months_first AND @months_last
    UNION ALL
    SELECT day, value, visitors, visits, pageviews, events, bounces, seconds, engaged
    FROM rollup_day
    WHERE site_id = @site AND dimension = @dimension AND day BETWEEN @tail_first AND @tail_last
) AS rollups
WHERE true{{range .Conditions}}
    AND {{.}}{{end}}
GROUP BY {{.Group}}
