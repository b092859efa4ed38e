package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"
)

const (
	keepAlive   = 20 * time.Second // between two writes to a stream
	writeWithin = 10 * time.Second
)

// serveChanges streams the list of the user's banks to an open page as server-sent events: now, and whenever it changes,
// until the page is closed or the server stops.
func (a *app) serveChanges(w http.ResponseWriter, r *http.Request) {
	user := signedIn(r)
	if user == "" {
		http.Error(w, "Your session is over. Reload the page.", http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	control := http.NewResponseController(w)
	ticker := time.NewTicker(keepAlive)
	defer ticker.Stop()
	for shown := ""; ; {
		changed := a.store.changed() // before the list is read, so that no change is missed
		list, err := a.list(r.Context(), user)
		if err != nil {
			a.log.Error("list of banks", "error", err)
			return // the browser connects again
		}
		event := ":\n\n" // a comment, which keeps the connection open
		if list != shown {
			shown, event = list, "retry: 1000\ndata: "+list+"\n\n"
		}
		_ = control.SetWriteDeadline(time.Now().Add(writeWithin)) // in place of the server's; an error: it has none
		if _, err := io.WriteString(w, event); err != nil {
			return // the page is closed
		}
		if err := control.Flush(); err != nil {
			return
		}
		select {
		case <-changed:
		case <-ticker.C:
		case <-r.Context().Done():
			return
		case <-a.stopping:
			return
		}
	}
}

// list returns the list of the user's banks as HTML in a JSON string, which has no line breaks.
func (a *app) list(ctx context.Context, user string) (string, error) {
	rows, err := a.rows(ctx, user)
	if err != nil {
		return "", err
	}
	var html bytes.Buffer
	if err := page.ExecuteTemplate(&html, "links", rows); err != nil {
		return "", err
	}
	data, err := json.Marshal(html.String())
	return string(data), err
}
