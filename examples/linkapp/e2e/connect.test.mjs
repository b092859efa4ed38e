// How Connect uses a session's settings, what it posts to the page that opened it, and what other pages cannot do.
import assert from "node:assert/strict";
import { after, afterEach, beforeEach, test } from "node:test";
import { World, closeBrowser, connect, consent, shot, signIn } from "./harness.mjs";
import { serve, session } from "./host.mjs";

let world, host;
beforeEach(async () => {
  world = await World.open();
  host = await serve(`<!DOCTYPE html><title>host</title><script>
    window.messages = [];
    addEventListener("message", ({ origin, data }) => messages.push({ origin, ...data }));
  </script>`);
});
afterEach(async () => {
  await world.verify();
  await host.close();
  await world.close();
});
after(closeBrowser);

// open opens Connect for a session in a page of another origin, as the launcher does.
async function open(request, { path = "start", query = {}, options } = {}) {
  const page = await (await world.user(options)).newPage();
  await page.goto(host.origin);
  const token = await session(world.sandbox.said, request);
  const params = new URLSearchParams({ linkSessionToken: token, origin: host.origin, ...query });
  await page.evaluate((src) => {
    const frame = document.createElement("iframe");
    frame.id = "moneykit-connect-frame";
    frame.style.cssText = "position:fixed;inset:0;width:100%;height:100%;border:0";
    frame.src = src;
    document.body.append(frame);
  }, `${world.moneykit}/${path}?${params}`);
  await connect(page).getByRole("heading").first().waitFor();
  return page;
}

const messages = (page, type) => page.evaluate((type) => window.messages.filter((message) => !type || message.type === type), type);

async function posted(page, type) {
  await page.waitForFunction((type) => window.messages.some((message) => message.type === type), type);
  return (await messages(page, type))[0];
}

const institutions = (page) => connect(page).locator("#found .name").allTextContents();

async function link(page, institution) {
  if (institution) await signIn(page, institution);
  await consent(page);
  return posted(page, "link.complete");
}

test("the messages of a link", async () => {
  const page = await open({ settings: { products: { transactions: { reason: "plan" } } } }, { query: { stepTimers: "true", applicationName: "Fern" } });
  await connect(page).getByText("Fern uses MoneyKit").waitFor();
  const complete = await link(page, "Alder Creek Bank");
  const all = await messages(page);
  assert.ok(all.every((message) => message.moneykit === true && message.origin === world.moneykit));
  assert.deepEqual(all[0], { moneykit: true, type: "connect.started", origin: world.moneykit });
  assert.deepEqual(all.filter(({ type }) => type === "link.event").map(({ data }) => data.properties.current_screen_name ?? data.name),
    ["open", "Finder", "select_institution", "Credentials", "submit_credentials", "Accounts", "submit_accounts", "Permissions", "submit_permissions", "Success", "success"]);
  const { exchangeableToken, institution, link_id } = complete.data;
  assert.match(exchangeableToken, /^sandbox_exchangeable_/);
  assert.match(link_id, /^mk_/);
  const { avatar, trackedScreens, ...rest } = institution;
  assert.match(avatar, /^data:image\/svg\+xml;base64,/);
  const account = (n, account_type, name, account_mask) => ({ account_id: `acc_alder_creek_${n}`, account_type, name, account_mask });
  assert.deepEqual(rest, {
    avatar_dark: null, color: "#1c6b45", color_dark: null, country: "US", domain: "aldercreek.example", id: "alder_creek", logo: null,
    logo_dark: null, name: "Alder Creek Bank", search_group: "primary", is_featured: null, providers: null,
    selectedAccounts: [account(1, "depository.checking", "Everyday Checking", "4821"), account(2, "depository.savings", "Rainy Day Savings", "9034"), account(3, "credit_card", "Cash Back Card", "1177")],
  });
  assert.deepEqual(trackedScreens.map(({ tag }) => tag), ["finder", "credentials", "accounts", "permissions", "success"]);
  assert.ok(trackedScreens.every(({ duration }) => duration >= 0));
});

