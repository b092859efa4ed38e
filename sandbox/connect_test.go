package sandbox_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moneykit/moneykit-go/sandbox"
)

const app = "http://127.0.0.1:3000" // the origin of a page that opens Connect

// A visitor is a browser that is at the page of one session.
type visitor struct {
	t             *testing.T
	srv           *sandbox.Server
	token, bearer string
}

// visit starts a session with what is in fields besides the required ones, or instead of them.
func visit(t *testing.T, srv *sandbox.Server, fields string) visitor {
	t.Helper()
	bearer := newToken(t, srv)
	var request map[string]any // of two fields with one name, it keeps the second
	err := json.Unmarshal([]byte(`{"customer_user": {"id": "user-42"}, "redirect_uri": "https://yourdomain.com/oauth.html"`+fields+`}`), &request)
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	return visitor{t, srv, newSession(t, srv, bearer, string(body)), bearer}
}

// page opens Connect the way that the launcher does.
func (v visitor) page(path, origin string, more ...string) reply {
	v.t.Helper()
	query := url.Values{"linkSessionToken": {v.token}, "origin": {origin}, "stepTimers": {"false"}, "launcherVersion": {"0.3.26"}}
	for i := 0; i < len(more); i += 2 {
		query.Set(more[i], more[i+1])
	}
	// The launcher sends a key without a value for an option that was not given.
	return send(v.t, v.srv, "GET", path+"?"+query.Encode()+"&applicationName&device", nil, "")
}

var configScript = regexp.MustCompile(`(?s)<script type="application/json" id="config">(.*?)</script>`)

