package main

import (
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"

	"github.com/moneykit/moneykit-go/sandbox"
)

// announce prints where the sandbox is and its credentials to stdout, and what to do with them to stderr. certFile is
// empty without TLS.
func announce(addr *net.TCPAddr, box *sandbox.Sandbox, certFile string, stdout, stderr io.Writer) {
	host := addr.IP.String()
	if !addr.IP.IsLoopback() {
		fmt.Fprintf(stderr, "moneykit-sandbox: listening on %v: other machines may reach it\n", addr)
	}
	if addr.IP.IsUnspecified() {
		host = "127.0.0.1"
	}
	scheme, curl := "http", "curl -sS"
	if certFile != "" {
		scheme, curl = "https", `curl -sS --cacert "$MONEYKIT_CA_FILE"`
	}
	lines := fmt.Sprintf("# The MoneyKit sandbox is up; Ctrl-C ends it. Copy these lines:\nexport MONEYKIT_URL=%s\nexport MONEYKIT_CLIENT_ID=%s\nexport MONEYKIT_CLIENT_SECRET=%s\n",
		scheme+"://"+net.JoinHostPort(host, fmt.Sprint(addr.Port)), quote(box.ClientID), quote(box.ClientSecret))
	if certFile != "" {
		lines += "export MONEYKIT_CA_FILE=" + quote(certFile) + "\n"
	}
	fmt.Fprint(stdout, lines)
	fmt.Fprint(stderr, strings.ReplaceAll(`moneykit-sandbox: in another terminal, copy the export lines, then try:
  token=$(CURL "$MONEYKIT_URL/auth/token" -d grant_type=client_credentials --data-urlencode "client_id=$MONEYKIT_CLIENT_ID" --data-urlencode "client_secret=$MONEYKIT_CLIENT_SECRET" | sed 's/.*"access_token": *"\([^"]*\).*/\1/')
  session=$(CURL "$MONEYKIT_URL/link-session" -H "Authorization: Bearer $token" -H 'Content-Type: application/json' -d '{"customer_user": {"id": "user-42"}, "redirect_uri": "http://localhost:8080/oauth.html"}' | sed 's/.*"link_session_token": *"\([^"]*\).*/\1/')
  CURL "$MONEYKIT_URL/sandbox/complete" -H 'Content-Type: application/json' -d "{\"link_session_token\": \"$session\"}"
`, "CURL", curl))
}

// plain is a value that a shell takes as it is.
var plain = regexp.MustCompile(`^[\w.:/@%+=-]+$`)

// quote quotes a value for a shell where it needs it.
func quote(value string) string {
	if plain.MatchString(value) {
		return value
	}
	return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
}
