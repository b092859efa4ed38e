package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/moneykit/moneykit-go/api"
	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/sandbox"
)

// startSandbox serves a MoneyKit in this process, and sets the environment to it.
func startSandbox() (stop func()) {
	mk := sandbox.New()
	srv := httptest.NewServer(mk)
	for name, value := range map[string]string{
		api.EnvURL: srv.URL, api.EnvClientID: mk.ClientID, api.EnvClientSecret: mk.ClientSecret,
	} {
		if err := os.Setenv(name, value); err != nil {
			panic(err) // only a malformed name makes it fail
		}
	}
	return srv.Close
}

// connect stands in for the front end. A sandbox plays the end user; with the real MoneyKit, somebody has to.
func connect(ctx context.Context, linkSessionToken string, out io.Writer, in io.Reader) (string, error) {
	body, err := json.Marshal(map[string]string{"link_session_token": linkSessionToken})
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(os.Getenv(api.EnvURL), "/")+"/sandbox/complete", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusOK {
		var done struct {
			ExchangeableToken string `json:"exchangeable_token"`
		}
		err := json.NewDecoder(res.Body).Decode(&done)
		return done.ExchangeableToken, err
	}
	fmt.Fprintf(out, "\nStart Connect with this link_session_token:\n\n  %s\n\nand paste the exchangeable token here: ", linkSessionToken)
	line, err := bufio.NewReader(in).ReadString('\n')
	if line = strings.TrimSpace(line); line == "" {
		return "", errors.Join(errors.New("no exchangeable token was given"), err)
	}
	return line, nil
}

// show prints a link readably.
func show(out io.Writer, link gen.LinkCommon) {
	products := slices.Collect(func(yield func(string) bool) {
		data, _ := json.Marshal(link.Products)
		var byName map[string]json.RawMessage
		_ = json.Unmarshal(data, &byName)
		for name := range byName {
			if !yield(name) {
				return
			}
		}
	})
	slices.Sort(products)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	defer w.Flush()
	for _, row := range [][2]string{
		{"institution", link.InstitutionName + " (" + link.InstitutionID + ")"},
		{"state", string(link.State)},
		{"provider", string(link.Provider)},
		{"products", strings.Join(products, ", ")},
		{"tags", strings.Join(link.LinkTags, ", ")},
	} {
		fmt.Fprintf(w, "   %s\t%s\n", row[0], row[1])
	}
}
