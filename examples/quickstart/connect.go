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
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/moneykit/moneykit-go/api"
	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/sandbox"
)

// A moneykit is where to find MoneyKit, and the credentials for it.
type moneykit struct{ url, clientID, clientSecret string }

func fromEnv() moneykit {
	return moneykit{os.Getenv(api.EnvURL), os.Getenv(api.EnvClientID), os.Getenv(api.EnvClientSecret)}
}

// startSandbox serves a MoneyKit sandbox in this process.
func startSandbox() (moneykit, func()) {
	mk := sandbox.New()
	srv := httptest.NewServer(mk)
	return moneykit{srv.URL, mk.ClientID, mk.ClientSecret}, srv.Close
}

// connect stands in for the front end. A sandbox acts as the end user; with the real MoneyKit, a person has to.
func connect(ctx context.Context, mk moneykit, linkSessionToken string, out io.Writer, in io.Reader) (string, error) {
	body, err := json.Marshal(map[string]string{"link_session_token": linkSessionToken})
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(mk.url, "/")+"/sandbox/complete", bytes.NewReader(body))
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
