package transport

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"unicode"
)

// ParseURL parses the URL of a server. It rejects a URL that must not carry a secret or cannot be a base URL. The error
// names the URL by name and never repeats what may be a password. See CheckScheme for insecureHTTP.
func ParseURL(name, raw string, insecureHTTP bool) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		if ue := (*url.Error)(nil); errors.As(err, &ue) {
			err = ue.Err // without the URL, whose query may be secret
		}
		if strings.Contains(raw, "@") { // the cause may quote part of a password
			return nil, fmt.Errorf("%s: not a URL, or one with a user name or password, which it must not contain", name)
		}
		return nil, fmt.Errorf("%s: %w; want something like https://api.moneykit.com", name, err)
	}
	switch {
	case u.Hostname() == "":
		return nil, fmt.Errorf("%s: no host; want something like https://api.moneykit.com", name)
	case strings.ContainsFunc(u.Host, func(r rune) bool { return !unicode.IsPrint(r) }):
		return nil, fmt.Errorf("%s: the host contains a character that is not printable", name)
	case u.User != nil:
		return nil, fmt.Errorf("%s: it must not contain a user name or password", name)
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, fmt.Errorf("%s: it must not contain a query or a fragment", name)
	}
	if err := CheckScheme(u, insecureHTTP); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return u, nil
}

// CheckScheme returns an error for a URL over which a secret would travel unencrypted: https is required, and http is
// allowed where the host is loopback, or any host with insecureHTTP.
func CheckScheme(u *url.URL, insecureHTTP bool) error {
	if u == nil {
		return errors.New("there is no URL")
	}
	switch u.Scheme {
	case "https":
		return nil
	case "http":
		if insecureHTTP || isLoopback(u.Hostname()) {
			return nil
		}
		return fmt.Errorf("http to %s would send secrets unencrypted; use https (http is for loopback hosts, or with WithInsecureHTTP, MONEYKIT_INSECURE_HTTP=1, for a sandbox)", u.Host)
	default:
		return fmt.Errorf("its scheme is %q; want https", u.Scheme)
	}
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") { // but not *.localhost, which DNS or a proxy may resolve to another machine
		return true
	}
	addr, _ := netip.ParseAddr(host) // an error: the zero Addr, which is not loopback
	return addr.IsLoopback()
}

// HostPath returns the part of a URL that may be printed: host and path.
func HostPath(u *url.URL) string { return u.Host + u.EscapedPath() }
