// Tracing makes a span of each attempt of a call, with OpenTelemetry's otelhttp as the Transport.
//
// It calls a sandbox whose first response is a 503, and prints the spans.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/moneykit/moneykit-go/api"
	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/sandbox"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer) error {
	mk := sandbox.New()
	srv := httptest.NewServer(mk)
	defer srv.Close()
	if err := mk.Fail(sandbox.CreateLinkSession, 1, sandbox.Fault{Status: http.StatusServiceUnavailable}); err != nil {
		return err
	}

	// Your program exports its spans; this one keeps them to print.
	spans := tracetest.NewInMemoryExporter()
	provider := trace.NewTracerProvider(trace.WithSyncer(spans))

	hc := &http.Client{Transport: otelhttp.NewTransport(http.DefaultTransport, otelhttp.WithTracerProvider(provider))}
	quick := api.RetryPolicy{BaseDelay: time.Millisecond}
	client, err := api.FromCredentials(mk.ClientID, mk.ClientSecret, api.WithBaseURL(srv.URL), api.WithHTTPClient(hc), api.WithRetryPolicy(quick))
	if err != nil {
		return err
	}

	ctx, call := provider.Tracer("example").Start(ctx, "link a bank")
	_, err = client.CreateLinkSession(ctx, gen.CreateLinkSessionRequest{
		CustomerUser: gen.LinkSessionCustomerUser{ID: "user-42"},
		RedirectURI:  "https://yourdomain.com/oauth.html",
	})
	call.End()
	if err != nil {
		return err
	}

	for _, s := range spans.GetSpans() {
		set := attribute.NewSet(s.Attributes...)
		status, _ := set.Value("http.response.status_code")
		fmt.Fprintln(out, s.Name, status.String(), "child of the call:", s.Parent.SpanID() == call.SpanContext().SpanID())
	}
	return nil
}
