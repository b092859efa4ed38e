//go:build postgres

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/sandbox"
)

// The two instances.
const (
	a = iota
	b
)

// instances are two processes of the application on one database, behind one address.
type instances struct {
	*world
	addrs     [2]atomic.Value // strings
	processes [2]*exec.Cmd
	requests  atomic.Int64
	routes    sync.Map // from paths to instances; requests of other paths go to both in turn
}

// newInstances starts two processes, with a proxy between them and MoneyKit if hold is not nil: it is called before the
// response to an exchange is sent.
func newInstances(t *testing.T, db string, hold func()) *instances {
	t.Helper()
	w := &world{t: t, mk: sandbox.Start(t, sandbox.WithTokenLifetime(24*time.Hour)), db: db, log: &lockedBuffer{}}
	w.moneykit = w.mk.URL
	if hold != nil {
		w.proxy(func(int32) {}, func(int32) { hold() })
	}
	w.store = newStore(t, db)
	n := &instances{world: w}
	server := httptest.NewServer(n)
	t.Cleanup(server.Close)
	w.url = server.URL
	for i := range n.addrs {
		n.start(i)
	}
	t.Cleanup(func() {
		for _, program := range n.processes {
			n.interrupt(program)
		}
		w.checkLog()
	})
	w.browser = w.newBrowser()
	return n
}

func (n *instances) start(i int) {
	n.t.Helper()
	program, addr := n.process("-origin", n.url)
	n.processes[i] = program
	n.addrs[i].Store(addr)
}

// kill ends an instance at once, as a machine that loses its power does.
func (n *instances) kill(i int) {
	n.t.Helper()
	if err := n.processes[i].Process.Kill(); err != nil {
		n.t.Fatal(err)
	}
	n.addrs[i].Store("127.0.0.1:1") // where nobody listens: somebody else may get its port
	_ = n.processes[i].Wait()
}

// route sends exchanges, events and the page each to one instance.
func (n *instances) route(exchange, event, page int) {
	n.routes.Store("/linking/exchange-token", exchange)
	n.routes.Store(webhookPath, event)
	n.routes.Store("/linking/changes", page)
}

