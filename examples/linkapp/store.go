package main

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	_ "modernc.org/sqlite" // the database/sql driver

	"github.com/moneykit/moneykit-go/gen"
)

// What a row says before MoneyKit has said anything; afterwards it is the link's own state.
const (
	statePending      = "pending"      // the exchange was surely not carried out yet
	stateUnconfirmed  = "unconfirmed"  // it was begun, and nobody knows how it ended
	stateUnidentified = "unidentified" // it was carried out, but its answer is lost
)

// A link is one row: what came of one exchangeable token. The token is kept, so that an exchange whose outcome is
// unknown can be looked into, and so that sending it twice has the effect of sending it once.
type link struct {
	ID                int64
	ExchangeableToken string
	State             string
	LinkID            string
	Institution       string
	UpdatedAt         time.Time
}

// Exchanged reports whether MoneyKit has handed the link over.
func (l link) Exchanged() bool { return l.LinkID != "" }

// Initial is the first letter of the institution's name.
func (l link) Initial() string {
	for _, letter := range l.Institution {
		return string(letter)
	}
	return "?"
}

type store struct{ *sql.DB }

func openStore(file string) (store, error) {
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(5000)&_pragma=journal_mode(wal)&_txlock=immediate")
	if err != nil {
		return store{}, err
	}
	_, err = db.Exec(`CREATE TABLE IF NOT EXISTS links (
		id                 INTEGER PRIMARY KEY,
		user_id            TEXT NOT NULL,
		exchangeable_token TEXT NOT NULL,
		state              TEXT NOT NULL,
		link_id            TEXT NOT NULL DEFAULT '',
		institution        TEXT NOT NULL DEFAULT '',
		updated_at         INTEGER NOT NULL,
		UNIQUE (user_id, exchangeable_token)
	) STRICT`)
	if err != nil {
		return store{}, fmt.Errorf("open database %s: %w", file, err)
	}
	return store{db}, nil
}

const columns = "SELECT id, exchangeable_token, state, link_id, institution, updated_at FROM links "

func scan(row interface{ Scan(...any) error }) (l link, err error) {
	var at int64
	err = row.Scan(&l.ID, &l.ExchangeableToken, &l.State, &l.LinkID, &l.Institution, &at)
	l.UpdatedAt = time.Unix(at, 0)
	return l, err
}

// begin writes down that token is about to be exchanged, so that nothing that happens afterwards can lose it. It
// returns the row as it was before.
func (s store) begin(ctx context.Context, user, token string) (before link, err error) {
	tx, err := s.BeginTx(ctx, nil)
	if err != nil {
		return link{}, err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to roll back
	_, err = tx.ExecContext(ctx, "INSERT INTO links (user_id, exchangeable_token, state, updated_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
		user, token, statePending, time.Now().Unix())
	if err != nil {
		return link{}, err
	}
	before, err = scan(tx.QueryRowContext(ctx, columns+"WHERE user_id = ? AND exchangeable_token = ?", user, token))
	if err != nil {
		return link{}, err
	}
	_, err = tx.ExecContext(ctx, "UPDATE links SET state = ? WHERE id = ? AND state = ?", stateUnconfirmed, before.ID, statePending)
	if err != nil {
		return link{}, err
	}
	return before, tx.Commit()
}

// exchanged writes the link down that a token was exchanged for, in place of what was known of it before.
func (s store) exchanged(ctx context.Context, user string, id int64, l gen.LinkCommon) error {
	tx, err := s.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to roll back
	_, err = tx.ExecContext(ctx, "DELETE FROM links WHERE user_id = ? AND link_id = ? AND id <> ?", user, l.LinkID, id)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "UPDATE links SET state = ?, link_id = ?, institution = ?, updated_at = ? WHERE id = ?",
		string(l.State), l.LinkID, l.InstitutionName, time.Now().Unix(), id)
	if err != nil {
		return err
	}
	return tx.Commit()
}

// setState changes the state of a row whose link was not handed over.
func (s store) setState(ctx context.Context, id int64, state string) error {
	_, err := s.ExecContext(ctx, "UPDATE links SET state = ? WHERE id = ? AND link_id = ''", state, id)
	return err
}

// forget removes a row of which nothing will come.
func (s store) forget(ctx context.Context, id int64) error {
	_, err := s.ExecContext(ctx, "DELETE FROM links WHERE id = ? AND link_id = ''", id)
	return err
}

// find returns a row of the user's.
func (s store) find(ctx context.Context, user string, id int64) (link, error) {
	return scan(s.QueryRowContext(ctx, columns+"WHERE user_id = ? AND id = ?", user, id))
}

// list returns the user's rows, newest first.
func (s store) list(ctx context.Context, user string) (all []link, err error) {
	rows, err := s.QueryContext(ctx, columns+"WHERE user_id = ? ORDER BY id DESC", user)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		l, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, l)
	}
	return all, rows.Err()
}
