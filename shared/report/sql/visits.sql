-- From the visits of whole local days: each is all of its events. Adding up the
-- visits of a visitor-day first counts a visitor-day once.
SELECT
    {{.Group}},
    count(*) AS visitors, sum(visits)::bigint AS visits,
    sum(pageviews)::bigint AS pageviews, sum(events)::bigint AS events,
    sum(bounces)::bigint AS bounces, sum(seconds)::bigint AS seconds
FROM (
    SELECT
        {{.Period "v.day"}} AS period,
        {{range .Values "" "v"}}{{.SQL}} AS {{.Name}},
        {{end -}}
        count(*) AS visits, sum(v.pageviews) AS pageviews, sum(v.events) AS events,
        count(*) FILTER (WHERE v.bounce) AS bounces, sum(v.duration) AS seconds
    FROM visits AS v
    WHERE v.site_id = @site AND v.started_at >= @from AND v.started_at < @to
        AND v.day BETWEEN @first_day AND @last_day{{range .Conditions "" "v"}}
        AND {{.}}{{end}}
    GROUP BY {{.Group}}, v.day, v.visitor
) AS visitor_days
GROUP BY {{.Group}}
