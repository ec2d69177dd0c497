// Package migrations holds the numbered SQL files that make the schema, oldest
// first. A file that has landed is never edited: the next change is a new file.
package migrations

import (
	"embed"
	"strconv"
	"strings"
)

// Files are the migrations, named NNNN_what.sql in the form that goose reads.
//
//go:embed *.sql
var Files embed.FS

// Latest returns the number of the last migration.
func Latest() int64 {
	entries, err := Files.ReadDir(".") // sorted by name
	if err != nil || len(entries) == 0 {
		panic("no migrations are embedded")
	}
	number, _, _ := strings.Cut(entries[len(entries)-1].Name(), "_")
	latest, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		panic(err) // goose would not read the file either
	}
	return latest
}
