-- From the rollups of whole local days, and of whole months where the days need not be
-- distinguished. A bounce rate by page counts the visits of the entry page.
SELECT
    {{.Period}} AS period,
    {{.Value}} AS value,
    {{.Sum "visitors"}} AS visitors, {{.Sum "visits"}} AS visits,
    {{.Sum "pageviews"}} AS pageviews, {{.Sum "events"}} AS events,
    {{.EntrySum "visits"}} AS entries, {{.EntrySum "bounces"}} AS bounces,
    {{.Sum "seconds"}} AS seconds, {{.Sum "engaged"}} AS engaged
FROM (
    SELECT dimension, day, value, visitors, visits, pageviews, events, bounces, seconds, engaged
    FROM rollup_day
    WHERE site_id = @site AND {{.Dimensions}} AND day BETWEEN @head_first AND @head_last
    UNION ALL
    SELECT dimension, month, value, visitors, visits, pageviews, events, bounces, seconds, engaged
    FROM rollup_month
    WHERE site_id = @site AND {{.Dimensions}} AND month BETWEEN @months_first AND @months_last
    UNION ALL
    SELECT dimension, day, value, visitors, visits, pageviews, events, bounces, seconds, engaged
    FROM rollup_day
    WHERE site_id = @site AND {{.Dimensions}} AND day BETWEEN @tail_first AND @tail_last
) AS rollups
WHERE true{{range .Conditions}}
    AND {{.}}{{end}}
GROUP BY {{.Group}}
