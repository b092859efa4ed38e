// Quickstart links a bank account: token, link session, end user, exchange.
//
// It uses the MoneyKit at MONEYKIT_URL, with MONEYKIT_CLIENT_ID and MONEYKIT_CLIENT_SECRET (see api.FromEnv), or a sandbox
// in this process if MONEYKIT_URL is not set.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"time"

	"github.com/moneykit/moneykit-go/api"
	"github.com/moneykit/moneykit-go/gen"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	url := os.Getenv(api.EnvURL)
	var client *api.Client
	var err error
	if url != "" {
		client, err = api.FromEnv()
	} else {
		var stopSandbox func()
		url, client, stopSandbox, err = startSandbox()
		defer stopSandbox()
	}
	if err == nil {
		err = run(ctx, client, url, os.Stdout, os.Stdin)
	}
	if err != nil {
		log.Fatal(err) //nolint:gocritic // the process ends anyway
	}
}

func run(ctx context.Context, client *api.Client, url string, out io.Writer, in io.Reader) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()

	// Your back end starts a link session for one of your users.
	session, err := client.CreateLinkSession(ctx, gen.CreateLinkSessionRequest{
		CustomerUser: gen.LinkSessionCustomerUser{ID: "user-42"},
		RedirectURI:  "https://yourdomain.com/oauth.html",
		LinkTags:     []string{"quickstart"},
		Settings: gen.LinkSessionSettingOverrides{Products: gen.ProductsSettings{
			Transactions: &gen.TransactionsProductSettings{Reason: "show you where your money goes"},
		}},
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "1. link session created; its token starts Connect in the user's browser")

	// Your front end runs Connect with session.LinkSessionToken, and gets an exchangeable token.
	exchangeable, err := connect(ctx, url, session.LinkSessionToken, out, in)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "2. the user has linked a bank; Connect returned an exchangeable token")

	// Your back end exchanges it, once, for the link.
	linked, err := client.ExchangeToken(ctx, gen.ExchangeTokenRequest{ExchangeableToken: exchangeable})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "3. exchanged; store this link_id with your user: %s\n", linked.Link.LinkID)
	show(out, linked.Link)
	return nil
}