// config is what the page's script starts from.
func config(t *testing.T, page reply) map[string]any {
	t.Helper()
	found := configScript.FindStringSubmatch(page.body)
	if found == nil {
		t.Fatalf("no configuration in the page: %d %s", page.status, page.body)
	}
	var c map[string]any
	if err := json.Unmarshal([]byte(found[1]), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// step takes a step and returns the response and its error_code.
func (v visitor) step(name, fields string) (map[string]any, string) {
	v.t.Helper()
	got := post(v.t, v.srv, "/connect/"+name, "", fmt.Sprintf(`{"link_session_token": %q, %s}`, v.token, strings.Trim(fields, "{}")))
	var result map[string]any
	if err := json.Unmarshal([]byte(got.body), &result); err != nil {
		v.t.Fatalf("%s: %d %s", name, got.status, got.body)
	}
	code, _ := result["error_code"].(string)
	if (got.status == 200) != (code == "") {
		v.t.Errorf("%s: %d %s", name, got.status, got.body)
	}
	return result, code
}

func (v visitor) must(name, fields string) map[string]any {
	v.t.Helper()
	result, code := v.step(name, fields)
	if code != "" {
		v.t.Fatalf("%s: %v", name, result)
	}
	return result
}

func names(list any, field string) (all []string) {
	items, _ := list.([]any)
	for _, item := range items {
		all = append(all, fmt.Sprint(item.(map[string]any)[field]))
	}
	return all
}

func TestConnectPage(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t)
	v := visit(t, srv, `, "settings": {"products": {
		"transactions": {"reason": "show </script><b>trends</b>", "require_permission": true}, "identity": {}}}`)
	for _, path := range []string{"/start", "/continue"} {
		for _, origin := range []string{app, "https://yourdomain.com", "http://localhost"} {
			page := v.page(path, origin, "applicationName", "Fern", "redirectURL", "https://yourdomain.com/oauth.html?x=1")
			policy := page.header.Get("Content-Security-Policy")
			if page.status != 200 || !strings.HasSuffix(policy, "frame-ancestors "+origin) || !strings.HasPrefix(policy, "default-src 'none';") ||
				strings.Contains(policy, "unsafe") || page.header.Get("Cache-Control") != "no-store" || page.header.Get("Referrer-Policy") != "no-referrer" {
				t.Errorf("%s for %s: %d %v", path, origin, page.status, page.header)
			}
			c := config(t, page)
			checkFields(t, c, map[string]any{"origin": origin, "application": "Fern", "return_origin": "https://yourdomain.com",
				"resume": path == "/continue", "error": nil, "preset": nil, "redirect_url": "https://yourdomain.com/oauth.html?x=1"})
			if len(names(c["institutions"], "id")) < 12 {
				t.Errorf("institutions: %v", names(c["institutions"], "id"))
			}
			products := c["products"].([]any)
			if got := names(products, "id"); strings.Join(got, " ") != "accounts identity transactions" {
				t.Errorf("products: %v", got)
			}
			checkFields(t, products[2].(map[string]any), map[string]any{"required": true,
				"sentence": "Transaction data is used to show </script><b>trends</b>."})
		}
	}
	if name := config(t, v.page("/start", app))["application"]; name != "127.0.0.1:3000" {
		t.Errorf("the application is called %v", name)
	}
	for path, contentType := range map[string]string{"/connect/connect.js": "text/javascript", "/connect/connect.css": "text/css"} {
		got := send(t, srv, "GET", path, nil, "")
		if got.status != 200 || !strings.HasPrefix(got.header.Get("Content-Type"), contentType) {
			t.Errorf("%s: %d %v", path, got.status, got.header)
		}
		if strings.Contains(got.body, `"*"`) && strings.Contains(got.body, "postMessage") {
			t.Errorf("%s posts to any origin", path)
		}
	}
}

func TestConnectOrigin(t *testing.T) {
	t.Parallel()
	v := visit(t, sandbox.Start(t, sandbox.WithRedirectOrigins("https://app.example:8443")), `, "redirect_uri": "https://app.example:8443/oauth"`)
	for origin, want := range map[string]string{
		"":                               "is missing",
		"*":                              "must be the origin",
		"null":                           "must be the origin",
		"app.example":                    "must be the origin",
		"https://app.example:8443/":      "must be the origin",
		"https://app.example:8443/path":  "must be the origin",
		"https://app.example:8443?a":     "must be the origin",
		"https://app.example:8443#a":     "must be the origin",
		"https://me@app.example:8443":    "must be the origin",
		"HTTPS://app.example:8443":       "must be the origin",
		"https://App.example:8443":       "must be the origin",
		"http://localhost:80":            "must be the origin",
		"http://localhost:3000 *":        "must be the origin",
		"http://localhost:3000; script":  "must be the origin",
		"ftp://app.example:8443":         "must be the origin",
		"javascript://localhost":         "must be the origin",
		"https://app.example":            "is not registered",
		"http://app.example:8443":        "is not registered",
		"https://yourdomain.com":         "is not registered",
		"http://localhost.evil.example":  "is not registered",
		"http://127.0.0.1.evil.example":  "is not registered",
		"https://evil.example:8443":      "is not registered",
		"http://[::1]:3000":              "IPv6",
		"https://*.app.example:8443":     "is not registered",
		"https://app.example:8443 https": "must be the origin",
	} {
		page := v.page("/start", origin)
		if page.status != 400 || !strings.Contains(page.body, want) || strings.Contains(page.body, v.token) || strings.Contains(page.body, "<script") {
			t.Errorf("%q: %d %s", origin, page.status, page.body)
		}
	}
	if page := v.page("/start", "https://app.example:8443"); page.status != 200 {
		t.Errorf("the registered origin: %d %s", page.status, page.body)
	}
}

// The page shows what is wrong with a session, and reports it to the application.
func TestConnectSession(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t)
	check := func(what string, page reply, status int, code string) {
		t.Helper()
		failure, _ := config(t, page)["error"].(map[string]any)
		if page.status != status || failure["error_id"] != code || failure["request_id"] != page.header.Get("X-Request-Id") ||
			!strings.Contains(page.header.Get("Content-Security-Policy"), "frame-ancestors "+app) {
			t.Errorf("%s: %d %v", what, page.status, failure)
		}
	}
	v := visit(t, srv, "")
	check("relink without a link", v.page("/relink", app), 422, "link_session_error.no_existing_link")
	check("no token", visitor{t, srv, "", ""}.page("/start", app), 404, "link_session_error.unknown_session")
	check("unknown", visitor{t, srv, "sandbox_session_x", ""}.page("/continue", app), 404, "link_session_error.unknown_session")
	completed := visit(t, srv, "")
	if _, err := srv.Complete(completed.token); err != nil {
		t.Fatal(err)
	}
	check("completed", completed.page("/start", app), 409, "link_session_error.session_used")
	if _, code := completed.step("sign-in", `"institution_id": "alder_creek", "username": "a", "password": "b"`); code != "link_session_error.session_used" {
		t.Errorf("a step of a completed session: %s", code)
	}
	srv.Advance(31 * time.Minute)
	check("expired", v.page("/start", app), 410, "link_session_error.session_expired")
	if _, code := v.step("sign-in", `"institution_id": "alder_creek", "username": "a", "password": "b"`); code != "link_session_error.session_expired" {
		t.Errorf("a step of an expired session: %s", code)
	}
}