// ServeHTTP is the address of both instances. A request goes to the other one only if it cannot have been processed.
func (n *instances) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	first := int(n.requests.Add(1) % 2)
	if i, ok := n.routes.Load(r.URL.Path); ok {
		first = i.(int)
	}
	body, _ := io.ReadAll(r.Body) // an error: the client is gone
	proxy := httputil.ReverseProxy{
		ErrorLog: log.New(io.Discard, "", 0),
		Rewrite:  func(p *httputil.ProxyRequest) { p.Out.Host = p.In.Host },
		Transport: roundTripper(func(r *http.Request) (res *http.Response, err error) {
			for _, i := range []int{first, 1 - first} {
				r = r.Clone(r.Context())
				r.URL.Scheme, r.URL.Host, r.Body = "http", n.addrs[i].Load().(string), io.NopCloser(bytes.NewReader(body))
				res, err = (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
				if dial := (*net.OpError)(nil); !errors.As(err, &dial) || dial.Op != "dial" {
					break
				}
			}
			return res, err
		}),
	}
	proxy.ServeHTTP(w, r)
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// try posts body as the page's script does: without a response that it understands, the user can try again.
func (n *instances) try(browser *http.Client, path string, body any) response {
	data, err := json.Marshal(body)
	if err != nil {
		n.t.Error(err)
	}
	again := response{Kind: "try_again"}
	res, err := browser.Post(n.url+path, "application/json", bytes.NewReader(data))
	if err != nil {
		return again
	}
	defer res.Body.Close()
	var got response
	if err := json.NewDecoder(res.Body).Decode(&got); err != nil {
		return again
	}
	return got
}

// until posts body, twice at once, until one of the responses is of a kind.
func (n *instances) until(kind string, browser *http.Client, path string, body any) (got response) {
	eventually(n.t, kind, func() bool {
		var both [2]response
		var all sync.WaitGroup
		for i := range both {
			all.Go(func() { both[i] = n.try(browser, path, body) })
		}
		all.Wait()
		for _, one := range both {
			if one.Kind != kind && one.Kind != "try_again" && one.Kind != "unconfirmed" {
				n.t.Errorf("got %+v, want %s", one, kind)
			}
		}
		i := slices.IndexFunc(both[:], func(one response) bool { return one.Kind == kind })
		got = both[max(i, 0)]
		return i >= 0
	})
	return got
}

// link links a bank as an impatient user.
func (n *instances) link(browser *http.Client) {
	session := n.until("session", browser, "/linking/session", struct{}{})
	token, err := n.mk.Complete(session.LinkSessionToken)
	if err != nil {
		n.t.Error(err)
		return
	}
	n.until("linked", browser, "/linking/exchange-token", finish{session.ID, token, "Sandbox Bank"})
}

// connected returns the links that were handed over, or lost on the way.
func (n *instances) connected() (links []sandbox.Link) {
	for _, link := range n.mk.Links() {
		if link.State == gen.PublicLinkStateConnected {
			links = append(links, link)
		}
	}
	return links
}

// compare compares MoneyKit's links with the database's, of which there should be so many.
func (n *instances) compare(want int) {
	n.t.Helper()
	n.store = newStore(n.t, n.db) // with connections made after a crash
	rows, err := n.store.db.QueryContext(n.t.Context(), selectAttempts)
	if err != nil {
		n.t.Fatal(err)
	}
	defer rows.Close()
	stored := map[string]attempt{}
	for rows.Next() {
		row, err := scan(rows)
		if err != nil {
			n.t.Fatal(err)
		}
		if row.LinkID == "" {
			continue
		}
		if twice, ok := stored[row.LinkID]; ok {
			n.t.Errorf("stored twice: %+v, %+v", twice, row)
		}
		if row.ExchangeableToken != "" || row.Open != 0 {
			n.t.Errorf("not settled: %+v", row)
		}
		stored[row.LinkID] = row
	}
	if err := rows.Err(); err != nil {
		n.t.Fatal(err)
	}
	links := n.connected()
	if len(links) != want || len(stored) != want {
		n.t.Errorf("%d links, %d stored, want %d", len(links), len(stored), want)
	}
	for _, link := range links {
		row, ok := stored[link.LinkID]
		if !ok {
			n.t.Errorf("lost: %s", link.LinkID)
		} else if row.User != link.CustomerUserID || !slices.Equal(link.LinkTags, []string{attemptTag + row.ID}) {
			n.t.Errorf("%+v is not %+v", row, link)
		}
	}
	if n.tokenStored() {
		n.t.Error("a token is left")
	}
}

// Users click twice, on two instances at once, and events come to either.
func TestDoubleClicks(t *testing.T) {
	t.Parallel()
	n := newInstances(t, newDatabase(t), nil)
	const users = 20
	var all sync.WaitGroup
	for range users {
		browser := n.newBrowser()
		all.Go(func() { n.link(browser) })
	}
	all.Wait()
	n.compare(users)
}

// One instance exchanges, the other receives the event, and has the page open.
func TestExchangeAndEventApart(t *testing.T) {
	t.Parallel()
	n := newInstances(t, newDatabase(t), nil)
	n.route(a, b, b)
	n.lostResponse(n.changes())
	n.browser = n.newBrowser()
	next := n.changes()
	next()
	n.mk.FailDelivery("", 1, sandbox.DeliveryFault{Never: true})
	n.check("exchange", n.exchange(n.connect()), 200, "linked")
	for !strings.Contains(next(), ">connected<") { // what the other instance stored
	}
	n.compare(2)
}

// An instance is killed while it waits for MoneyKit's response.
func TestKilledInMidExchange(t *testing.T) {
	t.Parallel()
	for name, processed := range map[string]bool{"processed": true, "not processed": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newInstances(t, newDatabase(t), nil)
			n.route(a, b, b)
			next := n.changes()
			next()
			body := n.connect()
			n.mk.Fail(sandbox.ExchangeToken, 1, sandbox.Fault{Delay: time.Hour, After: processed})
			n.mk.FailDelivery("", 1, sandbox.DeliveryFault{Lost: true})
			killed := make(chan response)
			go func() { killed <- n.try(n.browser, "/linking/exchange-token", body) }()
			eventually(t, "MoneyKit has the exchange", func() bool { return len(n.mk.Faults()) == 0 && (!processed || len(n.connected()) == 1) })
			n.kill(a)
			if got := <-killed; got.Kind != "try_again" {
				t.Errorf("the exchange that was killed: %+v", got)
			}
			if list := next(); !strings.Contains(list, "Not confirmed by MoneyKit yet") {
				t.Errorf("list: %s", list)
			}
			if processed {
				n.advance(10 * time.Second) // MoneyKit sends the event again
				if list := next(); !strings.Contains(list, ">connected<") {
					t.Errorf("list: %s", list)
				}
			}
			n.check("the second click", n.exchange(body), 200, "linked")
			n.compare(1)
			n.start(a)
			n.check("afterwards", n.exchange(body), 200, "linked")
		})
	}
}

