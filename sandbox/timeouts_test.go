package sandbox

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moneykit/moneykit-go/sandbox/internal/pipe"
	"github.com/moneykit/moneykit-go/sandbox/internal/server"
)

// A bubbleTB is a test whose cleanups run within a synctest bubble.
type bubbleTB struct {
	*testing.T
	cleanup func()
}

func (b *bubbleTB) Cleanup(f func()) { b.cleanup = f }

// A started sandbox does not wait for slow clients.
func TestStartTimeouts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tb, listener := &bubbleTB{T: t}, pipe.Listen()
		start(tb, listener, nil)
		pipe.CheckTimeouts(t, listener, pipe.Timeouts{Header: server.ReadHeaderTimeout, Body: server.ReadTimeout, Idle: server.IdleTimeout})
		listener.Close()
		tb.cleanup()
	})
}

// A scripted delay may be longer than the server's timeouts.
func TestDelayBeyondTheTimeouts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tb, listener := &bubbleTB{T: t}, pipe.Listen()
		srv := start(tb, listener, nil)
		srv.Fail(Token, 1, Fault{Delay: time.Hour, Status: 503, Body: "late"})
		conn, err := listener.Dial()
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		fmt.Fprint(conn, "POST /auth/token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != 503 || string(body) != "late" || time.Since(begin) != time.Hour {
			t.Errorf("%v, %d %s after %v", err, res.StatusCode, body, time.Since(begin))
		}
		conn.Close()
		listener.Close()
		tb.cleanup()
	})
}
