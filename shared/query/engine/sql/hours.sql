-- From the rollups of hours, which hold totals only. An hour has a row for each day that it
-- is part of.
SELECT hour AS period, '' AS value, sum(visitors)::bigint AS visitors, sum(visits)::bigint AS visits, sum(pageviews)::bigint AS pageviews,
       sum(events)::bigint AS events, sum(visits)::bigint AS entries, sum(bounces)::bigint AS bounces, sum(seconds)::bigint AS seconds, sum(engaged)::bigint AS engaged
FROM rollup_hour
WHERE site_id = @site AND hour >= @from AND hour < @to
GROUP BY hour
