// Package store is the record of what was counted: events, visits, rollups and
// archived days in PostgreSQL, with TimescaleDB where it is installed. It owns the SQL
// that reads and writes them, the daily salts, dead letters and queue positions.
//
// Package visit defines what a visit is and what it adds to a rollup; package sites
// owns the sites themselves. SQL takes parameters; it is never built from input.
package store