test("the messages of an exit", async () => {
  const page = await open({});
  await connect(page).getByRole("button", { name: "Close" }).click();
  assert.deepEqual((await posted(page, "link.exit")).data, { error: null });

  const failing = await open({ institution_id: "driftwood_cu" });
  await connect(failing).getByLabel("User name").fill("ada");
  await connect(failing).getByLabel("Password").fill("x");
  await connect(failing).getByRole("button", { name: "Continue" }).click();
  await connect(failing).getByRole("main").getByRole("button", { name: "Close" }).click();
  const { error } = (await posted(failing, "link.exit")).data;
  assert.equal(error.error_id, "institution_error");
  assert.match(error.displayed_message, /^Driftwood Credit Union is not available/);
  assert.match(error.request_id, /^req_/);
});

test("a session that was used, and one that does not exist", async () => {
  const page = await open({}, { query: { linkSessionToken: "nothing" } });
  await connect(page).getByRole("heading", { name: "This session is not open" }).waitFor();
  await connect(page).getByRole("main").getByRole("button", { name: "Close" }).click();
  assert.equal((await posted(page, "link.exit")).data.error.error_id, "link_session_error.unknown_session");

  const token = await session(world.sandbox.said, {});
  await world.control("complete", { link_session_token: token });
  const used = await open({}, { query: { linkSessionToken: token } });
  await connect(used).getByRole("heading", { name: "Already done" }).waitFor();
});

test("relink takes a session with an existing link, and returns no token", async () => {
  const first = await open({ institution_id: "alder_creek" });
  await connect(first).getByLabel("User name").fill("ada");
  await connect(first).getByLabel("Password").fill("x");
  await connect(first).getByRole("button", { name: "Continue" }).click();
  const { link_id } = (await link(first)).data;
  for (const [path, type] of [["relink", "relink.complete"], ["start", "link.complete"]]) {
    const page = await open({ existing_link_id: link_id }, { path });
    await connect(page).getByRole("heading", { name: "Reconnect Alder Creek Bank" }).waitFor();
    await connect(page).getByLabel("User name").fill("ada");
    await connect(page).getByLabel("Password").fill("x");
    await connect(page).getByRole("button", { name: "Continue" }).click();
    await consent(page);
    const { data } = await posted(page, type);
    assert.equal(data.link_id, link_id);
    assert.equal(data.institution.name, "Alder Creek Bank");
    assert.equal("exchangeableToken" in data, path === "start");
  }
  const wrong = await open({}, { path: "relink" });
  await connect(wrong).getByText("This session has no existing_link_id.").waitFor();
});

test("countries, providers and required products choose the institutions", async () => {
  const us = await institutions(await open({}));
  assert.ok(us.length >= 12, `${us}`);
  assert.ok(!us.includes("Fernmoor Building Society"));
  const british = await institutions(await open({ settings: { countries: ["GB", "CA"] } }));
  assert.deepEqual(british, ["Sandbox Bank", "Lanternfish Money", "Fernmoor Building Society", "Juniper Street Bank", "Everhill Bank", "Maple Harbour Trust"]);
  const mx = await institutions(await open({ settings: { providers: ["mx"] } }));
  assert.ok(mx.includes("Hollybrook Mutual") && !mx.includes("Gullwing Invest"));
  const investing = await institutions(await open({ settings: { products: { investments: { required: true } } } }));
  assert.ok(investing.includes("Gullwing Invest") && !investing.includes("Cobalt Savings"));
  const none = await open({ settings: { countries: ["GB"], providers: ["akoya"], products: { investments: { required: true } } } });
  await connect(none).getByLabel("Search institutions").fill("zzz");
  await connect(none).getByText("No institution found").waitFor();
  await shot(none, "nothing-found");
});

