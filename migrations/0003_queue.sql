-- How far each shard of the queue is stored.

-- +goose Up

CREATE TABLE queue_positions (
    shard smallint PRIMARY KEY,
    mark  text     NOT NULL DEFAULT ''
);
COMMENT ON TABLE queue_positions IS 'a row a shard; whoever has locked it drains the shard, and the lock ends with its transaction';
COMMENT ON COLUMN queue_positions.mark IS 'names the last entries that were stored: if they are still in the queue, the worker died before it took them out';
INSERT INTO queue_positions (shard) VALUES (0), (1), (2), (3);

-- +goose Down
DROP TABLE queue_positions;
