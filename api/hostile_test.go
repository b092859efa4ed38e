package api_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf16"

	"github.com/moneykit/moneykit-go/api"
	"github.com/moneykit/moneykit-go/auth"
	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/internal/secrettest"
)

// A want is the exact outcome of one call.
type want struct {
	ok       bool
	status   int     // of the response that decided: of the operation, or of the token endpoint where that is under attack
	code     string  // its error_code
	is       []error // all sentinels that errors.Is finds; it must find no other
	attempts int     // requests that arrive where the attack is
	lasting  bool    // token endpoint only: asking again later would not help
	cause    error   // something else that errors.Is finds
}

// wants are the outcomes of the three attacks of a row: on each operation, with a token from an endpoint that works,
// and on the token endpoint.
type wants struct{ create, exchange, token want }

const (
	attempts = 3       // of the policy under test
	maxBody  = 1 << 17 // of the client under test
)

// ok: a success all the same.
func ok(status int) wants {
	w := want{ok: true, status: status, attempts: 1}
	return wants{w, w, w}
}

// notSent: the request never went out, so both operations are repeated.
func notSent(cause error) wants {
	w := want{attempts: attempts, cause: cause}
	return wants{w, w, want{attempts: 1, cause: cause}}
}

// noResponse: the request went out, and no response came.
func noResponse(cause error) wants {
	return wants{
		create:   want{attempts: attempts, cause: cause},
		exchange: want{attempts: 1, cause: cause, is: []error{api.ErrOutcomeUnknown}},
		token:    want{attempts: 1, cause: cause},
	}
}

// brokenOff: a response with this status began, and did not end.
func brokenOff(status int, cause error) wants {
	w := noResponse(cause)
	w.create.status, w.exchange.status, w.token.status = status, status, status
	return w
}

// unreadable: a success that cannot be read.
func unreadable(status int) wants {
	return wants{
		create:   want{status: status, attempts: 1},
		exchange: want{status: status, attempts: 1, is: []error{api.ErrOutcomeUnknown}},
		token:    want{status: status, attempts: 1, lasting: true},
	}
}

// refused: a response which says that the call was not processed, and that a repeat would be refused too.
func refused(status int, is ...error) wants {
	w := want{status: status, attempts: 1, is: is}
	return wants{w, w, want{status: status, attempts: 1, is: is, lasting: true}}
}

// busy: a response which says that the call was not processed, and that a repeat may help.
func busy(status int, is ...error) wants {
	w := want{status: status, attempts: attempts, is: is}
	return wants{w, w, want{status: status, attempts: 1, is: is}}
}

// failing: a response which leaves open whether the call was processed, and a repeat may help.
func failing(status int) wants {
	return brokenOff(status, nil)
}

// broken: a response which leaves open whether the call was processed, and a repeat would hardly help.
func broken(status int) wants {
	w := unreadable(status)
	w.token.lasting = status < 500
	return w
}

// unavailable: a 503, which is retried although it leaves open whether an exchange was processed.
func unavailable() wants {
	w := busy(503)
	w.exchange.is = []error{api.ErrOutcomeUnknown}
	return w
}

// linkKept: the link_id can be read, so the exchange is a success.
func (w wants) linkKept() wants {
	w.exchange = ok(201).exchange
	return w
}

// complete: all of the JSON arrived, so both operations are a success.
func (w wants) complete() wants {
	w.create = ok(201).create
	return w.linkKept()
}

// withCode is for a response whose error_code can be read.
func (w wants) withCode(code string, is ...error) wants {
	for _, v := range []*want{&w.create, &w.exchange, &w.token} {
		v.code, v.is = code, is
	}
	return w
}

type hostileRow struct {
	name    string
	fault   func(*hostileConn)
	want    wants
	timeout time.Duration // of an attempt, for faults that end with nothing else; the row runs in a bubble
	early   bool          // the fault comes before a request is read, so that connections are counted instead
}

const (
	short = time.Second

	errInvalidExchange = `{"error_code":"link_session_error.invalid_token_exchange","error_message":"used","documentation_url":null}`
)

