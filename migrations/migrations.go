// Package migrations holds the numbered SQL files that make the schema, oldest
// first. A file that has landed is never edited: the next change is a new file.
package migrations

import "embed"

// Files are the migrations, named NNNN_what.sql in the form that goose reads.
//
//go:embed *.sql
var Files embed.FS
