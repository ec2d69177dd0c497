-- The rows of an answer in order.
SELECT *, {{if .TotalRows}}count(*) OVER (){{else}}0::bigint{{end}} AS total_rows
FROM (
{{.Rows}}
) AS answer
{{if .Kept}}WHERE {{.Kept}}
{{end -}}
ORDER BY {{.Order}}
LIMIT @limit OFFSET @offset