func hostileRows() []hostileRow {
	var rows []hostileRow
	add := func(name string, fault func(*hostileConn), want wants) *hostileRow {
		rows = append(rows, hostileRow{name: name, fault: fault, want: want})
		return &rows[len(rows)-1]
	}
	slow := func(name string, fault func(*hostileConn), want wants) { add(name, fault, want).timeout = short }
	early := func(name string, fault func(*hostileConn), want wants) { add(name, fault, want).early = true }

	// Too much, too slow.
	const chunked = "HTTP/1.1 201 Created\r\n" + jsonType + "Transfer-Encoding: chunked\r\n\r\n"
	add("endless body", afterRequest(func(c *hostileConn, _ hostileRequest) {
		c.write(chunked)
		c.forever("4000\r\n" + strings.Repeat(" ", 0x4000) + "\r\n")
	}), unreadable(201))
	add("endless body of declared length", afterRequest(func(c *hostileConn, _ hostileRequest) {
		c.write("HTTP/1.1 201 Created\r\n" + jsonType + "Content-Length: 9223372036854775807\r\n\r\n")
		c.forever(strings.Repeat(" ", 0x4000))
	}), unreadable(201))
	add("endless error body", afterRequest(func(c *hostileConn, _ hostileRequest) {
		c.write("HTTP/1.1 400 Bad Request\r\n\r\n")
		c.forever(strings.Repeat("x", 0x4000))
	}), refused(400))
	bomb := gzipped(strings.Repeat(" ", 8<<20))
	add("gzip bomb", statusOf("201 Created", jsonType+"Content-Encoding: gzip\r\n", bomb), unreadable(201))
	add("gzip bomb as an error", statusOf("500 Oops", "Content-Encoding: gzip\r\n", bomb), broken(500))
	slow("slow drip of a body", inResponse(func(c *hostileConn, good string) {
		c.write(fmt.Sprintf("HTTP/1.1 201 Created\r\n"+jsonType+"Content-Length: %d\r\n\r\n%s", len(good), good[:10]))
		c.slowly(good[10 : len(good)-1])
	}), brokenOff(201, context.DeadlineExceeded).linkKept())
	slow("slow drip of a header", afterRequest(func(c *hostileConn, _ hostileRequest) {
		c.slowly("HTTP/1.1 201 Created\r\nX-Slow: 1")
	}), noResponse(context.DeadlineExceeded))
	slow("no response", afterRequest(func(c *hostileConn, _ hostileRequest) { c.untilGone() }), noResponse(context.DeadlineExceeded))
	slow("error body that never comes", afterRequest(func(c *hostileConn, _ hostileRequest) {
		c.write("HTTP/1.1 400 Bad Request\r\nContent-Length: 10\r\n\r\n")
		c.untilGone()
	}), refused(400))

	// Lengths that lie.
	add("length too long", inResponse(func(c *hostileConn, good string) {
		c.write(fmt.Sprintf("HTTP/1.1 201 Created\r\n"+jsonType+"Content-Length: %d\r\n\r\n%s", len(good)+1, good))
	}), brokenOff(201, io.ErrUnexpectedEOF).complete())
	add("length too short", inResponse(func(c *hostileConn, good string) {
		c.write(fmt.Sprintf("HTTP/1.1 201 Created\r\n"+jsonType+"Content-Length: %d\r\n\r\n%s", len(good)-1, good))
	}), unreadable(201).linkKept())
	add("error length too long", bytesOf("HTTP/1.1 403 Forbidden\r\nContent-Length: 100\r\n\r\nshort"), refused(403))
	add("no length, cut", inResponse(func(c *hostileConn, good string) {
		c.write("HTTP/1.0 201 Created\r\n" + jsonType + "\r\n" + good[:len(good)/2])
	}), unreadable(201).linkKept())
	add("no length, whole", inResponse(func(c *hostileConn, good string) {
		c.write("HTTP/1.0 201 Created\r\n" + jsonType + "\r\n" + good)
	}), ok(201))
	add("two lengths", bytesOf("HTTP/1.1 201 Created\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} "), noResponse(nil))
	add("negative length", bytesOf("HTTP/1.1 201 Created\r\nContent-Length: -1\r\n\r\n{}"), noResponse(nil))
	add("length that is no number", bytesOf("HTTP/1.1 201 Created\r\nContent-Length: many\r\n\r\n{}"), noResponse(nil))
	add("length past 64 bits", bytesOf("HTTP/1.1 201 Created\r\nContent-Length: 99999999999999999999\r\n\r\n{}"), noResponse(nil))
	add("unknown transfer encoding", bytesOf("HTTP/1.1 201 Created\r\nTransfer-Encoding: pigeon\r\n\r\n{}"), noResponse(nil))
	add("chunks that never end", afterRequest(func(c *hostileConn, r hostileRequest) {
		good := c.server.good(r.path)
		c.write(fmt.Sprintf("%s%x\r\n%s\r\n", chunked, len(good), good))
	}), brokenOff(201, io.ErrUnexpectedEOF).complete())
	add("chunk length that is no number", bytesOf(chunked+"zz\r\n{}\r\n0\r\n\r\n"), brokenOff(201, nil))
	add("chunk length past 64 bits", bytesOf(chunked+"ffffffffffffffffff\r\n{}\r\n0\r\n\r\n"), brokenOff(201, nil))
	add("chunk without its end", bytesOf(chunked+"2\r\n{}}}0\r\n\r\n"), brokenOff(201, nil))

	// Connections that break.
	early("reset within the request", func(c *hostileConn) {
		if _, err := c.in.Discard(10); err == nil { // a client that has sent nothing knows that nothing was processed
			c.reset()
		}
	}, noResponse(nil))
	early("closed within the request", func(c *hostileConn) { _, _ = c.in.Discard(10) }, noResponse(nil))
	add("reset before the header", afterRequest(func(c *hostileConn, _ hostileRequest) { c.reset() }), noResponse(syscall.ECONNRESET))
	add("closed before the header", bytesOf(""), noResponse(io.EOF))
	add("closed within the status line", bytesOf("HTTP/1.1 20"), noResponse(nil))
	add("closed within the header", bytesOf("HTTP/1.1 201 Created\r\nContent-Type: appl"), noResponse(io.ErrUnexpectedEOF))
	add("reset within the header", afterRequest(func(c *hostileConn, _ hostileRequest) {
		c.write("HTTP/1.1 201 Created\r\nContent-Type: appl")
		c.reset()
	}), noResponse(nil))
	add("closed within the body", inResponse(func(c *hostileConn, good string) {
		c.write(fmt.Sprintf("HTTP/1.1 201 Created\r\n"+jsonType+"Content-Length: %d\r\n\r\n%s", len(good), good[:len(good)/2]))
	}), brokenOff(201, io.ErrUnexpectedEOF).linkKept())
	add("closed before the body", bytesOf("HTTP/1.1 201 Created\r\nContent-Length: 50\r\n\r\n"), brokenOff(201, io.ErrUnexpectedEOF))
	add("half-closed before the header", afterRequest(func(c *hostileConn, _ hostileRequest) {
		_ = c.tcp.CloseWrite()
		c.untilGone()
	}), noResponse(io.EOF))
	add("half-closed within the body", inResponse(func(c *hostileConn, good string) {
		c.write(fmt.Sprintf("HTTP/1.1 201 Created\r\n"+jsonType+"Content-Length: %d\r\n\r\n%s", len(good), good[:len(good)/2]))
		_ = c.tcp.CloseWrite()
		c.untilGone()
	}), brokenOff(201, io.ErrUnexpectedEOF).linkKept())

	// Something that is not HTTP.
	for name, garbage := range map[string]string{
		"random bytes":        "\x00\xff\x13\x37\x00\x00\r\n\r\n" + strings.Repeat("\xde\xad", 50),
		"SSH":                 "SSH-2.0-OpenSSH_9.9\r\n",
		"SMTP":                "220 mail.example.com ESMTP\r\n",
		"JSON without HTTP":   `{"link_session_token":"t","access_token":"t"}` + "\n",
		"HTTP/0.9":            "<html>hello</html>\n",
		"HTTP/2 preface":      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"a TLS alert":         "\x15\x03\x03\x00\x02\x02\x28",
		"HTTP version 9":      "HTTP/9.9.9 201 Created\r\n\r\n",
		"two-digit status":    "HTTP/1.1 20 Created\r\n\r\n",
		"negative status":     "HTTP/1.1 -01 Created\r\n\r\n",
		"header with no name": "HTTP/1.1 201 Created\r\n: x\r\n\r\n",
		"header with NUL":     "HTTP/1.1 201 Created\r\nX-\x00: x\r\n\r\n",
		"header with DEL":     "HTTP/1.1 307 Go\r\nLocation: \x7f\r\n\r\n",
		"header with no end":  "HTTP/1.1 201 Created\r\nX-A",
	} {
		add("garbage: "+name, bytesOf(garbage), noResponse(nil))
	}

	// Statuses that are no final response.
	add("some 1xx, then the response", inResponse(func(c *hostileConn, good string) {
		c.write(strings.Repeat("HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", 50))
		asJSON(c, good)
	}), ok(201))
	add("endless 1xx", afterRequest(func(c *hostileConn, _ hostileRequest) {
		c.forever(strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </"+strings.Repeat("x", 1000)+">\r\n\r\n", 16))
	}), noResponse(nil))
	add("1xx, then closed", bytesOf("HTTP/1.1 100 Continue\r\n\r\n"), noResponse(nil))
	add("switching protocols", afterRequest(func(c *hostileConn, _ hostileRequest) {
		c.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		c.untilGone()
	}), unreadable(101))
	for _, status := range []string{"000 Zero", "099 Early"} {
		add("status "+status, statusOf(status, "", "{}"), unreadable(int(status[1]-'0')*10+int(status[2]-'0')))
	}

	// Successes that are odd.
	for _, status := range []string{"200 OK", "202 Accepted", "299 Fine"} {
		add("status "+status+" with the right body", inResponse(func(c *hostileConn, good string) {
			c.respond(status, jsonType, good)
		}), ok(int(status[0]-'0')*100+int(status[1]-'0')*10+int(status[2]-'0')))
	}
	add("204", bytesOf("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"), unreadable(204))
	add("205", statusOf("205 Reset Content", "", ""), unreadable(205))
	add("201 with no body", statusOf("201 Created", jsonType, ""), unreadable(201))
	add("200 with no body", statusOf("200 OK", "", ""), unreadable(200))
	add("HTML as JSON", statusOf("201 Created", jsonType, "<!doctype html><title>It works!</title>"), unreadable(201))
	add("JSON as text", inResponse(func(c *hostileConn, good string) {
		c.respond("201 Created", "Content-Type: text/plain; charset=utf-8\r\n", good)
	}), ok(201))
	add("JSON as HTML", inResponse(func(c *hostileConn, good string) { c.respond("201 Created", "Content-Type: text/html\r\n", good) }), ok(201))
	add("JSON as a form", inResponse(func(c *hostileConn, good string) {
		c.respond("201 Created", "Content-Type: application/x-www-form-urlencoded\r\n", good)
	}), ok(201))
	add("JSON of no type", inResponse(func(c *hostileConn, good string) { c.respond("201 Created", "", good) }), ok(201))
	add("JSON of an impossible type", inResponse(func(c *hostileConn, good string) { c.respond("201 Created", "Content-Type: ;;/\r\n", good) }), ok(201))
	add("gzip of the right body", inResponse(func(c *hostileConn, good string) {
		c.respond("201 Created", jsonType+"Content-Encoding: gzip\r\n", gzipped(good))
	}), ok(201))
	add("gzip that is none", inResponse(func(c *hostileConn, good string) {
		c.respond("201 Created", jsonType+"Content-Encoding: gzip\r\n", good)
	}), brokenOff(201, gzip.ErrHeader))
	add("gzip that is cut", inResponse(func(c *hostileConn, good string) {
		z := gzipped(good)
		c.respond("201 Created", jsonType+"Content-Encoding: gzip\r\n", z[:len(z)-10])
	}), brokenOff(201, io.ErrUnexpectedEOF).complete())
	add("brotli that is none", inResponse(func(c *hostileConn, good string) {
		c.respond("201 Created", jsonType+"Content-Encoding: br\r\n", good)
	}), ok(201))
	add("BOM", inResponse(func(c *hostileConn, good string) { asJSON(c, "\ufeff"+good) }), ok(201))
	add("UTF-16", inResponse(func(c *hostileConn, good string) { asJSON(c, utf16le("\ufeff"+good)) }), unreadable(201))
	add("bytes that are not UTF-8", inResponse(func(c *hostileConn, good string) { asJSON(c, strings.Replace(good, "{", "{\"x\":\"\xff\xfe\",", 1)) }), ok(201))
	add("deep nesting", inResponse(func(c *hostileConn, good string) {
		asJSON(c, strings.Replace(good, "{", `{"x":`+strings.Repeat("[", 12_000)+strings.Repeat("]", 12_000)+",", 1))
	}), unreadable(201))
	add("nesting without end", statusOf("201 Created", jsonType, strings.Repeat(`{"link":`, 12_000)), unreadable(201))
	add("duplicate keys", inResponse(func(c *hostileConn, good string) {
		first := `{"link_session_token":"first","link_id":"first","access_token":"first","token_type":"first",`
		asJSON(c, first+strings.TrimPrefix(good, "{")) // the last one counts
	}), ok(201))
	add("unknown keys", inResponse(func(c *hostileConn, good string) { asJSON(c, strings.Replace(good, "{", `{"x":[{}],"":null,`, 1)) }), ok(201))
	add("white space around", inResponse(func(c *hostileConn, good string) { asJSON(c, " \r\n\t"+good+"\n\n") }), ok(201))
	for _, after := range []string{"{}", "<script src=/ads.js></script>", "\x00\x00", "}"} {
		add(fmt.Sprintf("%q after the right body", after), inResponse(func(c *hostileConn, good string) { asJSON(c, good+after) }), unreadable(201).linkKept())
	}
	// Fields of another type are left empty.
	for _, odd := range []string{
		`"last_synced_at":"yesterday"`, `"last_synced_at":1676538851`, `"link_tags":"none"`, `"state":7`, `"provider":{}`,
		`"products":[]`, `"products":{"accounts":{"refreshed_at":"16.02.2023"}}`, `"available_products":"all"`, `"error_code":[]`, `"webhook":false`,
	} { // before and after the fields that matter
		add("a link with "+odd, inResponse(func(c *hostileConn, good string) {
			good = strings.Replace(good, `"link":{`, `"link":{`+odd+`,`, 1)
			asJSON(c, strings.Replace(good, `"products":{}`, odd, 1))
		}), ok(201))
	}
	for _, tt := range []struct {
		old, new string
		want     wants
	}{
		{`{"link_id":"`, `{"link_id":null,"x":"`, ok(201)}, // the deprecated one
		{`"link":{`, `"link":{},"link":{`, ok(201)},
		{`{"link_id":"`, `{"link_id":5,"x":"`, ok(201)},
		{`"link":{`, `"link":7,"y":{`, ok(201)},
		{`"link":{"link_id"`, `"link":{"id"`, ok(201)},
	} {
		add("a link with "+tt.new, inResponse(func(c *hostileConn, good string) {
			if strings.Contains(good, `"link":`) {
				good = strings.Replace(good, tt.old, tt.new, 1)
			}
			asJSON(c, good)
		}), tt.want)
	}
	for _, body := range []string{
		`null`, `{}`, `[]`, `""`, `0`, `true`, `{`, `NaN`, `'`,
		`{"link_session_token":null,"link_id":null,"link":null,"access_token":null,"token_type":"bearer"}`,
		`{"link_session_token":"","link_id":"","link":{"link_id":""},"access_token":""}`,
		`{"link_session_token":5,"link_id":5,"link":{"link_id":5},"access_token":5}`,
		`{"link_session_token":{},"link_id":[],"link":"mk_1","access_token":["t"]}`,
	} {
		add("body "+body, statusOf("201 Created", jsonType, body), unreadable(201))
	}
	megabyte := "X-Big: " + strings.Repeat("x", 1<<20) + "\r\n"
	add("megabyte header", inResponse(func(c *hostileConn, good string) { c.respond("201 Created", jsonType+megabyte, good) }), ok(201))
	add("a thousand header fields", inResponse(func(c *hostileConn, good string) {
		c.respond("201 Created", jsonType+strings.Repeat("X-Many: x\r\n", 1000), good)
	}), ok(201))
	add("megabytes of header", afterRequest(func(c *hostileConn, _ hostileRequest) {
		c.write("HTTP/1.1 201 Created\r\n" + megabyte + megabyte + megabyte)
	}), noResponse(nil))
	add("endless header", afterRequest(func(c *hostileConn, _ hostileRequest) {
		c.write("HTTP/1.1 201 Created\r\n")
		c.forever("X-Endless: " + strings.Repeat("x", 1<<20) + "\r\n")
	}), noResponse(nil))
	add("bare line feeds and folded fields", inResponse(func(c *hostileConn, good string) {
		c.write(fmt.Sprintf("HTTP/1.1 201\nConnection: close\nX-Folded: a\n b\nContent-Length: %d\n\n%s", len(good), good))
	}), ok(201))

	// Errors with odd bodies. The status decides.
	html := "<html><body><h1>Access denied</h1></body></html>"
	for status, want := range map[string]wants{
		"400 Bad Request":        refused(400),
		"401 Unauthorized":       refused(401, api.ErrUnauthorized), // there is no other token
		"402 Payment Required":   refused(402),
		"403 Forbidden":          refused(403),
		"404 Not Found":          refused(404),
		"405 Method Not Allowed": refused(405),
		"407 Proxy":              refused(407),
		"408 Request Timeout":    refused(408),
		"413 Too Large":          refused(413),
		"422 Unprocessable":      refused(422, api.ErrValidation),
		"429 Too Many":           busy(429, api.ErrRateLimited),
		"499 Client Closed":      refused(499),
		"500 Internal":           broken(500),
		"501 Not Implemented":    broken(501),
		"502 Bad Gateway":        failing(502),
		"503 Unavailable":        unavailable(),
		"504 Gateway Timeout":    failing(504),
		"505 Version":            broken(505),
		"520 Unknown":            broken(520),
		"599 Timeout":            broken(599),
		"600 Beyond":             broken(600),
		"999 Denied":             broken(999),
	} {
		add("status "+status+" with HTML", statusOf(status, "Content-Type: text/html\r\n", html), want)
		add("status "+status+" with HTML as JSON", statusOf(status, jsonType, html), want)
		add("status "+status+" with nothing", statusOf(status, "", ""), want)
	}
	for _, after := range []string{"0", " 0 ", "Fri, 01 Jan 1999 00:00:00 GMT"} {
		add("503 to be repeated after "+after, statusOf("503 Unavailable", "Retry-After: "+after+"\r\n", html), unavailable())
	}
	for _, after := range []string{"", "soon", "-1", "NaN", "Inf", "1.5", "0x10", "1e3", "99999999999999999999", "-99999999999999999999", "Fri, 99 Foo 2026"} {
		add("503 to be repeated after "+after, statusOf("503 Unavailable", "Retry-After: "+after+"\r\n", html), unavailable())
	}
	for name, body := range map[string]string{
		"null": `null`, "array": `[]`, "number": `0`, "string": `"link_session_error.invalid_token_exchange"`,
		"null fields": `{"error_code":null,"error_message":null}`, "no fields": `{}`, "wrong type": `{"error_code":7}`,
		"FastAPI": `{"detail":[{"loc":["body"],"msg":"m","type":"t"}]}`, "cut": errInvalidExchange[:40],
		"UTF-16": utf16le("\ufeff" + errInvalidExchange), "trailing data": errInvalidExchange + "!",
		"deep": `{"x":` + strings.Repeat("[", 12_000) + strings.Repeat("]", 12_000) + `}`,
	} {
		add("400 with "+name, statusOf("400 Bad Request", jsonType, body), refused(400))
	}
	const code = "link_session_error.invalid_token_exchange"
	known := refused(400).withCode(code, api.ErrInvalidTokenExchange)
	for name, body := range map[string]string{
		"the right body":         errInvalidExchange,
		"BOM":                    "\ufeff" + errInvalidExchange,
		"duplicate keys":         strings.Replace(errInvalidExchange, "{", `{"error_code":"api_error.first",`, 1),
		"wrong message":          `{"error_code":"` + code + `","error_message":{"text":"used"}}`,
		"wrong faults":           `{"error_code":"` + code + `","validation_errors":"none"}`,
		"wrong faults in a list": `{"validation_errors":[7,{"location":"body","message":1}],"error_code":"` + code + `"}`,
		"wrong link":             `{"documentation_url":404,"error_code":"` + code + `"}`,
	} {
		add("400 with its code and "+name, statusOf("400 Bad Request", jsonType, body), known)
	}
	add("422 with thousands of faults", statusOf("422 Unprocessable", jsonType,
		`{"error_code":"api_error.request.validation_failed","error_message":"m","validation_errors":[`+
			strings.Repeat(`{"location":["b"],"message":"m"},`, 2_000)+`{}]}`),
		refused(422).withCode("api_error.request.validation_failed", api.ErrValidation))
	add("422 with odd locations", statusOf("422 Unprocessable", jsonType,
		`{"error_code":"api_error.request.validation_failed","validation_errors":[{"location":[null,1.5,1e300,true,{"a":["b"]},"c"],"message":"m","type":"t"}]}`),
		refused(422).withCode("api_error.request.validation_failed", api.ErrValidation))

	// Redirects on the same host; those to another are in TestRedirectsLeadNowhere.
	for _, location := range []string{"/elsewhere", "/link-session/exchange-token", "", "http://[::1", "%zz", ":", "javascript:alert(1)"} {
		for _, status := range []string{"300 Choices", "301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"} {
			n := 300 + int(status[2]-'0')
			want := refused(n)
			if n == 303 {
				want.exchange.is = []error{api.ErrOutcomeUnknown} // it says that the call was processed
			}
			add(fmt.Sprintf("status %s to %q", status, location), statusOf(status, "Location: "+location+"\r\n", html), want)
		}
	}
	add("304", bytesOf("HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n"), refused(304))
	return rows
}

func gzipped(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, s)
	_ = z.Close()
	return b.String()
}

