-- From the events, each with the visit that it belongs to: the one of its
-- visitor-day that was under way at its time. Engagements (type 5) are not counted.
-- A range that cuts days has events of visits that began before it: no day of a site
-- is longer than 50 hours, whatever its clocks or time zone are changed to.
SELECT
    {{.Group}},
    count(*) AS visitors, sum(visits)::bigint AS visits,
    sum(pageviews)::bigint AS pageviews, sum(events)::bigint AS events,
    sum(bounces)::bigint AS bounces, sum(seconds)::bigint AS seconds
FROM (
    SELECT
        {{.Group}},
        sum(pageviews) AS pageviews, sum(events) AS events,
        count(*) FILTER (WHERE began) AS visits,
        count(*) FILTER (WHERE began AND bounce) AS bounces,
        coalesce(sum(duration) FILTER (WHERE began), 0) AS seconds
    FROM (
        SELECT
            {{.Period "e.day"}} AS period,
            {{range .Values "e" "v"}}{{.SQL}} AS {{.Name}},
            {{end -}}
            e.day, e.visitor, v.started_at, v.bounce, v.duration,
            v.started_at >= {{.Start}} AS began,
            count(*) AS events, count(*) FILTER (WHERE e.type = 1) AS pageviews
        FROM events AS e
        JOIN visits AS v
            ON v.site_id = e.site_id AND v.visitor = e.visitor AND v.day = e.day
            AND v.started_at <= e.time AND e.time < v.started_at + (v.duration + 1) * interval '1 second'
        WHERE e.site_id = @site AND e.time >= @from AND e.time < @to AND e.type <> 5
            AND v.site_id = @site AND v.started_at >= @from{{if not .WholeDays}} - interval '50 hours'{{end}} AND v.started_at < @to
            {{- if .WholeDays}}
            AND e.day BETWEEN @first_day AND @last_day{{end}}{{range .Conditions "e" "v"}}
            AND {{.}}{{end}}
        GROUP BY {{.Group}}, e.day, e.visitor, v.started_at, v.bounce, v.duration, began
    ) AS matched_visits
    GROUP BY {{.Group}}, day, visitor
) AS visitor_days
GROUP BY {{.Group}}
