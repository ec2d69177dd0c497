-- A page of the rows, in order.
SELECT *, {{if .TotalRows}}count(*) OVER (){{else}}0::bigint{{end}} AS total_rows
FROM (
{{.Rows}}
) AS answer
{{if .Condition}}WHERE {{.Condition}}
{{end -}}
ORDER BY {{.Order}}
LIMIT @limit OFFSET @offset
