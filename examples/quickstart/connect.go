package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/moneykit/moneykit-go/api"
	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/sandbox"
)

// startSandbox serves a MoneyKit sandbox in this process.
func startSandbox() (url string, client *api.Client, stop func(), err error) {
	mk := sandbox.New()
	srv := httptest.NewServer(mk)
	client, err = api.FromCredentials(mk.ClientID, mk.ClientSecret, api.WithBaseURL(srv.URL))
	return srv.URL, client, srv.Close, err
}

// connect stands in for the front end. A sandbox acts as the end user; with the real MoneyKit, a person has to.
func connect(ctx context.Context, url, linkSessionToken string, out io.Writer, in io.Reader) (string, error) {
	body, err := json.Marshal(map[string]string{"link_session_token": linkSessionToken})
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(url, "/")+"/sandbox/complete", bytes.NewReader(body))
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
	var products map[string]json.RawMessage
	data, err := json.Marshal(link.Products)
	if err == nil {
		err = json.Unmarshal(data, &products)
	}
	if err != nil {
		panic(err) // JSON made of a struct is an object
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	defer w.Flush()
	for _, row := range [][2]string{
		{"institution", link.InstitutionName + " (" + link.InstitutionID + ")"},
		{"state", string(link.State)},
		{"provider", string(link.Provider)},
		{"products", strings.Join(slices.Sorted(maps.Keys(products)), ", ")},
		{"tags", strings.Join(link.LinkTags, ", ")},
	} {
		fmt.Fprintf(w, "   %s\t%s\n", row[0], row[1])
	}
}