func utf16le(s string) string {
	var b strings.Builder
	for _, u := range utf16.Encode([]rune(s)) {
		b.WriteByte(byte(u))
		b.WriteByte(byte(u >> 8))
	}
	return b.String()
}

// A target is what a fault happens to.
type target struct {
	name string
	want func(wants) want
}

var (
	onCreate   = target{"create_link_session", func(w wants) want { return w.create }}
	onExchange = target{"exchange_token", func(w wants) want { return w.exchange }}
	onToken    = target{"token endpoint", func(w wants) want { return w.token }}
)

func TestHostileServer(t *testing.T) {
	t.Parallel()
	for _, row := range hostileRows() {
		if row.timeout != 0 {
			continue
		}
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			for _, on := range []target{onCreate, onExchange, onToken} {
				t.Run(on.name, func(t *testing.T) { row.run(t, on) })
			}
		})
	}
}

// The rows that wait for a timeout do so in a bubble, where waiting takes no time and a busy machine changes nothing.
func TestSlowServer(t *testing.T) {
	t.Parallel()
	for _, row := range hostileRows() {
		if row.timeout == 0 {
			continue
		}
		for _, on := range []target{onCreate, onExchange, onToken} {
			t.Run(row.name+" of "+on.name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { row.run(t, on) })
			})
		}
	}
}

