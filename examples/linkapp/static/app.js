import MoneyKit from "./moneykit-connect.js";

const connectURL = document.body.dataset.connectUrl;
const moneykit = new MoneyKit({ __connectSDKUIHost: connectURL, __applicationName: "Plainbook", colorScheme: "auto" });
const main = document.getElementById("main");
const message = document.getElementById("message");
const openingTimeout = 20_000;

let opener = null; // the button that Connect was opened with, while it is open
let attempt = ""; // the ID of the attempt that Connect is open for
let unconfirmed = ""; // the ID of the attempt that the message reports as not confirmed
let watchdog;

// say shows what happened; with again, there is a button that does it once more.
function say(text, kind = "", again = null) {
  message.className = kind;
  message.firstElementChild.textContent = text;
  const button = message.querySelector("button");
  button.hidden = !again;
  button.onclick = again;
}

async function post(path, body) {
  let response;
  try {
    response = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  } catch {
    return { kind: "try_again", message: "Plainbook cannot be reached. Check your connection and try again." };
  }
  try {
    return await response.json();
  } catch {
    return { kind: "try_again", message: "Plainbook has a problem. Please try again in a moment." };
  }
}

// The server sends the list whenever it has changed, and the browser connects again when the connection ends.
new EventSource("/linking/changes").onmessage = ({ data }) => {
  const links = document.getElementById("links");
  const focused = links.contains(document.activeElement) && document.activeElement.closest("[data-attempt]").dataset.attempt;
  links.innerHTML = JSON.parse(data);
  if (focused) (row(focused)?.querySelector("button") ?? document.getElementById("link")).focus();
  showConfirmed();
};

const row = (id) => document.querySelector(`[data-attempt="${CSS.escape(id)}"]`);

// showConfirmed replaces the message about an attempt that was not confirmed, once it is.
function showConfirmed() {
  const confirmed = row(unconfirmed);
  if (confirmed?.dataset.status !== "linked") return;
  unconfirmed = "";
  say(`${confirmed.querySelector("strong").textContent} is linked.`, "good");
}

// start links a bank, or connects one again if reconnect is the ID of the attempt that linked it.
async function start(button, reconnect = "") {
  if (opener) return;
  opener = button;
  button.setAttribute("aria-busy", "true");
  say("Opening MoneyKit…");
  const session = await post("/linking/session", { reconnect });
  if (session.kind !== "session") {
    close();
    say(session.message, "bad");
    return;
  }
  attempt = session.id;
  const token = session.link_session_token;
  open(() => (reconnect ? moneykit.relink(token, reconnected, exited) : moneykit.link(token, linked, exited)));
}

// open runs the launcher, whose frame covers the page, and gives up on a frame in which nothing happens.
function open(launch) {
  main.inert = true;
  watchdog = setTimeout(() => {
    document.getElementById("moneykit-connect-frame")?.remove();
    close();
    say("MoneyKit did not open. Check your connection and try again.", "bad");
  }, openingTimeout);
  launch();
}

window.addEventListener("message", ({ origin }) => {
  if (origin === connectURL) clearTimeout(watchdog);
});

function close() {
  clearTimeout(watchdog);
  main.inert = false;
  opener?.removeAttribute("aria-busy");
  (opener?.isConnected ? opener : document.getElementById("link")).focus();
  opener = null;
}

function linked(exchangeableToken, institution) {
  // After a bank's own page in this tab it is continue() that ends, also when a link was connected again.
  if (typeof exchangeableToken !== "string") return reconnected(exchangeableToken);
  close();
  exchange({ id: attempt, exchangeable_token: exchangeableToken, institution: institution.name });
}

async function exchange(body) {
  say("Finishing…");
  const { kind, message: text } = await post("/linking/exchange-token", body);
  say(text, { linked: "good", unconfirmed: "" }[kind] ?? "bad", kind === "try_again" ? () => exchange(body) : null);
  unconfirmed = kind === "linked" ? "" : body.id;
  showConfirmed(); // the event may have come first
}

function reconnected(institution) {
  close();
  say(`${institution.name} is connected again.`, "good");
}

function exited(error) {
  close();
  if (!error) say("You closed MoneyKit. Nothing was linked.");
  else if (error.error_id === "link_session_error.session_expired") say("That took too long, and the session has expired. Nothing was linked; start again when you are ready.", "bad");
  else say(`Your bank was not linked. ${error.displayed_message}`, "bad");
}

document.addEventListener("click", ({ target }) => {
  const button = target.closest("button");
  if (button?.id === "link") start(button);
  else if (button?.dataset.reconnect) start(button, button.dataset.reconnect);
  else if (button?.dataset.check) exchange({ id: button.dataset.check });
});

// Back from a bank's own page: in the window that Connect opened for it, or in this tab.
if (location.pathname.startsWith("/oauth/")) {
  const returnedTo = location.href;
  attempt = location.pathname.split("/")[2];
  history.replaceState(null, "", "/"); // what the bank sent along is used once
  if (window.opener) {
    say("You can close this window.");
    moneykit.continue(returnedTo);
  } else {
    say("Opening MoneyKit…");
    open(() => moneykit.continue(returnedTo, linked, exited));
  }
}