const signInAtAlderCreek = `"institution_id": "alder_creek", "username": "ada", "password": "pa55word"`

func TestConnectLinks(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t)
	v := visit(t, srv, `, "settings": {"providers": ["mx", "plaid"], "products": {"transactions": {"require_permission": true}, "identity": {}}}`)
	entered := v.must("sign-in", signInAtAlderCreek)
	if got := names(entered["accounts"], "name"); strings.Join(got, ", ") != "Everyday Checking, Rainy Day Savings, Cash Back Card" {
		t.Errorf("accounts: %v", got)
	}
	done := v.must("finish", `"account_ids": ["acc_alder_creek_2"], "declined": ["identity"]`)
	institution := done["institution"].(map[string]any)
	if got := names(institution["selectedAccounts"], "name"); strings.Join(got, ", ") != "Rainy Day Savings" {
		t.Errorf("selected: %v", got)
	}
	if _, err := srv.Complete(v.token); err == nil {
		t.Error("the session is still open")
	}
	got := post(t, srv, "/link-session/exchange-token", v.bearer, exchangeBody(done["exchangeable_token"].(string)))
	var body struct{ Link map[string]any }
	if err := json.Unmarshal([]byte(got.body), &body); err != nil || got.status != 201 {
		t.Fatalf("exchange: %d %s", got.status, got.body)
	}
	checkFields(t, body.Link, map[string]any{"link_id": done["link_id"], "institution_id": "alder_creek", "institution_name": "Alder Creek Bank", "provider": "mx"})
	products := body.Link["products"].(map[string]any)
	if products["transactions"] == nil || products["identity"] != nil {
		t.Errorf("products: %v", products)
	}
	for _, request := range srv.Requests() {
		for _, secret := range []string{"pa55word", v.token, done["exchangeable_token"].(string)} {
			if strings.Contains(request.Body+request.Path, secret) {
				t.Errorf("a secret was recorded: %+v", request)
			}
		}
	}
}

// Of steps that finish one session at the same time, one does.
func TestConnectFinishesOnce(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t)
	v := visit(t, srv, "")
	v.must("sign-in", signInAtAlderCreek)
	var done, used int
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			_, code := v.step("finish", `"account_ids": ["acc_alder_creek_1"]`)
			mu.Lock()
			defer mu.Unlock()
			switch code {
			case "":
				done++
			case "link_session_error.session_used":
				used++
			}
		})
	}
	all.Wait()
	if done != 1 || used != 15 || len(srv.Links()) != 1 {
		t.Errorf("%d done, %d used, %d links", done, used, len(srv.Links()))
	}
}