// A harness is a client between two servers, one of them hostile, and all the secrets that it sends and gets.
type harness struct {
	t                *testing.T
	guard            *secrettest.Guard
	secret, token    string // of the client, and what it gets for it
	exchangeable     string
	good, bad        *hostileServer // the other server, and the one under attack
	on               target
	transport        *http.Transport
	client           *api.Client
	info             api.HTTPInfo
	session, linkID  string
	mu               sync.Mutex
	dialed           []net.Conn // kept, so that a connection that is forgotten is not closed by the garbage collector
	createdSession   *gen.CreateLinkSessionResponse
	exchangedForLink *gen.ExchangeTokenResponse
}

func newHarness(t *testing.T, on target, row hostileRow, configure func(*http.Transport)) *harness {
	t.Helper()
	return newTLSHarness(t, on, row, nil, configure)
}

// newTLSHarness has the server under attack speak TLS, unless conf is nil.
func newTLSHarness(t *testing.T, on target, row hostileRow, conf *tls.Config, configure func(*http.Transport)) *harness {
	t.Helper()
	r := &harness{
		t: t, on: on,
		secret: "secret_" + rand.Text(), token: "access_" + rand.Text(), exchangeable: "exchangeable_" + rand.Text(),
		session: "session_" + rand.Text(), linkID: "mk_" + rand.Text(),
	}
	r.guard = secrettest.New(t, r.secret, r.token, r.exchangeable, r.session)
	r.transport = http.DefaultTransport.(*http.Transport).Clone()
	listen, dial := listenLoopback, r.transport.DialContext
	if row.timeout != 0 { // in a bubble
		network := make(memoryNetwork)
		listen, dial = network.listen, network.dial
	}
	r.good = newHostileServer(t, listen(t), nil, r.body, inResponse(asJSON))
	r.bad = newHostileServer(t, listen(t), conf, r.body, row.fault)
	r.transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.dialed = append(r.dialed, conn)
		return conn, err
	}
	r.transport.MaxResponseHeaderBytes = 2 << 20 // rather than the default of 10 MiB, to save time
	if configure != nil {
		configure(r.transport)
	}
	hc := &http.Client{Transport: r.transport, Timeout: row.timeout}
	tokens, operations := r.good, r.bad
	if on.name == onToken.name {
		tokens, operations = r.bad, r.good
	}
	source, err := auth.ClientCredentials("client", r.secret, auth.WithTokenURL(tokens.url()+"/auth/token"), auth.WithHTTPClient(hc))
	if err != nil {
		t.Fatal(err)
	}
	r.client, err = api.New(source,
		api.WithBaseURL(operations.url()), api.WithHTTPClient(hc), api.WithLogger(r.guard.Logger()), api.WithMaxBodySize(maxBody),
		api.WithRetryPolicy(api.RetryPolicy{MaxAttempts: attempts, BaseDelay: time.Microsecond, MaxDelay: time.Millisecond}))
	if err != nil {
		t.Fatal(err)
	}
	r.guard.Show(source, r.client)
	return r
}

