import MoneyKit from "./moneykit-connect.js";

const connectURL = document.body.dataset.connectUrl;
const moneykit = new MoneyKit({ __connectSDKUIHost: connectURL, __applicationName: "Plainbook", colorScheme: "auto" });
const main = document.getElementById("main");
const message = document.getElementById("message");
const openingTimeout = 20_000;

let opener = null; // the button that Connect was opened with, while it is open
let watchdog;

// say tells the user what happened; with again, there is a button that does it once more.
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
    return { kind: "try_again", value: "Plainbook cannot be reached. Check your connection and try again." };
  }
  try {
    return await response.json();
  } catch {
    return { kind: "try_again", value: "Plainbook has a problem. Please try again in a moment." };
  }
}

async function refresh() {
  try {
    const response = await fetch("/linking/links");
    if (response.ok) document.getElementById("links").innerHTML = await response.text();
  } catch {
    // The list stays as it was; what happened has been said already.
  }
}

// start links a bank, or connects one again if there is an id.
async function start(button, id) {
  if (opener) return;
  opener = button;
  button.setAttribute("aria-busy", "true");
  say("Opening MoneyKit…");
  const session = await post("/linking/session", id ? { id } : {});
  if (session.kind !== "link_session_token") {
    close();
    say(session.value, "bad");
    return;
  }
  open(() => (id ? moneykit.relink(session.value, reconnected, exited) : moneykit.link(session.value, linked, exited)));
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

function linked(exchangeableToken) {
  // After a bank's own page in this tab it is continue() that ends, also when a link was connected again.
  if (typeof exchangeableToken !== "string") return reconnected(exchangeableToken);
  close();
  exchange({ exchangeable_token: exchangeableToken });
}

async function exchange(body) {
  say("Finishing…");
  const { kind, value } = await post("/linking/exchange-token", body);
  say(value, kind === "linked" ? "good" : "bad", kind === "try_again" ? () => exchange(body) : null);
  await refresh();
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
  else if (button?.dataset.reconnect) start(button, Number(button.dataset.reconnect));
  else if (button?.dataset.check) exchange({ id: Number(button.dataset.check) });
});

// Back from a bank's own page: in the window that Connect opened for it, or in this tab.
if (location.pathname === "/oauth") {
  const returnedTo = location.href;
  history.replaceState(null, "", "/"); // what the bank sent along is used once
  if (window.opener) {
    say("You can close this window.");
    moneykit.continue(returnedTo);
  } else {
    say("Opening MoneyKit…");
    open(() => moneykit.continue(returnedTo, linked, exited));
  }
}
