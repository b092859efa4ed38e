"""Events of the sandbox, verified with PyJWT as in MoneyKit's example back end, and decoded with its SDK's models."""

import hashlib
import hmac
import json
import queue
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.request import Request, urlopen

import jwt
import moneykit
import pytest
from moneykit import models
from test_sdk import CLIENT_ID, URL, access_token, complete, exchange, request, sdk

MODELS = {
    "link.state_changed": models.AppLinkStateChangedWebhook,
    "link.product_refresh": getattr(models, "ProductStateChangedWebhook", None),  # not in old versions
    "transactions.updates_available": models.TransactionUpdatesAvailableWebhook,
}
KINDS = tuple(MODELS)


def control(path: str, body: dict | None = None):
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"} if data else {}
    with urlopen(Request(f"{URL}/sandbox/{path}", data, headers, method="POST" if data else "GET")) as response:
        return json.loads(response.read() or "null")


def key_of(token: str) -> jwt.PyJWK:
    keys = jwt.PyJWKClient(f"{URL}/.well-known/jwks.json", headers={"X-Client-Id": CLIENT_ID})
    return keys.get_signing_key_from_jwt(token)


def verify(token: str, body: bytes) -> None:
    assert jwt.get_unverified_header(token) | {"kid": ""} == {"alg": "ES256", "kid": "", "typ": "JWT"}
    claims = jwt.decode(token, key_of(token), algorithms=["ES256"], issuer="https://api.moneykit.com")
    assert set(claims) == {"iss", "iat", "request_body_sha256"}
    if claims["iat"] < time.time() - 5 * 60:
        raise jwt.ExpiredSignatureError
    if not hmac.compare_digest(claims["request_body_sha256"], hashlib.sha256(body).hexdigest()):
        raise jwt.InvalidSignatureError


class Backend(BaseHTTPRequestHandler):
    events: queue.SimpleQueue = queue.SimpleQueue()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            verify(self.headers["MoneyKit-Signature"], body)
            status = 200
        except jwt.PyJWTError as err:
            status = 400
            self.events.put(err)
        else:
            self.events.put((self.headers, json.loads(body)))
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def webhook():
    server = HTTPServer(("127.0.0.1", 0), Backend)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/moneykit/webhook"
    server.shutdown()


def link(webhook: str) -> str:
    settings = models.LinkSessionSettingOverrides.from_dict({"products": {"transactions": {}}})
    body = request(webhook=webhook, link_tags=["attempt:1"], settings=settings)
    return exchange(complete(body)).link.link_id


def next_event():
    return Backend.events.get(timeout=10)


def test_events(webhook):
    link_id = link(webhook)
    events = [next_event() for _ in range(4)]
    assert [body["webhook_event"] for _, body in events] == [KINDS[0], KINDS[1], KINDS[1], KINDS[2]]
    for headers, body in events:
        assert headers["Content-Type"] == "application/json"
        assert headers["MoneyKit-Delivery-Token"] and headers["MoneyKit-Delivery-Attempt"] == "1"
        assert (body["link_id"], body["link_tags"]) == (link_id, ["attempt:1"])
        if (model := MODELS[body["webhook_event"]]) is None:
            continue
        event = model.from_dict(body)
        assert (event.link_id, event.webhook_idempotency_key) == (link_id, body["webhook_idempotency_key"])
    connected = models.AppLinkStateChangedWebhook.from_dict(events[0][1])
    assert (connected.state, connected.error) == ("connected", None)


@pytest.mark.parametrize("kind", models.WebhookLinkTestEvent)
def test_test_event(webhook, kind):
    link_id = link(webhook)
    for _ in range(4):
        next_event()
    test = models.WebhookTestLinkRequest(webhook_event=kind, webhook_idempotency_key="my-key")
    api = moneykit.WebhooksApi(sdk(access_token=access_token().access_token))
    sent = api.trigger_test_link_webhook_event(link_id, test)
    headers, body = next_event()
    assert headers["MoneyKit-Delivery-Token"] == sent.delivery_token
    assert (body["webhook_event"], body["webhook_idempotency_key"]) == (kind.value, "my-key")


@pytest.mark.parametrize("fault", ["wrong_signature", "stale"])
def test_invalid_event_is_rejected_and_sent_again(webhook, fault):
    control("fail-delivery", {"webhook_event": KINDS[0], fault: True})
    link_id = link(webhook)
    assert isinstance(next_event(), jwt.ExpiredSignatureError if fault == "stale" else jwt.InvalidSignatureError)
    assert {next_event()[1]["webhook_event"] for _ in range(3)} == set(KINDS[1:])
    control("advance", {"seconds": 10})
    headers, body = next_event()
    assert (headers["MoneyKit-Delivery-Attempt"], body["webhook_event"], body["link_id"]) == ("2", KINDS[0], link_id)


def test_rotation(webhook):
    control("rotate-keys", {})
    link(webhook)
    assert [next_event()[1]["webhook_event"] for _ in range(4)] == [KINDS[0], KINDS[1], KINDS[1], KINDS[2]]