// body is the right response to a request.
func (r *harness) body(path string) string {
	switch path {
	case "/auth/token":
		return `{"access_token":"` + r.token + `","token_type":"bearer","expires_in":3600}`
	case "/link-session":
		return `{"link_session_token":"` + r.session + `"}`
	default:
		return `{"link_id":"` + r.linkID + `","link":{"link_id":"` + r.linkID + `","institution_id":"i","institution_name":"n","state":"connected","products":{}}}`
	}
}

// call makes the call that is under attack. Where the token endpoint is, that is an exchange.
func (r *harness) call(ctx context.Context) (err error) {
	if r.on.name == onCreate.name {
		req := gen.CreateLinkSessionRequest{CustomerUser: gen.LinkSessionCustomerUser{ID: "user-42"}, RedirectURI: "https://yourdomain.com/oauth.html"}
		r.createdSession, err = r.client.CreateLinkSession(ctx, req, api.WithHTTPInfo(&r.info))
		return err
	}
	r.exchangedForLink, err = r.client.ExchangeToken(ctx, gen.ExchangeTokenRequest{ExchangeableToken: r.exchangeable}, api.WithHTTPInfo(&r.info))
	return err
}

func (row hostileRow) run(t *testing.T, on target) {
	r := newHarness(t, on, row, nil)
	var err error
	underLabel(t, t.Name(), func(ctx context.Context) { err = r.call(ctx) }, r.release)
	r.guard.Show(err)
	w := on.want(row.want)
	r.check(w, err)

	conns, requests := r.bad.got()
	if row.early {
		requests = make([]hostileRequest, conns)
	}
	if conns != w.attempts || len(requests) != w.attempts {
		t.Errorf("%d connections with %d requests came to the hostile server, want %d", conns, len(requests), w.attempts)
	}
	_, others := r.good.got()
	if n := r.othersWanted(w); len(others) != n {
		t.Errorf("%d requests came to the other server, want %d", len(others), n)
	}
}