test("one account only, and depository accounts only", async () => {
  const page = await open({ connect_features: { permit_only_one_account: true, permit_only_depository_accounts: true } });
  await signIn(page, "Alder Creek Bank");
  await connect(page).getByRole("heading", { name: "Choose an account" }).waitFor();
  assert.equal(await connect(page).getByRole("radio").count(), 2);
  await connect(page).getByLabel("Rainy Day Savings").check();
  await shot(page, "one-account");
  const { data } = await link(page);
  assert.deepEqual(data.institution.selectedAccounts.map(({ name }) => name), ["Rainy Day Savings"]);

  const cards = await open({ connect_features: { permit_only_depository_accounts: true } });
  await signIn(cards, "Inkwell Card");
  await connect(cards).getByRole("heading", { name: "No account to link" }).waitFor();
});

test("accounts of custom_sandbox_data", async () => {
  const page = await open({ custom_sandbox_data: { accounts: [{ account_type: "depository.checking", name: "Ada’s account", account_number: "000123456789" }] } });
  await signIn(page, "Sandbox Bank");
  await connect(page).getByText("Ada’s account").waitFor();
  await connect(page).getByText("Checking  •••• 6789").waitFor();
  const { data } = await link(page);
  assert.deepEqual(data.institution.selectedAccounts.map(({ name, account_mask }) => [name, account_mask]), [["Ada’s account", "6789"]]);
});

test("an account entered by hand", async () => {
  const page = await open({ connect_features: { connect_manually: true } });
  const frame = connect(page);
  await frame.getByRole("button", { name: "Enter account details by hand" }).click();
  await frame.getByLabel("Routing number").fill("123456789");
  await frame.getByLabel("Account number").fill("00012345");
  await frame.getByRole("button", { name: "Continue" }).click();
  await frame.getByRole("alert").getByText("A routing number has 9 digits").waitFor();
  await shot(page, "manual");
  await frame.getByLabel("Routing number").fill("123456780");
  await frame.getByRole("button", { name: "Continue" }).click();
  await frame.getByRole("button", { name: "Allow", exact: true }).click();
  await frame.getByRole("button", { name: "Done" }).click();
  const { data } = await posted(page, "link.complete");
  assert.deepEqual(data.institution.selectedAccounts, [{ account_id: "acc_manual_1", account_type: "depository.checking", name: "Checking", account_mask: "2345" }]);
});

test("a second link at one institution is rejected", async () => {
  const request = { connect_features: { duplicate_institution_rejected: true } };
  await link(await open(request), "Alder Creek Bank");
  const page = await open(request);
  await connect(page).getByRole("button", { name: "Alder Creek Bank" }).click();
  await connect(page).getByText("takes each bank once").waitFor();
  assert.equal(await connect(page).getByRole("button", { name: "Link it again" }).count(), 0);
});

test("Money ID and reports", async () => {
  const request = { customer_user: { id: "user-42", email: { address: "ada@example.com" } }, connect_features: { enable_money_id: true, issue_reporter: true } };
  const page = await open(request);
  const frame = connect(page);
  await frame.getByRole("button", { name: "Report a problem" }).click();
  await frame.getByLabel("What went wrong?").fill("My bank is not here");
  await shot(page, "report");
  await frame.getByRole("button", { name: "Send" }).click();
  await frame.getByText("Thank you. Your report was sent.").waitFor({ state: "attached" });
  const { requests } = await world.control("requests");
  assert.ok(requests.some(({ path, body }) => path === "/connect/report" && body.includes("My bank is not here")));

  await signIn(page, "Everhill Bank");
  await frame.getByRole("button", { name: "Continue", exact: true }).click();
  await frame.getByRole("button", { name: "Allow", exact: true }).click();
  await frame.getByText("ada@example.com").waitFor();
  await shot(page, "money-id");
  await frame.getByRole("button", { name: "Remember me" }).click();
  await frame.getByRole("button", { name: "Done" }).click();
  await posted(page, "link.complete");
  assert.equal((await institutions(await open(request)))[0], "Everhill Bank");
});

