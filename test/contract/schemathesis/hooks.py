"""Hooks for Schemathesis: they create the tokens and links that valid requests name, which a schema cannot express."""

import os

import requests
import schemathesis
from schemathesis import GenerationMode

URL, CLIENT_ID, CLIENT_SECRET = (os.environ["MONEYKIT_" + name] for name in ("URL", "CLIENT_ID", "CLIENT_SECRET"))
REDIRECT_URI = "https://yourdomain.com/oauth.html"


def post(path: str, **kwargs) -> dict:
    response = requests.post(URL + path, timeout=10, **kwargs)
    response.raise_for_status()
    return response.json()


def access_token() -> str:
    form = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    return post("/auth/token", data=form)["access_token"]


AUTHORIZATION = {"Authorization": "Bearer " + access_token()}


def session() -> str:
    body = {"customer_user": {"id": "user-42"}, "redirect_uri": REDIRECT_URI}
    return post("/link-session", json=body, headers=AUTHORIZATION)["link_session_token"]


def exchangeable_token(link_session_token: str) -> str:
    return post("/sandbox/complete", json={"link_session_token": link_session_token})["exchangeable_token"]


def link() -> str:
    body = {"exchangeable_token": exchangeable_token(session())}
    return post("/link-session/exchange-token", json=body, headers=AUTHORIZATION)["link"]["link_id"]


links = {link()}
sessions: set[str] = set()  # created by Schemathesis, not yet completed


@schemathesis.auth()
class AccessToken:
    def get(self, case, context):
        return AUTHORIZATION

    def set(self, case, data, context):
        case.headers.update(data)


@schemathesis.hook
def before_load_schema(context, raw_schema):
    # The stateful phase: a session is exchanged for a link, and a session is created for an existing link.
    paths = raw_schema["paths"]
    paths["/link-session"]["post"]["responses"]["201"]["links"] = {
        "exchange": {
            "operationId": "exchange_token",
            "requestBody": {"exchangeable_token": "$response.body#/link_session_token"},
        }
    }
    paths["/link-session/exchange-token"]["post"]["responses"]["201"]["links"] = {
        "relink": {
            "operationId": "create_link_session",
            "requestBody": {"existing_link_id": "$response.body#/link/link_id"},
        }
    }
    # The timestamps of responses may lack a zone, which the format date-time does not allow.
    for name in ("LinkCommon", "LinkProductResponse", "TransactionsLinkProduct"):
        for field in raw_schema["components"]["schemas"][name]["properties"].values():
            if field.get("format") == "date-time":
                del field["format"]
                field["pattern"] = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?$"


@schemathesis.hook
def before_call(context, case, kwargs):
    # Only requests that are valid by the schema; the others must be rejected as they are.
    body = case.body
    if case.meta is None or case.meta.generation.mode != GenerationMode.POSITIVE or not isinstance(body, dict):
        return
    if "exchangeable_token" in body:
        token = body["exchangeable_token"]
        if token in sessions:
            sessions.remove(token)
        else:
            token = session()
        body["exchangeable_token"] = exchangeable_token(token)
    if "redirect_uri" in body:
        body["redirect_uri"] = REDIRECT_URI
    if isinstance(body.get("existing_link_id"), str) and body["existing_link_id"] not in links:
        body["existing_link_id"] = next(iter(links))
    for account in (body.get("custom_sandbox_data") or {}).get("accounts", ()):
        if account.get("routing_number") is not None:
            account["routing_number"] = "021000021"


@schemathesis.hook
def after_call(context, case, response):
    if response.status_code != 201:
        return
    created = response.json()
    if case.operation.path == "/link-session":
        sessions.add(created["link_session_token"])
    else:
        links.add(created["link"]["link_id"])