// release has the client close what it keeps open, and finds what it does not.
func (r *harness) release() {
	r.transport.CloseIdleConnections()
	r.good.stop(r.t)
	r.bad.stop(r.t)
	runtime.KeepAlive(r.dialed)
}

// othersWanted is how many requests the server that is not under attack should see: a token is fetched for an attack
// on an operation, and no operation is tried without a token.
func (r *harness) othersWanted(w want) int {
	switch {
	case r.on.name != onToken.name && slices.Contains(w.is, api.ErrUnauthorized):
		return 2 // a new token was asked for
	case r.on.name != onToken.name || w.ok:
		return 1
	}
	return 0
}

var allSentinels = []error{
	api.ErrUnauthorized, api.ErrTokenExpired, api.ErrForbiddenConfig, api.ErrInvalidTokenExchange, api.ErrValidation,
	api.ErrRateLimited, api.ErrOutcomeUnknown,
}

// check compares what a call returned with what it should have.
func (r *harness) check(w want, err error) {
	t := r.t
	t.Helper()
	wantAttempts, wantStatus := w.attempts, w.status
	if r.on.name == onToken.name {
		wantAttempts, wantStatus = 0, 0
		if w.ok {
			wantAttempts, wantStatus = 1, 201
		}
	}
	if r.info.Attempts != wantAttempts || r.info.StatusCode != wantStatus {
		t.Errorf("HTTPInfo has %d attempts and status %d, want %d and %d", r.info.Attempts, r.info.StatusCode, wantAttempts, wantStatus)
	}
	if w.ok {
		switch {
		case err != nil:
			t.Errorf("error: %v", err)
		case r.createdSession != nil && r.createdSession.LinkSessionToken != r.session:
			t.Errorf("got another session token")
		case r.exchangedForLink != nil && (r.exchangedForLink.LinkID != r.linkID || r.exchangedForLink.Link.LinkID != r.linkID):
			t.Errorf("got link %+v, want %s", r.exchangedForLink, r.linkID)
		}
		return
	}
	var e *api.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, which is no *api.Error", err)
	}
	if r.createdSession != nil || r.exchangedForLink != nil {
		t.Errorf("there is a result beside the error")
	}
	status, code := e.StatusCode, e.Code
	if r.on.name == onToken.name {
		var a *auth.Error
		if !errors.As(err, &a) {
			t.Fatalf("got %v, which has no *auth.Error", err)
		}
		if e.StatusCode != 0 {
			t.Errorf("StatusCode = %d for an operation that was not tried", e.StatusCode)
		}
		status, code = a.StatusCode, a.Code
		if a.Temporary() == w.lasting {
			t.Errorf("Temporary() = %v", a.Temporary())
		}
		if a.RetryAfter < 500*time.Millisecond || e.RetryAfter != a.RetryAfter && !w.lasting || e.RetryAfter != 0 && w.lasting {
			t.Errorf("RetryAfter = %v of the source and %v of the call", a.RetryAfter, e.RetryAfter)
		}
	}
	if len(e.Body) > maxBody {
		t.Errorf("%d bytes of the body were read, want at most %d", len(e.Body), maxBody)
	}
	if status != w.status || code != w.code {
		t.Errorf("status %d and code %q, want %d and %q", status, code, w.status, w.code)
	}
	for _, sentinel := range allSentinels {
		if got := errors.Is(err, sentinel); got != slices.Contains(w.is, sentinel) {
			t.Errorf("errors.Is(err, %q) = %v: %v", sentinel, got, err)
		}
	}
	if w.cause != nil && !errors.Is(err, w.cause) {
		t.Errorf("the cause %q is not in: %v", w.cause, err)
	}
	if text := err.Error(); len(text) > 5000 || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		t.Errorf("an error of %d bytes, or with a control character: %.300q", len(text), text)
	}
}