// The database stops while an exchange waits for MoneyKit's response and another one's event comes, and starts again.
func TestDatabaseRestarts(t *testing.T) {
	t.Parallel()
	c, err := newCluster()
	if err != nil {
		t.Fatal(err)
	}
	defer c.remove()
	var holding atomic.Bool
	processed, crashed := make(chan struct{}), make(chan struct{})
	n := newInstances(t, c.database(t), func() {
		if holding.CompareAndSwap(true, false) {
			close(processed)
			<-crashed
		}
	})
	n.route(a, b, b)
	n.mk.FailDelivery("", 2, sandbox.DeliveryFault{Never: true})
	first := n.browser
	lost, lostID := n.lose()
	n.browser = n.newBrowser()
	next := n.changes()
	next()
	body := n.connect()
	holding.Store(true)
	exchanged := make(chan response)
	go func() { exchanged <- n.try(n.browser, "/linking/exchange-token", body) }()
	<-processed
	c.crash()
	close(crashed)
	delivered := make(chan int)
	go func() { delivered <- n.deliver(n.mk, event(lost.ID, lostID)) }()
	if err := c.start(); err != nil {
		t.Fatal(err)
	}
	if got := <-exchanged; got.Kind != "linked" {
		t.Errorf("exchange: %+v", got)
	}
	if got := <-delivered; got != 204 {
		t.Errorf("event: %d", got)
	}
	for !strings.Contains(next(), ">connected<") { // the instance listens again
	}
	n.check("the other user", post(t, first, n.url+"/linking/exchange-token", lost, nil), 200, "linked")
	n.compare(2)
}

// All of it at once: users, faults of MoneyKit, instances that are killed and a database that crashes.
func TestEverythingAtOnce(t *testing.T) {
	t.Parallel()
	c, err := newCluster()
	if err != nil {
		t.Fatal(err)
	}
	defer c.remove()
	n := newInstances(t, c.database(t), nil)
	for range 5 {
		for _, fault := range []sandbox.Fault{{Drop: true, After: true}, {Delay: 100 * time.Millisecond}, {Drop: true}, {Delay: 100 * time.Millisecond, After: true}, {Status: 503, After: true}} {
			n.mk.Fail(sandbox.ExchangeToken, 1, fault)
		}
		for _, fault := range []sandbox.DeliveryFault{{Lost: true}, {Twice: true}, {Late: time.Minute}} {
			n.mk.FailDelivery("", 1, fault)
		}
	}
	const users = 60
	var all sync.WaitGroup
	for range users {
		browser := n.newBrowser()
		all.Go(func() { n.link(browser) })
	}
	restart := func() {
		if err := c.start(); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	for i, step := range []func(){
		func() { n.kill(a); n.start(a) },
		func() { c.crash(); restart() },
		func() { n.kill(b); c.crash(); restart(); n.start(b) },
		func() { n.kill(a); n.start(a); n.kill(b); n.start(b) },
		func() { c.crash(); restart() },
	} {
		eventually(t, "more links", func() bool { return len(n.connected()) >= i*users/6 })
		step()
	}
	for waiting := true; waiting; {
		n.advance(5 * time.Second) // MoneyKit sends what did not arrive again
		select {
		case <-done:
			waiting = false
		case <-time.After(50 * time.Millisecond):
		}
	}
	n.advance(3 * time.Hour)
	n.compare(users)
}
