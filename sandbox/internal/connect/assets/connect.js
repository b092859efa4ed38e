// Connect: the screens that an end user goes through, and the messages to the page that opened it.

const config = JSON.parse(document.getElementById("config").textContent);
const byID = (id) => document.getElementById(id);
const screen = byID("screen");

let mode = config.mode || "link"; // or relink
let institution = null;
let accounts = [];
let selected = []; // account ids
let declined = []; // product ids
let remember = false;
let finished = null; // what was linked, once it was
let failure = null; // the error to exit with
let closed = false;
let goBack = null;
let popup = null;

// Messages to the application. They go to the origin that the page was opened for, and to no other.

function post(type, data) {
  const message = data === undefined ? { moneykit: true, type } : { moneykit: true, type, data };
  if (window.parent !== window) window.parent.postMessage(message, config.origin);
}

function emit(name, properties = {}) {
  post("link.event", { name, properties, timestamp: new Date().toISOString() });
}

function exit(error) {
  if (closed) return;
  closed = true;
  document.body.classList.add("closing");
  emit("exit");
  post("link.exit", { error });
}

function complete() {
  if (closed) return;
  closed = true;
  document.body.classList.add("closing");
  emit("success");
  const linked = { ...finished.institution, trackedScreens: config.step_timers ? tracked : [] };
  if (mode === "relink") post("relink.complete", { institution: linked, link_id: finished.link_id });
  else post("link.complete", { exchangeableToken: finished.exchangeable_token, institution: linked, link_id: finished.link_id });
}

window.addEventListener("message", (event) => {
  const { moneykit, type, data, eventData } = Object(event.data);
  if (!moneykit) return;
  if (event.source === window.parent && event.origin === config.origin) {
    if (type === "connect.set_color_scheme") document.documentElement.dataset.scheme = data?.colorScheme;
    if (type === "connect.set_theme") setAccent(data?.theme?.colors?.accent);
  }
  // The page at the session's redirect_uri, in the window that was opened for the bank.
  if (popup && event.source === popup && event.origin === config.return_origin && type === "link.resume") resume(eventData?.redirectURL);
});

function setAccent(accent) {
  const { light, dark } = typeof accent === "string" ? { light: accent, dark: accent } : Object(accent);
  if (light) document.documentElement.style.setProperty("--accent-light", light);
  if (dark) document.documentElement.style.setProperty("--accent-dark", dark);
}

// Steps, which the sandbox takes.

class StepError extends Error {
  constructor(id, message, requestID) {
    super(message);
    this.exit = { error_id: id, displayed_message: message, request_id: requestID };
  }
}