func TestConnectErrors(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t)
	const manually = `"account_type": "depository.checking", "account_number": "12345", "routing_number": "123456780"`
	for name, test := range map[string]struct {
		session, enter string // enter: how to sign in before the step
		step, fields   string
		want           string
	}{
		"unknown institution":         {"", "", "sign-in", `"institution_id": "chase", "username": "a", "password": "b"`, "institution_error"},
		"institution of another land": {"", "", "sign-in", `"institution_id": "fernmoor", "username": "a", "password": "b"`, "institution_error"},
		"password at an OAuth bank":   {"", "", "sign-in", `"institution_id": "bluefin_federal", "username": "a", "password": "b"`, "institution_error"},
		"OAuth at a password bank":    {"", "", "authorize", `"institution_id": "alder_creek"`, "institution_error"},
		"no user name":                {"", "", "sign-in", `"institution_id": "alder_creek", "username": " ", "password": "b"`, "invalid_credentials"},
		"no password":                 {"", "", "sign-in", `"institution_id": "alder_creek", "username": "a"`, "invalid_credentials"},
		"wrong password":              {"", "", "sign-in", `"institution_id": "alder_creek", "username": "a", "password": "wrong"`, "invalid_credentials"},
		"wrong code":                  {"", "", "sign-in", `"institution_id": "cobalt_savings", "username": "a", "password": "b", "code": "111111"`, "user_input_incorrect"},
		"out of order":                {"", "", "sign-in", `"institution_id": "driftwood_cu", "username": "a", "password": "b"`, "institution_error"},
		"no depository account":       {`, "connect_features": {"permit_only_depository_accounts": true}`, "", "sign-in", `"institution_id": "inkwell_card", "username": "a", "password": "b"`, "no_accounts"},
		"by hand where it is not on":  {"", "", "manual", manually, "institution_error"},
		"routing number":              {`, "connect_features": {"connect_manually": true}`, "", "manual", strings.Replace(manually, "123456780", "123456789", 1), "user_input_incorrect"},
		"zero routing number":         {`, "connect_features": {"connect_manually": true}`, "", "manual", strings.Replace(manually, "123456780", "000000000", 1), "user_input_incorrect"},
		"account number":              {`, "connect_features": {"connect_manually": true}`, "", "manual", strings.Replace(manually, "12345\"", "123\"", 1), "user_input_incorrect"},
		"account type":                {`, "connect_features": {"connect_manually": true}`, "", "manual", strings.Replace(manually, "checking", "x", 1), "user_input_incorrect"},
		"by hand in a set session":    {`, "institution_id": "chase", "connect_features": {"connect_manually": true}`, "", "manual", manually, "institution_error"},
		"finish before signing in":    {"", "", "finish", `"account_ids": ["acc_alder_creek_1"]`, "user_error"},
		"no account":                  {"", signInAtAlderCreek, "finish", `"account_ids": []`, "no_accounts"},
		"another's account":           {"", signInAtAlderCreek, "finish", `"account_ids": ["acc_everhill_1"]`, "no_accounts"},
		"two accounts for one":        {`, "connect_features": {"permit_only_one_account": true}`, signInAtAlderCreek, "finish", `"account_ids": ["acc_alder_creek_1", "acc_alder_creek_2"]`, "user_error"},
		"a required product":          {`, "settings": {"link_permissions": {"requested": [{"scope": "identity", "reason": "x", "required": true}]}}`, signInAtAlderCreek, "finish", `"account_ids": ["acc_alder_creek_1"], "declined": ["identity"]`, "user_error"},
		"a product that is needed":    {`, "settings": {"products": {"identity": {"required": true}}}`, signInAtAlderCreek, "finish", `"account_ids": ["acc_alder_creek_1"], "declined": ["identity"]`, "user_error"},
		"the accounts":                {"", signInAtAlderCreek, "finish", `"account_ids": ["acc_alder_creek_1"], "declined": ["accounts"]`, "user_error"},
		"a report of nothing":         {"", "", "report", `"message": " "`, "user_input_incorrect"},
		"an unknown field":            {"", "", "report", `"text": "x"`, "sandbox_error.invalid_request"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := visit(t, srv, test.session)
			if test.enter != "" {
				v.must("sign-in", test.enter)
			}
			if result, code := v.step(test.step, test.fields); code != test.want {
				t.Errorf("got %v, want %s", result, test.want)
			}
			if v.page("/start", app).status != 200 {
				t.Error("the session is over")
			}
		})
	}
}

