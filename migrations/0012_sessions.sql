-- Sessions of the dashboard, so that signing out ends them on the server.

-- +goose Up
CREATE TABLE sessions (
    hash         bytea       PRIMARY KEY,
    user_id      integer,
    created_at   timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL
);
COMMENT ON COLUMN sessions.hash IS 'SHA-256 of the id, which only the browser has';
COMMENT ON COLUMN sessions.user_id IS 'null for the owner, who has no account';
COMMENT ON COLUMN sessions.last_used_at IS 'accurate to an hour';
COMMENT ON COLUMN sessions.expires_at IS 'first moment at which it is invalid; use postpones it, up to 30 days after created_at';

-- +goose Down
DROP TABLE sessions;
