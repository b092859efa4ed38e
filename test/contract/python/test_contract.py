"""The contract in Python, through openapi-python-client."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from every_field import every_field

import httpx
from moneykit import AuthenticatedClient
from moneykit.api.link_session import create_link_session, exchange_token
from moneykit.models import (
    CreateLinkSessionRequest,
    ExchangeTokenRequest,
    LinkCommon,
    LinkProductRefreshWebhook,
    LinkSessionCustomerUser,
    LinkStateChangedWebhook,
    Provider,
    HTTPValidationError,
    TransactionUpdatesAvailableWebhook,
)

URL, CLIENT_ID, CLIENT_SECRET = (os.environ["MONEYKIT_" + name] for name in ("URL", "CLIENT_ID", "CLIENT_SECRET"))
REDIRECT_URI = "https://yourdomain.com/oauth.html"

form = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
access_token = httpx.post(URL + "/auth/token", data=form).raise_for_status().json()["access_token"]
moneykit = AuthenticatedClient(URL, token=access_token, headers={"MoneyKit-Version": "2023-02-18"})

request = CreateLinkSessionRequest(customer_user=LinkSessionCustomerUser("user-42"), redirect_uri=REDIRECT_URI)
session = create_link_session.sync_detailed(client=moneykit, body=request)
if session.status_code != 201:
    raise RuntimeError(session.parsed.error_code)
print(session.parsed.link_session_token)  # goes to MoneyKit Connect, which returns an exchangeable token


# docs:begin timestamp
def utc(at: datetime) -> datetime:
    """Without a zone a timestamp of the contract is UTC, where Python would read it as local time."""
    return at if at.tzinfo else at.replace(tzinfo=UTC)


# docs:end


def create(client=moneykit, **fields):
    body = CreateLinkSessionRequest(**{"redirect_uri": REDIRECT_URI, **fields})
    return create_link_session.sync_detailed(client=client, body=body)


def completed(body: CreateLinkSessionRequest) -> str:
    """Creates a session and completes it as its end user would; returns the exchangeable token."""
    session = create_link_session.sync_detailed(client=moneykit, body=body)
    assert session.status_code == 201, session.content
    response = httpx.post(URL + "/sandbox/complete", json={"link_session_token": session.parsed.link_session_token})
    return response.raise_for_status().json()["exchangeable_token"]


def exchange(token: str):
    return exchange_token.sync_detailed(client=moneykit, body=ExchangeTokenRequest(token))


def prepared(name: str) -> LinkCommon:
    problem = {"operation": "exchange_token", "status": 201, "body": Path("../wire", name).read_text()}
    httpx.post(URL + "/sandbox/fail", json=problem).raise_for_status()
    return exchange("any").parsed.link


def test_a_session_becomes_a_link_once():
    token = completed(request)
    link = exchange(token).parsed.link
    assert (link.state, link.provider) == ("connected", Provider.MONEYKIT)
    again = exchange(token)
    assert (again.status_code, again.parsed.error_code) == (400, "link_session_error.invalid_token_exchange")


def test_every_field_is_sent():
    first = exchange(completed(request)).parsed
    again = exchange(completed(every_field(first.link.link_id))).parsed
    assert again.link.link_tags == ["smoke_test", "user_type:admin"]


def test_a_wrong_token_is_rejected():
    wrong = AuthenticatedClient(URL, token="wrong", headers={"MoneyKit-Version": "2023-02-18"})
    failed = create(wrong, customer_user=LinkSessionCustomerUser("user-42"))
    assert (failed.status_code, failed.parsed.error_code) == (401, "api_error.auth.unauthorized")


def test_an_invalid_request_names_the_fields():
    failed = create(customer_user=LinkSessionCustomerUser(""), link_tags=["fine", "-"])
    assert failed.status_code == 422
    assert isinstance(failed.parsed, HTTPValidationError)
    locations = [problem.location for problem in failed.parsed.validation_errors]
    assert locations == [["body", "customer_user", "id"], ["body", "link_tags", 1]]


def test_the_rate_limit_says_how_long_to_wait():
    *_, last = [create(customer_user=LinkSessionCustomerUser("hasty")) for _ in range(21)]
    assert (last.status_code, last.parsed.error_code) == (429, "api_error.rate_limit_exceeded")
    assert int(last.headers["Retry-After"]) > 0


def test_unknown_values_are_kept():
    link = prepared("unknown-link.json")
    assert (link.provider, link.state, link.error_code) == ("bank_of_tomorrow", "paused", "bank_on_holiday")
    assert link.products.accounts.error_code == "moon_phase"
    assert link.available_products == ["accounts", "loans"]
    for at in (link.last_synced_at, link.products.accounts.refreshed_at, link.products.accounts.last_attempted_at):
        assert utc(at) == datetime(2023, 2, 16, 9, 14, 11, tzinfo=UTC)


@pytest.mark.parametrize("field", ["provider", "error_code", "last_synced_at", "link_tags", "webhook"])
def test_null_reads_as_absent(field):
    link = prepared("null-link.json")
    assert not getattr(link, field)
    assert link.products.identity is None and link.products.accounts.settings is None


EVENTS = {
    "link.state_changed": LinkStateChangedWebhook,
    "link.product_refresh": LinkProductRefreshWebhook,
    "transactions.updates_available": TransactionUpdatesAvailableWebhook,
}


def event(name: str):
    """Decodes an event; None for one that the contract does not have."""
    body = json.loads(Path("../wire/events", name + ".json").read_text())
    model = EVENTS.get(body["webhook_event"])
    return model and model.from_dict(body)


def test_events():
    changed, refresh, transactions = map(
        event, ("link-state-changed", "link-product-refresh", "transactions-updates-available")
    )
    for decoded, kind in zip((changed, refresh, transactions), EVENTS):
        assert (decoded.webhook_event, decoded.link_id) == (kind, "mk_eqkWN34UEoa2NxyALG8pcV")
        assert decoded.link_tags == ["smoke_test", "user_type:admin"]
        assert utc(decoded.webhook_timestamp) == datetime(2023, 2, 16, 9, 14, 11, tzinfo=UTC)
    assert (changed.state, changed.error) == ("connected", None)
    assert (refresh.product, refresh.state) == ("accounts", "completed")
    assert transactions.has_history is True


def test_unknown_and_null_in_events():
    unknown = event("unknown-values")
    assert (unknown.state, unknown.error) == ("paused", "bank_on_holiday")
    assert event("unknown-event") is None
    null = event("null-fields")
    assert null.link_tags is None and null.has_history is None and null.webhook_major_version is None
