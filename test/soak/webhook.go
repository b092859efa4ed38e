package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/sandbox"
	"github.com/moneykit/moneykit-go/webhook"
)

const (
	// deliveryFaultRate is which share of exchanges has one to three faults scripted for the next events. With this one
	// and the next, about one attempt in five fails. An event has eleven attempts within two hours; that all of them
	// fail is left to chance, one in fifty million.
	deliveryFaultRate = 0.2
	// processFaultRate is which share of events meets a database that fails.
	processFaultRate = 0.05
)

// deliveryFaults are what goes wrong with events. None of them is never sent.
var deliveryFaults = []sandbox.DeliveryFault{
	{Lost: true}, {WrongSignature: true}, {Stale: true},
	{Late: 3 * time.Second}, {Late: time.Minute}, {Late: 10 * time.Minute},
	{Twice: true}, {OutOfOrder: true}, {OutOfOrder: true, Twice: true},
	{Late: 20 * time.Second, Twice: true}, {Late: 20 * time.Second, WrongSignature: true}, {Twice: true, Stale: true},
}

// injectDelivery has some of the next events meet a fault.
func injectDelivery(box *sandbox.Sandbox) {
	if rand.Float64() < deliveryFaultRate {
		// The only errors are those of faults that cannot be, and these can.
		_ = box.FailDelivery(webhook.LinkStateChanged, 1+rand.IntN(3), deliveryFaults[rand.IntN(len(deliveryFaults))])
	}
}

var errDatabase = errors.New("the database does not respond")

// failing makes process fail now and then: before anything was stored, or after everything was.
func failing(process func(context.Context, *webhook.Event) error) func(context.Context, *webhook.Event) error {
	return func(ctx context.Context, e *webhook.Event) error {
		n := rand.Float64()
		if n < processFaultRate/2 {
			return errDatabase
		}
		err := process(ctx, e)
		if n < processFaultRate {
			err = errDatabase
		}
		return err
	}
}

// forge sends the app a forged event that gives an attempt the link of somebody else. Whoever forged it altered a
// genuine one, with the hash in the JWT, but could not sign it.
func forge(hc *http.Client, box *sandbox.Sandbox, url, id string) error {
	const genuine, forged = "mk_genuine", "mk_forgery"
	r, err := box.NewEvent(url, gen.LinkStateChangedWebhook{LinkID: genuine, LinkTags: []string{attemptTag + id}})
	if err != nil {
		return err
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	altered := bytes.Replace(body, []byte(genuine), []byte(forged), 1)
	jwt := strings.Split(r.Header.Get("MoneyKit-Signature"), ".")
	claims, err := base64.RawURLEncoding.DecodeString(jwt[1])
	if err != nil {
		return err
	}
	claims = bytes.Replace(claims, hash(body), hash(altered), 1)
	jwt[1] = base64.RawURLEncoding.EncodeToString(claims)
	r.Header.Set("MoneyKit-Signature", strings.Join(jwt, "."))
	r.Body, r.GetBody = io.NopCloser(bytes.NewReader(altered)), nil
	res, err := hc.Do(r)
	if err != nil {
		return err
	}
	res.Body.Close()
	if res.StatusCode != http.StatusBadRequest {
		return fmt.Errorf("a forged event got status %d, want 400", res.StatusCode)
	}
	return nil
}

func hash(body []byte) []byte {
	sum := sha256.Sum256(body)
	return []byte(hex.EncodeToString(sum[:]))
}

// clockPrecision is the steps in which a clock is moved, and so the error of what is measured by it.
const clockPrecision = time.Second

// A clock is the sandbox's. It is moved on through it alone.
type clock struct {
	box   *sandbox.Sandbox
	ahead atomic.Int64
}

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// advance moves the clock on by d, and waits for the events that are sent meanwhile.
func (c *clock) advance(d time.Duration) {
	for ; d > 0; d -= clockPrecision {
		c.ahead.Add(int64(clockPrecision))
		c.box.Advance(clockPrecision)
	}
}
