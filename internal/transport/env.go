package transport

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"unicode"
)

// An Env is what the environment says about MoneyKit. What is not set is empty.
type Env struct {
	URL, ClientID, ClientSecret string
	InsecureHTTP                bool
}

// ReadEnv reads MONEYKIT_URL, MONEYKIT_CLIENT_ID, MONEYKIT_CLIENT_SECRET and MONEYKIT_INSECURE_HTTP, without the space around
// their values.
func ReadEnv() (Env, error) {
	get := func(name string) string { return strings.TrimSpace(os.Getenv(name)) }
	e := Env{URL: get("MONEYKIT_URL"), ClientID: get("MONEYKIT_CLIENT_ID"), ClientSecret: get("MONEYKIT_CLIENT_SECRET")}
	for name, value := range map[string]string{"MONEYKIT_CLIENT_ID": e.ClientID, "MONEYKIT_CLIENT_SECRET": e.ClientSecret} {
		if strings.ContainsFunc(value, unicode.IsControl) {
			return Env{}, fmt.Errorf("%s contains a control character, such as a line break", name)
		}
	}
	if value := get("MONEYKIT_INSECURE_HTTP"); value != "" {
		var err error
		if e.InsecureHTTP, err = strconv.ParseBool(value); err != nil {
			return Env{}, fmt.Errorf("MONEYKIT_INSECURE_HTTP is %q; want 1 or 0", value)
		}
	}
	return e, nil
}
