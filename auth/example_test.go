package auth_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/moneykit/moneykit-go/auth"
	"github.com/moneykit/moneykit-go/gen"
)

func ExampleClientCredentials() {
	endpoint := httptest.NewServer(issue())
	defer endpoint.Close()

	src, err := auth.ClientCredentials("your-client-id", "your-client-secret", auth.WithTokenURL(endpoint.URL+"/auth/token"))
	if err != nil {
		log.Fatal(err)
	}
	tok, err := src.Token(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(tok, tok.Value())
	// Output: [redacted] issued-access-token
}

func ExampleError() {
	endpoint := httptest.NewServer(respond(http.StatusUnauthorized, `{"error_code":"api_error.auth.unauthorized","error_message":"Wrong client secret."}`))
	defer endpoint.Close()
	src, err := auth.ClientCredentials("your-client-id", "not-your-client-secret", auth.WithTokenURL(endpoint.URL))
	if err != nil {
		log.Fatal(err)
	}

	_, err = src.Token(context.Background())
	var e *auth.Error
	if errors.As(err, &e) {
		fmt.Println(e.StatusCode, e.Code, e.Message)
	}
	// Output: 401 api_error.auth.unauthorized Wrong client secret.
}

// The bare generated client, with the token put on by its request-editor hook.
func ExampleSource_RequestEditor() {
	moneykit := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		respond(http.StatusCreated, `{"link_session_token":"for `+r.Header.Get("Authorization")+`"}`)(w, r)
	}))
	defer moneykit.Close()
	src := auth.StaticToken("your-access-token")

	client, err := gen.NewClientWithResponses(moneykit.URL, gen.WithRequestEditorFn(src.RequestEditor))
	if err != nil {
		log.Fatal(err)
	}
	res, err := client.CreateLinkSessionWithResponse(context.Background(), gen.CreateLinkSessionRequest{
		CustomerUser: gen.LinkSessionCustomerUser{ID: "user-42"},
		RedirectURI:  "https://yourdomain.com/oauth.html",
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(res.StatusCode(), res.JSON201.LinkSessionToken)
	// Output: 201 for Bearer your-access-token
}
