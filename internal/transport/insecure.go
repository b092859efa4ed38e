package transport

import (
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"sync"
)

// warned are the hosts that AllowInsecureHTTP has logged. It is shared, because api and auth would log the same host.
var warned sync.Map

// AllowInsecureHTTP is called by a constructor that was given WithInsecureHTTP. It returns an error for the credentials
// of MoneyKit's live environment, and otherwise logs a warning if u is http, once for each host. A nil logger is
// slog.Default().
func AllowInsecureHTTP(u *url.URL, clientID string, logger *slog.Logger) error {
	if strings.HasPrefix(clientID, "live_") {
		return errors.New("WithInsecureHTTP: the client ID begins with live_; the credentials of the live environment must not be sent unencrypted")
	}
	if u.Scheme != "http" {
		return nil
	}
	if _, logged := warned.LoadOrStore(u.Host, nil); logged {
		return nil
	}
	if logger == nil {
		logger = slog.Default()
	}
	logger.Warn("moneykit: WithInsecureHTTP allows http: credentials and tokens can be read on the way", "host", u.Host)
	return nil
}
