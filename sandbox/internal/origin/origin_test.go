package origin

import "testing"

func TestOf(t *testing.T) {
	t.Parallel()
	for rawURL, want := range map[string]string{
		"https://App.example/a?b#c":   "https://app.example",
		"HTTPS://app.example:443":     "https://app.example",
		"http://app.example:80/":      "http://app.example",
		"http://app.example:443/":     "http://app.example:443",
		"https://app.example:80/":     "https://app.example:80",
		"https://me@app.example/":     "https://app.example",
		"http://[::1]:3000/x":         "http://[::1]:3000",
		"myapp://callback/done":       "myapp://callback",
		"app.example":                 "",
		"/path":                       "",
		"mailto:me@app.example":       "",
		"https://":                    "",
		"%":                           "",
		"https://app.example:x/":      "",
		"https://localhost.evil.test": "https://localhost.evil.test",
	} {
		if got := Of(rawURL); got != want {
			t.Errorf("%s: %q, want %q", rawURL, got, want)
		}
	}
}

func TestIsLoopback(t *testing.T) {
	t.Parallel()
	for origin, want := range map[string]bool{
		"http://localhost": true, "https://LOCALHOST:3000": true, "http://127.0.0.1:1": true, "http://127.1.2.3": true, "http://[::1]:3000": true,
		"ftp://localhost": false, "http://localhost.evil.test": false, "http://10.0.0.1": false, "http://127.0.0.1.evil.test": false, "": false, "localhost": false,
	} {
		if got := IsLoopback(origin); got != want {
			t.Errorf("%s: %v, want %v", origin, got, want)
		}
	}
}