async function step(name, body) {
  let response, result;
  try {
    response = await fetch(`/connect/${name}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ ...body, link_session_token: config.token, mode }),
    });
    result = await response.json();
  } catch {
    throw new StepError("system_error", "MoneyKit cannot be reached. Check your connection and try again.", null);
  }
  if (response.ok) return result;
  throw new StepError(result.error_code, result.error_message, response.headers.get("X-Request-Id"));
}

// What an end user can put right on the screen where it happened.
const correctable = ["invalid_credentials", "user_input_incorrect", "user_error", "system_error"];

// submitting makes a form send with what send does, once at a time, and show what can be put right.
function submitting(form, send) {
  const error = form.querySelector(".error");
  const button = form.querySelector("[type=submit]");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.getAttribute("aria-busy")) return;
    button.setAttribute("aria-busy", "true");
    error.textContent = "";
    try {
      await send(Object.fromEntries(new FormData(form)));
    } catch (problem) {
      if (!(problem instanceof StepError)) throw problem;
      if (!correctable.includes(problem.exit.error_id)) return fail(problem);
      emit("error", problem.exit);
      error.textContent = problem.message;
      for (const input of form.querySelectorAll("[aria-describedby=problem-text]")) {
        input.setAttribute("aria-invalid", "true");
        input.addEventListener("input", () => input.removeAttribute("aria-invalid"), { once: true });
      }
      form.querySelector("input:not([type=hidden])")?.focus();
    } finally {
      button.removeAttribute("aria-busy");
    }
  });
}

// Screens.

const tracked = [];
let shownAt = 0;

// show puts a screen on the page, and the focus on its title so that it is read out.
function show(id, name, back, fill) {
  if (tracked.length) tracked.at(-1).duration = (performance.now() - shownAt) / 1000;
  tracked.push({ tag: id, name, duration: 0 });
  shownAt = performance.now();
  screen.replaceChildren(byID(id).content.cloneNode(true));
  screen.dataset.screen = id;
  goBack = back;
  byID("back").hidden = !back;
  const who = screen.querySelector(".who");
  if (who) who.append(badge(institution));
  for (const place of screen.querySelectorAll("[data-application]")) place.textContent = config.application;
  fill((selector) => screen.querySelector(selector));
  document.querySelector(".card").scrollTop = 0;
  byID("title").focus();
  emit("change_screen", { current_screen_name: name });
}

function element(tag, className, ...children) {
  const made = document.createElement(tag);
  made.className = className;
  made.append(...children);
  return made;
}

function badge(of) {
  const initials = of.name.split(/\s+/).slice(0, 2).map((word) => word[0]).join("").toUpperCase();
  const made = element("span", "badge", initials);
  made.style.backgroundColor = of.color;
  made.setAttribute("aria-hidden", "true");
  return made;
}

function finder() {
  institution = null;
  failure = null;
  show("finder", "Finder", null, ($) => {
    const search = $("#search");
    const list = (announce) => {
      const term = search.value.trim().toLowerCase();
      const found = config.institutions.filter((in_) => `${in_.name} ${in_.domain}`.toLowerCase().includes(term));
      found.sort((a, b) => b.remembered - a.remembered);
      $("#found").replaceChildren(...found.map((in_) => {
        const text = element("span", "", element("span", "name", in_.name), element("span", "quiet", in_.domain));
        const button = element("button", "institution", badge(in_), text);
        button.type = "button";
        if (in_.remembered) button.append(element("span", "tag", "Money ID"));
        else if (in_.linked) button.append(element("span", "tag", "Linked"));
        button.addEventListener("click", () => choose(in_));
        return element("li", "", button);
      }));
      const none = $(".nothing");
      none.hidden = found.length > 0;
      none.querySelector(".quiet").textContent = config.institutions.length
        ? "Check the spelling, or try the name of the website."
        : "None offers what this application asks for in this country.";
      if (announce) byID("announcement").textContent = found.length === 1 ? "1 institution" : `${found.length} institutions`;
    };
    search.addEventListener("input", () => list(true));
    search.addEventListener("change", () => search.value && emit("search_institution", { search_term: search.value }));
    screen.onkeydown = (event) => {
      const all = [search, ...screen.querySelectorAll(".institution")];
      const at = all.indexOf(document.activeElement) + { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (all.includes(document.activeElement) && all[at]) {
        event.preventDefault();
        all[at].focus();
      }
    };
    const manually = $(".manually");
    manually.hidden = !config.features.manually;
    manually.addEventListener("click", manualEntry);
    list(false);
  });
}

// first is where a session begins: the choice of an institution, unless that is made.
function first() {
  if (config.preset) choose(config.preset);
  else finder();
}

const backToStart = () => (config.preset ? null : finder);

function choose(picked, again = false) {
  institution = picked;
  failure = null;
  if (!again) emit("select_institution", { institution_id: picked.id, institution_name: picked.name });
  const duplicate = picked.linked && (config.features.reject_duplicate || config.features.warn_of_duplicate);
  if (duplicate && !again) show("duplicate", "Duplicate", backToStart(), ($) => {
    $(".lead").textContent = config.features.reject_duplicate
      ? `You have linked ${picked.name} before, and ${config.application} takes each bank once.`
      : `You have linked ${picked.name} before. If you link it again, you may see the same accounts twice.`;
    const other = $("[data-do=other]");
    other.hidden = Boolean(config.preset);
    other.addEventListener("click", finder);
    $("[data-do=again]").hidden = config.features.reject_duplicate;
    $("[data-do=again]").addEventListener("click", () => choose(picked, true));
  });
  else if (picked.sign_in === "oauth") oauth();
  else credentials();
}

const verb = () => (config.reconnecting ? "Reconnect" : "Sign in to");

function credentials() {
  show("credentials", "Credentials", backToStart(), ($) => {
    byID("title").textContent = `${verb()} ${institution.name}`;
    submitting($("form"), async ({ username, password }) => {
      emit("submit_credentials");
      const signIn = { institution_id: institution.id, username, password };
      const result = await step("sign-in", signIn);
      if (result.question) question(signIn, result.question);
      else enter(result);
    });
  });
}

function question(signIn, text) {
  show("question", "MFA", credentials, ($) => {
    $(".lead").textContent = text;
    submitting($("form"), async ({ answer: code }) => {
      if (!/^\d{6}$/.test(code.trim())) throw new StepError("user_input_incorrect", "Enter the 6 digits of the code.", null);
      emit("submit_mfa");
      enter(await step("sign-in", { ...signIn, code }));
    });
  });
}

// An institution with a page of its own: in a window beside this one, which comes back with a message, or, on a phone
// and where no window may be opened, in this tab, which comes back through the launcher's continue().
function oauth(problem = "") {
  show("oauth", "OAuth", backToStart(), ($) => {
    byID("title").textContent = `${verb()} ${institution.name}`;
    $(".lead").textContent = `${institution.name} lets you sign in on its own page.`;
    $(".error").textContent = problem;
    const button = $(".primary");
    button.textContent = `Continue to ${institution.name}`;
    // The address is fetched now, since a browser opens windows only in the very moment of a click.
    step("authorize", { institution_id: institution.id, application: config.application }).then(({ url }) => {
      const bank = new URL(url, location.href).href;
      button.disabled = false;
      button.addEventListener("click", () => openBank(bank));
    }, fail);
  });
}

function openBank(url) {
  emit("open_oauth");
  const sameTab = config.device === "mobile" || matchMedia("(max-width: 640px)").matches;
  popup = sameTab ? null : window.open(url, "moneykit-bank", "popup,width=480,height=720");
  if (popup) waitForBank(url);
  else (window.parent === window.top ? window.top : window).location.href = url;
}

function waitForBank(url) {
  const stop = (problem) => {
    popup?.close();
    popup = null;
    oauth(problem);
  };
  show("waiting", "OAuth waiting", () => stop(""), ($) => {
    byID("title").textContent = `Continue at ${institution.name}`;
    $(".lead").textContent = "Sign in in the window that has opened. This page goes on by itself.";
    $(".actions").hidden = false;
    $("[data-do=again]").addEventListener("click", () => openBank(url));
    $("[data-do=stop]").addEventListener("click", () => stop(""));
  });
  const opened = popup;
  const watch = setInterval(() => {
    if (popup !== opened || screen.dataset.screen !== "waiting") clearInterval(watch);
    else if (opened.closed) stop("The window was closed before you were done.");
  }, 400);
}

// resume goes on after an institution's own page, with the address that it sent the end user back to.
async function resume(redirectURL) {
  const name = institution?.name ?? config.preset?.name ?? "your bank";
  const opened = popup;
  popup = null;
  opened?.close();
  window.focus();
  show("waiting", "OAuth resume", null, ($) => {
    byID("title").textContent = `Finishing at ${name}`;
    $(".lead").textContent = "This takes a moment.";
  });
  try {
    const entered = await step("resume", { redirect_url: redirectURL ?? "" });
    institution = entered.institution;
    enter(entered);
  } catch (problem) {
    fail(problem);
  }
}

function manualEntry() {
  institution = config.manual;
  show("manual", "Manual", finder, ($) => {
    submitting($("form"), async (fields) => enter(await step("manual", fields)));
  });
}

// enter goes on with the accounts that an institution returned after the sign-in.
function enter(entered) {
  accounts = entered.accounts;
  selected = accounts.map((account) => account.account_id);
  if (institution.id === config.manual.id) permissions(manualEntry);
  else choice();
}

const kinds = {
  "depository.checking": "Checking", "depository.savings": "Savings", "depository.cash": "Cash", "depository.prepaid": "Prepaid",
  "depository.other": "Account", credit_card: "Credit card", "loan.general": "Loan", "loan.mortgage": "Mortgage", "loan.other": "Loan",
  investment: "Investment", other: "Account",
};

function choice() {
  const one = config.features.one_account;
  if (one) selected = selected.slice(0, 1);
  show("accounts", "Accounts", backToStart() ?? first, ($) => {
    byID("title").textContent = one ? "Choose an account" : "Choose accounts";
    $("legend").textContent = `${config.application} sees only what you choose.`;
    $("fieldset").append(...accounts.map((account) => {
      const input = document.createElement("input");
      input.type = one ? "radio" : "checkbox";
      input.name = "account";
      input.value = account.account_id;
      input.checked = selected.includes(account.account_id);
      const detail = [kinds[account.account_type] ?? account.account_type, account.account_mask && `•••• ${account.account_mask}`];
      const text = element("span", "", element("span", "name", account.name), element("span", "quiet", detail.filter(Boolean).join("  ")));
      return element("label", "choice", input, text);
    }));
    submitting($("form"), async () => {
      selected = [...screen.querySelectorAll("input:checked")].map((input) => input.value);
      if (!selected.length) throw new StepError("user_error", "Choose at least one account.", null);
      emit("submit_accounts");
      permissions(choice);
    });
  });
}

function permissions(back) {
  show("permissions", "Permissions", back, ($) => {
    byID("title").textContent = `Share this with ${config.application}?`;
    const products = config.products.filter((product) => !institution.lacks?.includes(product.id));
    $(".permissions").append(...products.map((product) => {
      const text = element("span", "", element("span", "name", product.label), element("span", "quiet", product.sentence));
      if (product.required) return element("li", "permission", text, element("span", "tag", "Required"));
      const input = document.createElement("input");
      input.type = "checkbox";
      input.value = product.id;
      input.checked = !declined.includes(product.id);
      return element("li", "permission", element("label", "", text, input));
    }));
    $(".secondary").addEventListener("click", leave);
    submitting($("form"), async () => {
      declined = [...screen.querySelectorAll("input:not(:checked)")].map((input) => input.value);
      emit("submit_permissions");
      if (config.features.money_id && !institution.remembered && institution.id !== config.manual.id) moneyID();
      else await finish();
    });
  });
}

function moneyID() {
  show("money-id", "Money ID", () => permissions(choice), ($) => {
    $(".email").textContent = config.email;
    for (const button of screen.querySelectorAll("[data-do]")) {
      button.addEventListener("click", () => {
        remember = button.dataset.do === "remember";
        finish().catch(fail);
      }, { once: true });
    }
  });
}

async function finish() {
  finished = await step("finish", { account_ids: selected, declined, remember });
  show("success", "Success", null, ($) => {
    byID("title").textContent = config.reconnecting ? "Reconnected" : "Linked";
    const count = selected.length === 1 ? "1 account" : `${selected.length} accounts`;
    $(".lead").textContent = `${institution.name}: ${count} shared with ${config.application}.`;
    $(".primary").addEventListener("click", complete);
  });
}

const titles = {
  "link_session_error.session_expired": "This session has expired",
  "link_session_error.session_used": "Already done",
  "link_session_error.unknown_session": "This session is not open",
  "link_session_error.duplicate_institution": "Already linked",
  institution_error: "Your bank is not available",
  user_oauth_denied: "No access was given",
  no_accounts: "No account to link",
};

// What is said in place of the message for developers.
const explanations = {
  "link_session_error.session_expired": "It was open for more than 30 minutes. Nothing was linked; close this and start again.",
  "link_session_error.session_used": "A bank was linked here before. Close this to go on.",
  "link_session_error.unknown_session": "Close this and start again.",
};

// fail shows what went wrong for good, or until the end user starts over.
function fail(problem) {
  if (!(problem instanceof StepError)) throw problem;
  failure = { ...problem.exit, displayed_message: explanations[problem.exit.error_id] ?? problem.message };
  emit("error", failure);
  show("failure", "Error", null, ($) => {
    byID("title").textContent = titles[failure.error_id] ?? "Something went wrong";
    $(".lead").textContent = failure.displayed_message;
    const over = failure.error_id in explanations || config.error;
    const retry = $("[data-do=retry]");
    retry.hidden = Boolean(over);
    retry.textContent = config.preset ? "Try again" : "Choose another bank";
    retry.addEventListener("click", first);
    $("[data-do=close]").addEventListener("click", () => exit(failure));
    if (over) $("[data-do=close]").className = "primary";
  });
}

// The launcher gives the focus to the frame once it has loaded, and so takes it from the title.
window.addEventListener("focus", () => {
  if (document.activeElement === document.body) byID("title")?.focus();
});

// Leaving.

function leave() {
  if (finished) complete();
  else if (failure || ["finder", "waiting"].includes(screen.dataset.screen)) exit(failure);
  else byID("leave").showModal();
}

byID("close").addEventListener("click", leave);
byID("back").addEventListener("click", () => goBack?.());
byID("leave").addEventListener("click", ({ target }) => {
  if (target.dataset.answer) byID("leave").close();
  if (target.dataset.answer === "leave") exit(null);
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || document.querySelector("dialog[open]")) return;
  event.preventDefault();
  leave();
});

byID("report").hidden = !config.features.issue_reporter;
byID("report").addEventListener("click", () => byID("reporting").showModal());
byID("reporting").querySelector("[data-answer=cancel]").addEventListener("click", () => byID("reporting").close());
submitting(byID("reporting").querySelector("form"), async () => {
  await step("report", { message: byID("problem").value });
  byID("problem").value = "";
  byID("reporting").close();
  byID("announcement").textContent = "Thank you. Your report was sent.";
});

post("connect.started");
emit("open");
if (config.error) fail(new StepError(config.error.error_id, config.error.displayed_message, config.error.request_id));
else if (config.resume) resume(config.redirect_url);
else first();
