// A page of another origin than linkapp that opens Connect or tries to talk to it.
import { createServer } from "node:http";
import { once } from "node:events";

// serve responds to every request with html. It returns its origin under host, and how to close it.
export async function serve(html, host = "127.0.0.1") {
  const server = createServer((_, response) => response.setHeader("Content-Type", "text/html").end(html));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { origin: `http://${host}:${server.address().port}`, close: () => new Promise((done) => server.close(done).closeAllConnections()) };
}

// session creates a link session, as a back end would.
export async function session(env, request) {
  const post = (path, headers, body) => fetch(env.MONEYKIT_URL + path, { method: "POST", headers, body });
  const form = new URLSearchParams({ grant_type: "client_credentials", client_id: env.MONEYKIT_CLIENT_ID, client_secret: env.MONEYKIT_CLIENT_SECRET });
  const { access_token } = await (await post("/auth/token", {}, form)).json();
  const response = await post("/link-session", { Authorization: `Bearer ${access_token}`, "Content-Type": "application/json" },
    JSON.stringify({ customer_user: { id: "user-42" }, redirect_uri: "http://localhost:3000/oauth.html", ...request }));
  const body = await response.json();
  if (response.status !== 201) throw new Error(JSON.stringify(body));
  return body.link_session_token;
}
