// Package origin compares the origins of URLs: scheme://host[:port].
package origin

import (
	"net"
	"net/url"
	"strings"
)

// Of returns the origin of a URL in lower case and without the scheme's default port. It returns "" if rawURL is not
// an absolute URL.
func Of(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil || u.Scheme == "" || u.Host == "" {
		return ""
	}
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	switch scheme {
	case "http":
		host = strings.TrimSuffix(host, ":80")
	case "https":
		host = strings.TrimSuffix(host, ":443")
	}
	return scheme + "://" + host
}

// IsLoopback reports whether an origin is http or https on this machine, on any port.
func IsLoopback(origin string) bool {
	u, err := url.Parse(origin)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && IsLoopbackHost(u.Hostname())
}

// IsLoopbackHost reports whether a host name or IP address, without a port, is this machine.
func IsLoopbackHost(host string) bool {
	return strings.EqualFold(host, "localhost") || net.ParseIP(host).IsLoopback()
}
