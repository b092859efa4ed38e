// The contract in TypeScript: types by openapi-typescript, calls by openapi-fetch.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { everyField } from "./every-field.js";
import createClient from "openapi-fetch";
import type { components, paths } from "./generated/moneykit.js";

const { MONEYKIT_URL: baseUrl = "", MONEYKIT_CLIENT_ID = "", MONEYKIT_CLIENT_SECRET = "" } = process.env;
const redirect_uri = "https://yourdomain.com/oauth.html";

const form = { grant_type: "client_credentials", client_id: MONEYKIT_CLIENT_ID, client_secret: MONEYKIT_CLIENT_SECRET };
const response = await fetch(`${baseUrl}/auth/token`, { method: "POST", body: new URLSearchParams(form) });
const { access_token } = (await response.json()) as { access_token: string };

const headers = { Authorization: `Bearer ${access_token}`, "MoneyKit-Version": "2023-02-18" };
const moneykit = createClient<paths>({ baseUrl, headers });

const { data: session, error } = await moneykit.POST("/link-session", {
  body: { customer_user: { id: "user-42" }, redirect_uri },
});
if (error) throw new Error(error.error_code);
console.log(session.link_session_token); // goes to MoneyKit Connect, which returns an exchangeable token

// docs:begin timestamp
/** Reads a timestamp of the contract. Without a zone it is UTC, where Date would read it as local time. */
const time = (at: string) => new Date(/(Z|[+-]\d\d:\d\d)$/i.test(at) ? at : at + "Z");
// docs:end

const sandbox = (path: string, body: object) =>
  fetch(`${baseUrl}/sandbox/${path}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

/** Creates a session and completes it as its end user would; returns the exchangeable token. */
async function completed(body: components["schemas"]["CreateLinkSessionRequest"]): Promise<string> {
  const { data, error } = await moneykit.POST("/link-session", { body });
  assert.ok(data, JSON.stringify(error));
  const response = await sandbox("complete", { link_session_token: data.link_session_token });
  return ((await response.json()) as { exchangeable_token: string }).exchangeable_token;
}

const exchange = (exchangeable_token: string) =>
  moneykit.POST("/link-session/exchange-token", { body: { exchangeable_token } });

async function prepared(file: string): Promise<components["schemas"]["LinkCommon"]> {
  await sandbox("fail", { operation: "exchange_token", status: 201, body: await readFile(`../wire/${file}`, "utf8") });
  const { data } = await exchange("any");
  assert.ok(data);
  return data.link;
}

test("a session becomes a link, once", async () => {
  const settings = { products: { identity: {} } }; // requested with the defaults
  const token = await completed({ customer_user: { id: "user-42" }, redirect_uri, settings });
  const first = await exchange(token);
  assert.equal(first.data?.link.state, "connected");
  assert.equal(first.data?.link.provider, "moneykit");
  assert.ok(first.data.link.products.identity);
  const again = await exchange(token);
  assert.equal(again.response.status, 400);
  assert.equal(again.error?.error_code, "link_session_error.invalid_token_exchange");
});

test("every field is sent", async () => {
  const first = await exchange(await completed({ customer_user: { id: "user-42" }, redirect_uri }));
  const again = await exchange(await completed(everyField(first.data!.link.link_id)));
  assert.deepEqual(again.data?.link.link_tags, ["smoke_test", "user_type:admin"]);
});

test("a wrong token is rejected", async () => {
  const { error, response } = await moneykit.POST("/link-session", {
    headers: { Authorization: "Bearer wrong" },
    body: { customer_user: { id: "user-42" }, redirect_uri },
  });
  assert.equal(response.status, 401);
  assert.equal(error?.error_code, "api_error.auth.unauthorized");
});

test("an invalid request names the fields", async () => {
  const { error, response } = await moneykit.POST("/link-session", {
    body: { customer_user: { id: "" }, redirect_uri, link_tags: ["fine", "-"] },
  });
  assert.equal(response.status, 422);
  assert.ok(error && "validation_errors" in error);
  const locations = error.validation_errors.map((problem) => problem.location);
  assert.deepEqual(locations, [["body", "customer_user", "id"], ["body", "link_tags", 1]]);
});

test("the rate limit says how long to wait", async () => {
  for (let n = 0; n <= 20; n++) {
    const { error, response } = await moneykit.POST("/link-session", {
      body: { customer_user: { id: "hasty" }, redirect_uri },
    });
    if (n < 20) continue;
    assert.equal(response.status, 429);
    assert.equal(error?.error_code, "api_error.rate_limit_exceeded");
    assert.match(response.headers.get("Retry-After") ?? "", /^\d+$/);
  }
});

test("unknown values are kept", async () => {
  const link = await prepared("unknown-link.json");
  assert.equal(link.provider, "bank_of_tomorrow");
  assert.equal(link.state, "paused");
  assert.equal(link.error_code, "bank_on_holiday");
  assert.equal(link.products.accounts?.error_code, "moon_phase");
  assert.deepEqual(link.available_products, ["accounts", "loans"]);
  for (const at of [link.last_synced_at, link.products.accounts?.refreshed_at, link.products.accounts?.last_attempted_at])
    assert.equal(time(at!).toISOString(), "2023-02-16T09:14:11.000Z");
});

test("null reads as absent", async () => {
  const link = await prepared("null-link.json");
  assert.equal(link.provider ?? link.error_code ?? link.last_synced_at ?? link.products.identity, null);
  assert.equal(link.products.account_numbers?.settings?.prefetch ?? "absent", "absent");
});

type Event = components["schemas"]["LinkWebhookEvent"];
const event = async (file: string) => JSON.parse(await readFile(`../wire/events/${file}.json`, "utf8")) as Event;

/** What an event says, by its name. */
function said(event: Event) {
  switch (event.webhook_event) {
    case "link.state_changed":
      return [event.state, event.error];
    case "link.product_refresh":
      return [event.product, event.state];
    case "transactions.updates_available":
      return [event.has_history];
    default:
      return "ignored";
  }
}

test("events", async () => {
  for (const [file, name, want] of [
    ["link-state-changed", "link.state_changed", ["connected", null]],
    ["link-product-refresh", "link.product_refresh", ["accounts", "completed"]],
    ["transactions-updates-available", "transactions.updates_available", [true]],
  ] as const) {
    const got = await event(file);
    assert.deepEqual([got.webhook_event, got.link_id], [name, "mk_eqkWN34UEoa2NxyALG8pcV"]);
    assert.deepEqual(got.link_tags, ["smoke_test", "user_type:admin"]);
    assert.equal(time(got.webhook_timestamp).toISOString(), "2023-02-16T09:14:11.000Z");
    assert.deepEqual(said(got), want);
  }
});

test("unknown values and null in events", async () => {
  assert.deepEqual(said(await event("unknown-values")), ["paused", "bank_on_holiday"]);
  assert.equal(said(await event("unknown-event")), "ignored");
  const empty = await event("null-fields");
  assert.equal(empty.link_tags ?? empty.webhook_major_version, null);
  assert.deepEqual(said(empty), [null]);
});
