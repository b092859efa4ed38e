package main

import (
	"context"
	"embed"
	"html/template"
	"net/http"
)

var (
	//go:embed static
	static embed.FS
	//go:embed page.html
	pageHTML string
	page     = template.Must(template.New("page.html").Parse(pageHTML))
)

// A row is an attempt as the page lists it.
type row struct {
	attempt
	Status status
}

// Initial is the first letter of the institution's name.
func (r row) Initial() string {
	for _, letter := range r.Institution {
		return string(letter)
	}
	return "?"
}

func (a *app) servePage(w http.ResponseWriter, r *http.Request) {
	rows, err := a.rows(r.Context(), a.signIn(w, r))
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if err == nil {
		err = page.Execute(w, map[string]any{"ConnectURL": a.connectURL, "Rows": rows})
	}
	if err != nil {
		a.log.Error("page", "error", err)
		http.Error(w, "The page cannot be shown at the moment.", http.StatusInternalServerError)
	}
}

// rows returns the user's attempts for the page.
func (a *app) rows(ctx context.Context, user string) (rows []row, err error) {
	attempts, err := a.store.list(ctx, user)
	for _, t := range attempts {
		rows = append(rows, row{t, t.status(a.now())})
	}
	return rows, err
}
