"""MoneyKit's own Python SDK, unchanged, as an application uses it."""

import json
import os
from pathlib import Path
from urllib.request import Request, urlopen

import moneykit
import pytest
from moneykit import models
from moneykit.exceptions import ApiException

URL, CLIENT_ID, CLIENT_SECRET = (os.environ["MONEYKIT_" + name] for name in ("URL", "CLIENT_ID", "CLIENT_SECRET"))
REDIRECT_URI = "https://yourdomain.com/oauth.html"
PRODUCTS = ("accounts", "account_numbers", "identity", "transactions", "investments")


def sdk(**configuration) -> moneykit.ApiClient:
    return moneykit.ApiClient(moneykit.Configuration(host=URL, **configuration))


def access_token(**changes):
    form = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, **changes}
    return moneykit.AccessTokenApi(sdk()).create_access_token(**form)


api = moneykit.LinkSessionApi(sdk(access_token=access_token().access_token))


def request(user="user-42", **fields) -> models.CreateLinkSessionRequest:
    fields = {"customer_user": models.CustomerUser(id=user), "redirect_uri": REDIRECT_URI, **fields}
    return models.CreateLinkSessionRequest(**fields)


def complete(body: models.CreateLinkSessionRequest) -> str:
    """Creates a session and completes it as its end user would; returns the exchangeable token."""
    session = json.dumps({"link_session_token": api.create_link_session(body).link_session_token})
    json_body = {"Content-Type": "application/json"}
    with urlopen(Request(URL + "/sandbox/complete", session.encode(), json_body)) as response:
        return json.load(response)["exchangeable_token"]


def exchange(token: str) -> models.ExchangeTokenResponse:
    return api.exchange_token(models.ExchangeTokenRequest(exchangeable_token=token))


def failure(status: int, model, call, *args, **kwargs):
    """Makes a call that fails with status; returns the body as the SDK's model of it, and the headers."""
    with pytest.raises(ApiException) as failed:
        call(*args, **kwargs)
    assert failed.value.status == status, failed.value
    return model.from_json(failed.value.body), failed.value.headers


def test_access_token():
    token = access_token()
    assert (token.token_type, token.expires_in) == ("bearer", 3600)


def test_access_token_with_basic_authentication():
    client = sdk(username=CLIENT_ID, password=CLIENT_SECRET)
    assert moneykit.AccessTokenApi(client).create_access_token(grant_type="client_credentials").access_token


def test_wrong_credentials():
    error, _ = failure(401, models.APIErrorAuthUnauthorizedResponse, access_token, client_secret="wrong")
    assert error.error_message


def test_wrong_grant_type():
    # Past the SDK's own check of the parameter.
    params = api.api_client.param_serialize(
        method="POST",
        resource_path="/auth/token",
        header_params={"Content-Type": "application/x-www-form-urlencoded"},
        post_params=[("grant_type", "password"), ("client_id", CLIENT_ID), ("client_secret", CLIENT_SECRET)],
    )
    response = api.api_client.call_api(*params)
    response.read()
    assert response.status == 400
    assert models.APIErrorAuthUnauthorizedResponse.from_json(response.data.decode()).error_message


def test_a_session_becomes_a_link_once():
    token = complete(request())
    response = exchange(token)
    assert response.link_id == response.link.link_id
    assert response.link.state == "connected"
    error, _ = failure(400, models.LinkSessionErrorInvalidTokenExchange, exchange, token)
    assert error.error_code == "link_session_error.invalid_token_exchange"


def test_every_field():
    first = exchange(complete(request()))
    fields = json.loads(Path("../wire/every-field.json").read_text())
    fields["existing_link_id"] = first.link.link_id
    body = models.CreateLinkSessionRequest.from_dict(fields)
    link = exchange(complete(body)).link
    assert link.link_id == first.link.link_id
    assert link.tags == ["smoke_test", "user_type:admin"]


def test_every_product():
    fields = {"settings": {"products": {name: {} for name in PRODUCTS[1:]}}}
    body = request(settings=models.LinkSessionSettingOverrides.from_dict(fields["settings"]))
    products = exchange(complete(body)).link.products
    for name in PRODUCTS:
        product = getattr(products, name)
        assert product is not None, name
        assert product.settings.required is False and product.settings.prefetch is False, name


def test_a_wrong_access_token():
    client = moneykit.LinkSessionApi(sdk(access_token="wrong"))
    error, _ = failure(401, models.APIErrorAuthUnauthorizedResponse, client.create_link_session, request())
    assert error.error_code == "api_error.auth.unauthorized"


def test_a_redirect_uri_that_is_not_registered():
    elsewhere = request(redirect_uri="https://elsewhere.example/oauth.html")
    error, _ = failure(403, models.LinkSessionErrorForbiddenConfigResponse, api.create_link_session, elsewhere)
    assert error.error_code == "link_session_error.forbidden_config"


def test_an_invalid_request():
    error, _ = failure(422, models.HTTPValidationError, api.create_link_session, request(link_tags=["fine", "-"]))
    assert locations(error) == [["body", "link_tags", 1]]


@pytest.mark.parametrize("user", ["42", "u" * 151])
def test_an_id_of_a_wrong_length(user):
    # Past the SDK's own check of the length.
    body = request(customer_user=models.CustomerUser.model_construct(id=user))
    error, _ = failure(422, models.HTTPValidationError, api.create_link_session, body)
    assert locations(error) == [["body", "customer_user", "id"]]


def locations(error: models.HTTPValidationError) -> list[list[str | int]]:
    return [[item.actual_instance for item in e.location] for e in error.validation_errors]


def test_the_rate_limit():
    for _ in range(20):
        api.create_link_session(request("hasty"))
    limited = failure(429, models.APIErrorRateLimitExceededResponse, api.create_link_session, request("hasty"))
    error, headers = limited
    assert error.error_code == "api_error.rate_limit_exceeded"
    assert int(headers["Retry-After"]) > 0
