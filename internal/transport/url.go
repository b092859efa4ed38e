package transport

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"unicode"
)

// ParseURL parses the URL of a server, and refuses one that must not carry a secret or cannot be a base.
// name says in the error which URL is meant; the error never repeats what may be a password.
func ParseURL(name, raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		if ue := (*url.Error)(nil); errors.As(err, &ue) {
			err = ue.Err // without the URL itself
		}
		if strings.Contains(raw, "@") { // what cannot be read may be part of a password
			return nil, fmt.Errorf("%s: not a URL, or one with a user name or password, which it must not hold", name)
		}
		return nil, fmt.Errorf("%s: %w; want something like https://api.moneykit.com", name, err)
	}
	switch {
	case u.Host == "" || u.Hostname() == "":
		return nil, fmt.Errorf("%s: no host; want something like https://api.moneykit.com", name)
	case strings.ContainsFunc(u.Host, func(r rune) bool { return !unicode.IsPrint(r) }):
		return nil, fmt.Errorf("%s: the host has a character that cannot be seen", name)
	case u.User != nil:
		return nil, fmt.Errorf("%s: it must not hold a user name or password", name)
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, fmt.Errorf("%s: it must not hold a query or a fragment", name)
	}
	if err := CheckScheme(u); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return u, nil
}

// CheckScheme refuses a URL over which a secret would travel in the clear: https is required, but http will do
// where the host is this machine.
func CheckScheme(u *url.URL) error {
	if u == nil {
		return errors.New("there is no URL")
	}
	switch u.Scheme {
	case "https":
		return nil
	case "http":
		if isLoopback(u.Hostname()) {
			return nil
		}
		return fmt.Errorf("http to %s would send secrets in the clear; use https (http is for loopback hosts only)", u.Host)
	default:
		return fmt.Errorf("its scheme is %q; want https", u.Scheme)
	}
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") { // and no name below it: DNS, or an HTTP proxy, may take that elsewhere
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// Place returns what an error may show of a URL: host and path.
func Place(u *url.URL) string { return u.Host + u.EscapedPath() }