func TestConnectOAuth(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t)
	noRedirects := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	decide := func(v visitor, decision string) (back string) {
		t.Helper()
		bankURL := v.must("authorize", `"institution_id": "bluefin_federal", "application": "Fern"`)["url"].(string)
		bank := send(t, srv, "GET", bankURL, nil, "")
		policy := bank.header.Get("Content-Security-Policy")
		if bank.status != 200 || !strings.Contains(bank.body, "Bluefin Federal") || !strings.Contains(bank.body, "Fern") ||
			!strings.Contains(policy, "form-action 'self' https://yourdomain.com;") || !strings.Contains(policy, "frame-ancestors 'none'") {
			t.Errorf("the bank's page: %d %v", bank.status, bank.header)
		}
		_, state, _ := strings.Cut(bankURL, "state=")
		res, err := noRedirects.PostForm(srv.URL+"/connect/bank/decision", url.Values{"state": {state}, "decision": {decision}})
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		back = res.Header.Get("Location")
		if res.StatusCode != 303 || !strings.HasPrefix(back, "https://yourdomain.com/oauth.html?") || strings.Contains(back, v.token) {
			t.Fatalf("back: %d %s", res.StatusCode, back)
		}
		return back
	}

	v := visit(t, srv, "")
	if _, code := v.step("resume", `"redirect_url": "https://yourdomain.com/oauth.html?state="`); code != "user_oauth_denied" {
		t.Errorf("back before having been there: %s", code)
	}
	if result, code := v.step("resume", fmt.Sprintf(`"redirect_url": %q`, decide(v, "deny"))); code != "user_oauth_denied" {
		t.Errorf("denied: %v", result)
	}
	back := decide(v, "allow")
	other := visit(t, srv, "")
	decide(other, "allow")
	if _, code := other.step("resume", fmt.Sprintf(`"redirect_url": %q`, back)); code != "user_oauth_denied" {
		t.Errorf("another session's return: %s", code)
	}
	for what, tampered := range map[string]string{
		"another path":   strings.Replace(back, "oauth.html", "other.html", 1),
		"another origin": strings.Replace(back, "yourdomain.com", "evil.example", 1),
		"another state":  strings.Replace(back, "state=", "state=x", 1),
		"another code":   strings.Replace(back, "code=", "code=x", 1),
		"no query":       "https://yourdomain.com/oauth.html",
		"nothing":        "",
		"no URL":         "%",
	} {
		if _, code := v.step("resume", fmt.Sprintf(`"redirect_url": %q`, tampered)); code != "user_oauth_denied" {
			t.Errorf("%s: %q", what, code)
		}
		if _, code := v.step("finish", `"account_ids": ["acc_bluefin_federal_1"]`); code != "user_error" {
			t.Errorf("%s let somebody in: %q", what, code)
		}
	}
	v.must("resume", fmt.Sprintf(`"redirect_url": %q`, strings.Replace(back, "https://y", "HTTPS://Y", 1)+"#fragment"))
	if done := v.must("finish", `"account_ids": ["acc_bluefin_federal_1"]`); done["exchangeable_token"] == nil {
		t.Errorf("done: %v", done)
	}
	for what, got := range map[string]reply{
		"a bank's page that is over": send(t, srv, "GET", "/connect/bank?"+strings.SplitN(back, "?", 2)[1], nil, ""),
		"an unknown one":             send(t, srv, "GET", "/connect/bank?state=x", nil, ""),
		"one without a state":        send(t, srv, "GET", "/connect/bank", nil, ""),
	} {
		if got.status != 409 && got.status != 404 || !strings.Contains(got.body, "Go back to the application") {
			t.Errorf("%s: %d %s", what, got.status, got.body)
		}
	}
}

// Opened with relink, a session connects its link again at once, for the launcher hands no token over then.
func TestConnectRelink(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t, sandbox.WithTokenLifetime(24*time.Hour))
	v := visit(t, srv, `, "custom_sandbox_data": {"accounts": [{"account_type": "investment", "name": "Mine", "account_number": "ü123456"}]}`)
	v.must("sign-in", signInAtAlderCreek)
	first := v.must("finish", `"account_ids": ["acc_alder_creek_1"]`)
	if got := post(t, srv, "/link-session/exchange-token", v.bearer, exchangeBody(first["exchangeable_token"].(string))); got.status != 201 {
		t.Fatal(got)
	}
	before := srv.Links()[0]
	srv.Advance(time.Minute)

	again := visit(t, srv, fmt.Sprintf(`, "existing_link_id": %q, "institution_id": "everhill", "link_tags": ["again"]`, before.LinkID))
	page := config(t, again.page("/relink", app))
	checkFields(t, page, map[string]any{"mode": "relink", "reconnecting": true, "institutions": nil})
	checkFields(t, page["preset"].(map[string]any), map[string]any{"id": "alder_creek", "name": "Alder Creek Bank", "linked": false})
	entered := again.must("sign-in", `"mode": "relink", "username": "a", "password": "b"`)
	if got := names(entered["accounts"], "name"); strings.Join(got, "") != "Mine" {
		t.Errorf("accounts: %v", got)
	}
	done := again.must("finish", `"mode": "relink", "account_ids": ["acc_alder_creek_1"]`)
	if _, ok := done["exchangeable_token"]; ok || done["link_id"] != before.LinkID {
		t.Errorf("done: %v", done)
	}
	links := srv.Links()
	if len(links) != 1 || links[0].LastSyncedAt.Equal(before.LastSyncedAt.Time) || strings.Join(links[0].LinkTags, "") != "again" {
		t.Errorf("links: %+v", links)
	}

	// A session without an existing link always has a token to exchange.
	plain := visit(t, srv, "")
	plain.must("sign-in", `"mode": "relink", `+signInAtAlderCreek)
	if done := plain.must("finish", `"account_ids": ["acc_alder_creek_1"]`); done["exchangeable_token"] == nil {
		t.Errorf("done: %v", done)
	}
}

