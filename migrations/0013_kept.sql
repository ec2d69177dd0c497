-- A day of a site has a bounded number of values of each dimension in the rollups.

-- +goose Up
CREATE TABLE rollup_kept (
    site_id   integer  NOT NULL,
    day       date     NOT NULL,
    dimension smallint NOT NULL,
    hashes    bytea    NOT NULL,
    PRIMARY KEY (site_id, day, dimension)
);
-- Hashes can't be compressed.
ALTER TABLE rollup_kept ALTER COLUMN hashes SET STORAGE EXTERNAL;
COMMENT ON TABLE rollup_kept IS 'which values the rollups keep of closed days with too many values of a dimension; the row (other) counts the rest';
COMMENT ON COLUMN rollup_kept.hashes IS 'the first 8 bytes of the SHA-256 of each value, in ascending order';

-- +goose Down
-- What (other) counts can't be divided again: recompute these days afterwards.
DROP TABLE rollup_kept;
