package main

import (
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

func (a *app) servePage(w http.ResponseWriter, r *http.Request) {
	links, err := a.store.list(r.Context(), signIn(w, r))
	a.render(w, "page.html", map[string]any{"ConnectURL": a.connectURL, "Links": links}, err)
}

// serveLinks serves the page's list, for when it has changed.
func (a *app) serveLinks(w http.ResponseWriter, r *http.Request) {
	links, err := a.store.list(r.Context(), signIn(w, r))
	a.render(w, "links", links, err)
}

func (a *app) render(w http.ResponseWriter, name string, data any, err error) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if err == nil {
		err = page.ExecuteTemplate(w, name, data)
	}
	if err != nil {
		a.log.Error("page", "error", err)
		http.Error(w, "The page cannot be shown at the moment.", http.StatusInternalServerError)
	}
}
