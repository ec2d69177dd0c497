-- Days in columns, for questions that no rollup answers.

-- +goose Up

CREATE TABLE day_columns (
    site_id integer NOT NULL,
    day     date    NOT NULL,
    name    text    COLLATE "C" NOT NULL,
    data    bytea   NOT NULL,
    PRIMARY KEY (site_id, day, name)
);
-- It is compressed already.
ALTER TABLE day_columns ALTER COLUMN data SET STORAGE EXTERNAL;
COMMENT ON TABLE day_columns IS 'the events and visits of local days of sites that are over, as package columns writes them; derived from events, and gone as soon as an event is added to the day';

-- +goose Down
DROP TABLE day_columns;
