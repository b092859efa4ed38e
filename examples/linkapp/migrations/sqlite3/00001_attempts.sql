-- +goose Up
-- IF NOT EXISTS: a database from before migrations has these.
CREATE TABLE IF NOT EXISTS attempts (
	id                 TEXT PRIMARY KEY,
	user_id            TEXT NOT NULL,
	exchangeable_token TEXT NOT NULL DEFAULT '',
	open               INTEGER NOT NULL DEFAULT 0,
	open_since         INTEGER NOT NULL DEFAULT 0,
	link_id            TEXT NOT NULL DEFAULT '',
	link_state         TEXT NOT NULL DEFAULT '',
	linked_at          INTEGER NOT NULL DEFAULT 0,
	state_at           INTEGER NOT NULL DEFAULT 0,
	institution        TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS events (
	idempotency_key TEXT PRIMARY KEY,
	processed_at    INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS attempts_of_user ON attempts (user_id);
CREATE INDEX IF NOT EXISTS events_by_time ON events (processed_at);
CREATE UNIQUE INDEX IF NOT EXISTS one_attempt_per_link ON attempts (user_id, link_id) WHERE link_id <> '';