func TestConnectFeatures(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t)
	const features = `, "customer_user": {"id": "ada-1", "email": {"address": "ada@example.com"}}, "connect_features": {"issue_reporter": true,
		"enable_money_id": true, "duplicate_institution_rejected": true, "connect_manually": true, "permit_only_one_account": true}`
	v := visit(t, srv, features)
	v.must("sign-in", signInAtAlderCreek)
	v.must("finish", `"account_ids": ["acc_alder_creek_1"], "remember": true`)

	again := visit(t, srv, features)
	c := config(t, again.page("/start", app))
	checkFields(t, c["features"].(map[string]any), map[string]any{"issue_reporter": true, "money_id": true, "reject_duplicate": true,
		"warn_of_duplicate": false, "manually": true, "one_account": true})
	if c["email"] != "ada@example.com" {
		t.Errorf("email: %v", c["email"])
	}
	for _, item := range c["institutions"].([]any) {
		in := item.(map[string]any)
		want := in["id"] == "alder_creek"
		if in["linked"] != want || in["remembered"] != want {
			t.Errorf("institution: %v", in)
		}
	}
	if _, code := again.step("sign-in", signInAtAlderCreek); code != "link_session_error.duplicate_institution" {
		t.Errorf("a duplicate: %q", code)
	}
	// Accounts entered by hand may be any number.
	for range 2 {
		byHand := visit(t, srv, features)
		byHand.must("manual", `"account_type": "depository.savings", "account_number": "12345", "routing_number": "123456780"`)
		byHand.must("finish", `"account_ids": ["acc_manual_1"]`)
	}
	// Another user is not concerned.
	stranger := config(t, visit(t, srv, strings.Replace(features, `"ada-1"`, `"eve-1"`, 1)).page("/start", app))
	for _, item := range stranger["institutions"].([]any) {
		if in := item.(map[string]any); in["linked"] != false || in["remembered"] != false {
			t.Errorf("institution: %v", in)
		}
	}
}

func TestConnectOffers(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t)
	for settings, want := range map[string]string{
		`{"countries": ["GB"]}`:       "sandbox_bank lanternfish fernmoor juniper_street",
		`{"countries": ["CA", "GB"]}`: "sandbox_bank everhill lanternfish maple_harbour fernmoor juniper_street",
		`{"countries": ["GB"], "products": {"investments": {"required": true}}}`:                                                 "sandbox_bank",
		`{"countries": ["GB"], "products": {"investments": {}}}`:                                                                 "sandbox_bank lanternfish fernmoor juniper_street",
		`{"countries": ["GB"], "link_permissions": {"requested": [{"scope": "investments", "reason": "x", "required": true}]}}`:  "sandbox_bank",
		`{"countries": ["GB"], "link_permissions": {"requested": [{"scope": "investments", "reason": "x", "required": false}]}}`: "sandbox_bank lanternfish fernmoor juniper_street",
		`{"providers": ["akoya"], "products": {"account_numbers": {"required": true}, "investments": {"required": true}}}`:       "sandbox_bank alder_creek bluefin_federal everhill northgate quillstone",
	} {
		got := strings.Join(names(config(t, visit(t, srv, `, "settings": `+settings).page("/start", app))["institutions"], "id"), " ")
		if got != want {
			t.Errorf("%s: %s, want %s", settings, got, want)
		}
	}
	preset := config(t, visit(t, srv, `, "institution_id": "chase"`).page("/start", app))["preset"].(map[string]any)
	checkFields(t, preset, map[string]any{"id": "chase", "name": "Sandbox Bank (chase)"})
}
