-- From the rollup of hours, which has totals only.
SELECT hour AS period, visitors, visits, pageviews, events, bounces, seconds
FROM rollup_hour
WHERE site_id = @site AND hour >= @from AND hour < @to
