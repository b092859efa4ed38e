package webhooks

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/moneykit/moneykit-go/sandbox/internal/origin"
)

// Timeout is for one attempt to send an event.
const Timeout = 10 * time.Second

// placeholders are hosts of published examples. Nobody who uses one of them expects a request there.
var placeholders = []string{"yourdomain.com", "example.com", "example.net", "example.org", "example", "invalid"}

// CheckHost returns an error if events must not be sent to a URL's host. A nil allowed allows every host but those of
// published examples; otherwise only loopback hosts and those in allowed are.
func CheckHost(host string, allowed []string) error {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	named := contains(allowed, host)
	for _, p := range placeholders {
		if !named && (host == p || strings.HasSuffix(host, "."+p)) {
			return fmt.Errorf("not sent: %s is a host of examples", host)
		}
	}
	if allowed == nil || named || origin.IsLoopbackHost(host) {
		return nil
	}
	return fmt.Errorf("not sent: %s is neither a loopback host nor allowed by -webhook-host", host)
}

// NewClient returns a client that follows no redirect and uses no proxy. Unless allowed is nil, it connects to loopback
// addresses only, and to the hosts in allowed: a name that resolves to another address is no way around it.
func NewClient(allowed []string) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil
	if allowed != nil {
		transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			dialer := net.Dialer{Timeout: Timeout}
			if host, _, err := net.SplitHostPort(address); err != nil || !contains(allowed, host) {
				dialer.Control = loopbackOnly
			}
			return dialer.DialContext(ctx, network, address)
		}
	}
	return &http.Client{
		Transport:     transport,
		Timeout:       Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func contains(hosts []string, host string) bool {
	return slices.ContainsFunc(hosts, func(h string) bool { return strings.EqualFold(h, host) })
}

func loopbackOnly(_, address string, _ syscall.RawConn) error {
	if addr, err := netip.ParseAddrPort(address); err != nil || !addr.Addr().Unmap().IsLoopback() {
		return errors.New("not a loopback address")
	}
	return nil
}
