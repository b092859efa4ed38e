package pipe

import (
	"io"
	"testing"
	"time"
)

// A Timeouts is what a server must have. All are times after which it closes a connection.
type Timeouts struct{ Header, Body, Idle time.Duration }

// CheckTimeouts checks, in a synctest bubble, when the server behind a listener closes the connections of slow clients.
func CheckTimeouts(t *testing.T, l *Listener, want Timeouts) {
	t.Helper()
	for _, test := range []struct {
		what, sent string
		want       time.Duration
	}{
		{"a slow header", "POST /sandbox/reset HTTP/1.1\r\nHost: localh", want.Header},
		{"a slow body", "POST /sandbox/complete HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{", want.Body},
		{"an idle connection", "GET /sandbox/links HTTP/1.1\r\nHost: localhost\r\n\r\n", want.Idle},
	} {
		conn, err := l.Dial()
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if _, err := io.WriteString(conn, test.sent); err != nil {
			t.Fatal(err)
		}
		if err := conn.SetReadDeadline(start.Add(time.Hour)); err != nil { // or else the bubble would be stuck
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, conn) // the error is the deadline or that the connection is closed
		// From Go 1.27 on, net/http may wait half a second for the client before it closes a connection.
		if got := time.Since(start); got != test.want && got != test.want+500*time.Millisecond {
			t.Errorf("%s: the connection was closed after %v, want %v", test.what, got, test.want)
		}
		conn.Close()
	}
}
