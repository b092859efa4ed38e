package main

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/moneykit/moneykit-go/api"
	"github.com/moneykit/moneykit-go/gen"
)

// eventsWithin is how long MoneyKit keeps sending the event of a link that it made.
const eventsWithin = 2 * time.Hour

// An attempt is one try of a user to link a bank, and the link that came of it.
type attempt struct {
	// ID is random: whoever knows it can have MoneyKit send an event with its tag.
	ID   string
	User string
	// ExchangeableToken is empty until Connect has finished, and again once no exchange of it can succeed any more.
	ExchangeableToken string
	// Open counts the exchanges that may have been processed: still running, or the response was lost.
	Open int
	// OpenSince is when the last of them was known to be open.
	OpenSince time.Time
	// LinkID is empty until MoneyKit has sent it, in a response or an event. LinkState is the state of that link, as of
	// StateAt where it came in an event.
	LinkID, LinkState string
	LinkedAt, StateAt time.Time
	// Institution comes from the page until it comes from MoneyKit. It is for display only.
	Institution string
}

// A status is what a user needs to know of an attempt.
type status string

const (
	statusNone        status = ""            // there is no link: Connect has not finished, or the token has expired
	statusReady       status = "ready"       // the exchange is still to be made
	statusUnconfirmed status = "unconfirmed" // an exchange may have been processed; an event says so if it was
	statusLost        status = "lost"        // the same, but no event came in time
	statusLinked      status = "linked"
)

func (a *attempt) status(now time.Time) status {
	switch {
	case a.LinkID != "":
		return statusLinked
	case a.Open > 0 && now.Sub(a.OpenSince) > eventsWithin:
		return statusLost
	case a.Open > 0:
		return statusUnconfirmed
	case a.ExchangeableToken != "":
		return statusReady
	}
	return statusNone
}

// begin records that an exchange is about to be sent. It reports false if there is nothing to exchange.
func (a *attempt) begin(token, institution string, now time.Time) bool {
	if a.LinkID != "" {
		return false
	}
	a.ExchangeableToken = cmp.Or(a.ExchangeableToken, token)
	a.Institution = cmp.Or(a.Institution, institution)
	if a.ExchangeableToken == "" {
		return false
	}
	if a.Open == 0 {
		a.OpenSince = now
	}
	a.Open++
	return true
}

// end records how an exchange of token ended. Another one may be running, here or in another process, and the event may have
// come first.
func (a *attempt) end(token string, response *gen.ExchangeTokenResponse, err error, now time.Time) error {
	switch {
	case err == nil:
		return a.link(response.Link, now)
	case a.LinkID != "":
	case errors.Is(err, api.ErrOutcomeUnknown):
		a.OpenSince = now
	default: // not processed
		a.Open--
		if errors.Is(err, api.ErrInvalidTokenExchange) && a.ExchangeableToken == token { // else there is a newer one
			a.ExchangeableToken = ""
		}
	}
	return nil
}

// link records the link that an exchange returned.
func (a *attempt) link(l gen.LinkCommon, now time.Time) error {
	if a.LinkID == "" {
		a.LinkState = string(l.State) // else an event came first, and its state is the newer one
	}
	a.Institution = cmp.Or(l.InstitutionName, a.Institution)
	return a.settle(l.LinkID, now)
}

// settle records which link the attempt led to. Its token is spent.
func (a *attempt) settle(linkID string, now time.Time) error {
	switch a.LinkID {
	case linkID:
		return nil
	case "":
		a.LinkID, a.LinkedAt = linkID, now
		a.Open, a.ExchangeableToken = 0, ""
		return nil
	}
	return fmt.Errorf("attempt %s already led to link %s, not to %s", a.ID, a.LinkID, linkID)
}
