package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/moneykit/moneykit-go/sandbox"
)

// A config is what flags and environment set.
type config struct {
	addr, clientID, clientSecret string
	hosts, webhookHosts, origins list
	rateLimits, legacyUserIDs    bool
	tls, healthCheck             bool
	certFile                     string
}

// parse reads the flags, and the environment for those that are not given.
func parse(args []string, getenv func(string) string, output io.Writer) (*config, error) {
	c := &config{hosts: list{check: checkHost}, webhookHosts: list{check: checkHost}, origins: list{check: checkOrigin}}
	flags := flag.NewFlagSet("moneykit-sandbox", flag.ContinueOnError)
	flags.SetOutput(output)
	flags.StringVar(&c.addr, "addr", "127.0.0.1:8042", "`host:port` to listen on; port 0 picks a free one")
	flags.StringVar(&c.clientID, "client-id", "", "client `id` to accept (default: generated)")
	flags.StringVar(&c.clientSecret, "client-secret", "", "client `secret` to accept (default: generated)")
	flags.BoolVar(&c.rateLimits, "rate-limits", true, "MoneyKit's rate limits; -rate-limits=false turns them off")
	flags.BoolVar(&c.legacyUserIDs, "legacy-user-ids", false, "require ^[a-zA-Z0-9_-]+$ of customer_user.id, as before August 2024")
	flags.BoolVar(&c.tls, "tls", false, "serve https, with a certificate that is made at the start")
	flags.StringVar(&c.certFile, "tls-cert", "", "`file` to write the certificate of -tls to (default: one in the folder for temporary files)")
	flags.BoolVar(&c.healthCheck, "health-check", false, "ask the sandbox at -addr whether it is up, and exit with 0 if it is")
	flags.Var(&c.hosts, "host", "host `names` by which the endpoints under /sandbox/ can be reached, besides loopback")
	flags.Var(&c.webhookHosts, "webhook-host", "host `names` that events are sent to, besides loopback")
	flags.Var(&c.origins, "redirect-origin", "origins, `scheme://host[:port]`, to register for redirects, besides loopback (default https://yourdomain.com)")
	flags.Usage = func() {
		fmt.Fprintln(output, "Usage: moneykit-sandbox [flags]")
		flags.PrintDefaults()
		fmt.Fprintln(output, "A flag can be set by a variable too: -client-id by MONEYKIT_SANDBOX_CLIENT_ID, for example. Several names or origins\n"+
			"are separated by commas, or the flag is repeated.")
	}
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q; there are only flags (see -help)", flags.Arg(0))
	}
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	var err error
	flags.VisitAll(func(f *flag.Flag) {
		name := "MONEYKIT_SANDBOX_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		if value := getenv(name); value != "" && !given[f.Name] {
			if e := flags.Set(f.Name, value); e != nil {
				err = errors.Join(err, fmt.Errorf("invalid value %q of %s: %w", value, name, e))
			}
		}
	})
	if err == nil && c.certFile != "" && !c.tls {
		err = errors.New("-tls-cert is without effect: add -tls")
	}
	return c, err
}

// options returns the options of the sandbox, besides its logger.
func (c *config) options() []sandbox.Option {
	opts := []sandbox.Option{
		sandbox.WithCredentials(c.clientID, c.clientSecret), sandbox.WithHosts(c.hosts.values...),
		sandbox.WithWebhookHosts(c.webhookHosts.values...),
	}
	if c.rateLimits {
		opts = append(opts, sandbox.WithRateLimits(sandbox.PublishedRateLimits()))
	}
	if c.legacyUserIDs {
		opts = append(opts, sandbox.WithLegacyUserIDs())
	}
	if c.origins.values != nil {
		opts = append(opts, sandbox.WithRedirectOrigins(c.origins.values...))
	}
	return opts
}

// A list is a flag with values that are separated by commas. Repeated, it adds to them.
type list struct {
	values []string
	check  func(string) error
}

func (l *list) String() string { return strings.Join(l.values, ",") }

func (l *list) Set(value string) error {
	for v := range strings.SplitSeq(value, ",") {
		v = strings.TrimSpace(v)
		if err := l.check(v); err != nil {
			return err
		}
		l.values = append(l.values, v)
	}
	return nil
}

func checkHost(name string) error {
	if name == "" || strings.ContainsAny(name, "/:@") {
		return errors.New("want a host name without a port")
	}
	return nil
}

func checkOrigin(value string) error {
	u, err := url.Parse(value)
	if err != nil || u.Scheme == "" || u.Host == "" || u.User != nil || strings.TrimSuffix(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("want scheme://host[:port]")
	}
	return nil
}
