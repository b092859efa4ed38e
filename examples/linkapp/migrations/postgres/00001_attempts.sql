-- +goose Up
CREATE TABLE attempts (
	rowid              BIGINT GENERATED ALWAYS AS IDENTITY, -- the order, as SQLite has it in every table
	id                 TEXT PRIMARY KEY,
	user_id            TEXT NOT NULL,
	exchangeable_token TEXT NOT NULL DEFAULT '',
	open               INTEGER NOT NULL DEFAULT 0,
	open_since         BIGINT NOT NULL DEFAULT 0,
	link_id            TEXT NOT NULL DEFAULT '',
	link_state         TEXT NOT NULL DEFAULT '',
	linked_at          BIGINT NOT NULL DEFAULT 0,
	state_at           BIGINT NOT NULL DEFAULT 0,
	institution        TEXT NOT NULL
);
CREATE TABLE events (
	idempotency_key TEXT PRIMARY KEY,
	processed_at    BIGINT NOT NULL
);
CREATE INDEX attempts_of_user ON attempts (user_id);
CREATE INDEX events_by_time ON events (processed_at);
CREATE UNIQUE INDEX one_attempt_per_link ON attempts (user_id, link_id) WHERE link_id <> '';

-- Every process listens for attempts_changed. SQLite has no such thing: there they poll.
-- +goose StatementBegin
CREATE FUNCTION attempts_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	NOTIFY attempts_changed;
	RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER attempts_changed AFTER INSERT OR UPDATE OR DELETE ON attempts
	FOR EACH STATEMENT EXECUTE FUNCTION attempts_changed();