test("the launcher's colour scheme and accent", async () => {
  const page = await open({});
  await page.evaluate((to) => {
    frames[0].postMessage({ moneykit: true, type: "connect.set_color_scheme", data: { colorScheme: "dark" } }, to);
    frames[0].postMessage({ moneykit: true, type: "connect.set_theme", data: { theme: { colors: { accent: { light: "#000", dark: "rgb(1, 2, 3)" } } } } }, to);
  }, world.moneykit);
  const button = connect(page).getByRole("button", { name: "Alder Creek Bank" });
  await button.click();
  await connect(page).locator(".primary").and(connect(page).getByText("Continue")).waitFor();
  const colour = await connect(page).locator("main .primary").evaluate((element) => getComputedStyle(element).backgroundColor);
  assert.equal(colour, "rgb(1, 2, 3)");
  await shot(page, "dark");
});

test("messages come from and go to the opener alone", async () => {
  const app = await world.page();
  const opened = app.waitForEvent("popup");
  await app.evaluate((url) => void window.open(url), `${host.origin}/`);
  const stranger = await opened;
  await stranger.waitForFunction(() => window.messages);

  // Another page with a handle on this one posts what Connect would post: the launcher ignores it.
  await app.bringToFront();
  await app.getByRole("button", { name: "Link your bank" }).click();
  const frame = connect(app);
  await frame.getByRole("heading", { name: "Link your bank" }).waitFor();
  await stranger.evaluate(() => {
    const complete = { moneykit: true, type: "link.complete", data: { exchangeableToken: "stolen", institution: { name: "Evil" }, link_id: "mk_evil" } };
    opener.postMessage(complete, "*");
    opener.postMessage({ moneykit: true, type: "link.exit", data: { error: null } }, "*");
    opener.frames[0].postMessage({ moneykit: true, type: "connect.set_color_scheme", data: { colorScheme: "dark" } }, "*");
    opener.frames[0].postMessage({ moneykit: true, type: "link.resume", eventData: { redirectURL: "http://evil.example" } }, "*");
  });
  await signIn(app, "Alder Creek Bank");
  assert.equal(await frame.locator("html").getAttribute("data-scheme"), "auto", "Connect takes messages from the launcher only");
  await consent(app);
  await app.getByRole("status").getByText("Alder Creek Bank is linked.").waitFor();
  assert.equal(world.console.filter((text) => text.includes("unexpected origin")).length, 2, "the launcher got both messages");
  assert.equal((await world.control("requests")).requests.filter(({ operation }) => operation === "exchange_token").length, 1);
  assert.deepEqual(await stranger.evaluate(() => window.messages), [], "the other page got no message");
});

test("Connect posts to a registered origin alone, and no other can frame it", async () => {
  const evil = await serve("<!DOCTYPE html><title>evil</title><script>window.messages = []; addEventListener('message', ({ data }) => messages.push(data));</script>", "evil.test");
  const page = await (await world.user()).newPage();
  await page.goto(evil.origin);
  const token = await session(world.sandbox.said, {});
  for (const [origin, problem] of [
    [evil.origin, "is not registered"],
    ["*", "must be the origin of your page"],
    ["null", "must be the origin of your page"],
    ["", "The origin parameter is missing"],
    [`${world.url}/`, "must be the origin of your page"],
    [`${world.url}@evil.test`, "must be the origin of your page"],
  ]) {
    const url = `${world.moneykit}/start?${new URLSearchParams({ linkSessionToken: token, origin })}`;
    await page.evaluate((src) => (document.body.innerHTML = `<iframe id="moneykit-connect-frame" src="${src}"></iframe>`), url);
    await connect(page).getByText(problem).waitFor();
  }
  // The application's origin as parameter, but framed by another: the browser blocks it.
  const url = `${world.moneykit}/start?${new URLSearchParams({ linkSessionToken: token, origin: world.url })}`;
  const blocked = page.waitForEvent("console", (message) => message.text().includes("frame-ancestors"));
  await page.evaluate((src) => (document.body.innerHTML = `<iframe src="${src}"></iframe>`), url);
  await blocked;
  assert.deepEqual(await page.evaluate(() => window.messages), []);
  await evil.close();
  world.problems = world.problems.filter((problem) => !problem.includes("frame-ancestors"));
});
