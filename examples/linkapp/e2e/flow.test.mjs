// Linkapp as its users see it, with MoneyKit's own launcher.
import assert from "node:assert/strict";
import { after, afterEach, beforeEach, test } from "node:test";
import { World, closeBrowser, connect, consent, shot, signIn } from "./harness.mjs";

let world;
beforeEach(async () => (world = await World.open()));
afterEach(async () => {
  await world.verify();
  await world.close();
});
after(closeBrowser);

const linkButton = (page) => page.getByRole("button", { name: "Link your bank" });
const message = (page) => page.getByRole("status");
const linked = (page, name) => page.getByRole("listitem").filter({ hasText: name });
const frameGone = (page) => page.locator("#moneykit-connect-frame").waitFor({ state: "detached" });

async function link(page, institution) {
  await linkButton(page).click();
  await signIn(page, institution);
  await consent(page);
  await message(page).getByText(`${institution} is linked.`).waitFor();
  await frameGone(page);
}

for (const [device, options] of [
  ["desktop", {}],
  ["phone", { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true }],
]) {
  test(`happy path on a ${device}`, async () => {
    const page = await world.page(options);
    const frame = connect(page);
    await page.getByText("No bank is linked yet.").waitFor();
    await shot(page, `${device}-1-app`);
    await linkButton(page).click();
    await frame.getByRole("heading", { name: "Link your bank" }).waitFor();
    await shot(page, `${device}-2-finder`);
    await frame.getByLabel("Search institutions").fill("alder");
    await frame.getByRole("status").getByText("1 institution").waitFor({ state: "attached" });
    await shot(page, `${device}-3-search`);
    await frame.getByRole("button", { name: "Alder Creek Bank" }).click();
    await frame.getByLabel("User name").fill("ada");
    await frame.getByLabel("Password").fill("correct horse");
    await shot(page, `${device}-4-credentials`);
    await frame.getByRole("button", { name: "Continue", exact: true }).click();
    await frame.getByRole("heading", { name: "Choose accounts" }).waitFor();
    await frame.getByLabel("Cash Back Card").uncheck();
    await shot(page, `${device}-5-accounts`);
    await frame.getByRole("button", { name: "Continue", exact: true }).click();
    await frame.getByText("Transaction data is used to show you where your money goes.").waitFor();
    await frame.getByLabel("Identity").uncheck();
    await shot(page, `${device}-6-permissions`);
    await frame.getByRole("button", { name: "Allow", exact: true }).click();
    await frame.getByText("Alder Creek Bank: 2 accounts shared with Plainbook.").waitFor();
    await shot(page, `${device}-7-success`);
    await frame.getByRole("button", { name: "Done" }).click();
    await message(page).getByText("Alder Creek Bank is linked.").waitFor();
    await linked(page, "Alder Creek Bank").getByText("connected", { exact: true }).waitFor();
    await frameGone(page);
    await shot(page, `${device}-8-linked`);

    const { links } = await world.control("links");
    assert.equal(links.length, 1);
    assert.equal(links[0].state, "connected");
    assert.ok(links[0].products.transactions);
    assert.equal(links[0].products.identity, undefined, "declined");
  });
}

test("closing Connect", async () => {
  const page = await world.page();
  await linkButton(page).click();
  await connect(page).getByRole("button", { name: "Close" }).click();
  await message(page).getByText("You closed MoneyKit. Nothing was linked.").waitFor();
  await frameGone(page);
  assert.ok(await linkButton(page).evaluate((button) => button === document.activeElement), "focus is back on the button");

  // After the first step it asks for confirmation.
  await linkButton(page).click();
  await connect(page).getByRole("button", { name: "Alder Creek Bank" }).click();
  await connect(page).getByLabel("User name").press("Escape");
  await connect(page).getByRole("heading", { name: "Leave without linking?" }).waitFor();
  await shot(page, "leave");
  await connect(page).getByRole("button", { name: "Keep going" }).click();
  await connect(page).getByRole("button", { name: "Close" }).click();
  await connect(page).getByRole("button", { name: "Leave", exact: true }).click();
  await frameGone(page);
  await page.getByText("No bank is linked yet.").waitFor();
  assert.deepEqual((await world.control("links")).links, []);
});

test("an institution that fails", async () => {
  const page = await world.page();
  await linkButton(page).click();
  await signIn(page, "Driftwood Credit Union");
  await connect(page).getByRole("heading", { name: "Your bank is not available" }).waitFor();
  await shot(page, "failure");
  await connect(page).getByRole("button", { name: "Choose another bank" }).click();
  await signIn(page, "Driftwood Credit Union");
  await connect(page).getByRole("main").getByRole("button", { name: "Close" }).click();
  await message(page).getByText("Your bank was not linked. Driftwood Credit Union is not available").waitFor();
  await frameGone(page);
  await shot(page, "failure-app");
  await link(page, "Alder Creek Bank");
});

test("wrong password, wrong code, right code", async () => {
  const page = await world.page();
  const frame = connect(page);
  await linkButton(page).click();
  await frame.getByRole("button", { name: "Cobalt Savings" }).click();
  await frame.getByLabel("User name").fill("ada");
  await frame.getByLabel("Password").fill("wrong");
  await frame.getByRole("button", { name: "Continue" }).click();
  await frame.getByRole("alert").getByText("The user name or the password is not right.").waitFor();
  await shot(page, "wrong-password");
  await frame.getByLabel("Password").fill("right");
  await frame.getByRole("button", { name: "Continue" }).click();
  await frame.getByLabel("Code").fill("000000");
  await frame.getByRole("button", { name: "Continue" }).click();
  await frame.getByRole("alert").getByText("This is not the code that we sent.").waitFor();
  await shot(page, "question");
  await frame.getByLabel("Code").fill("123456");
  await frame.getByRole("button", { name: "Continue" }).click();
  await consent(page);
  await linked(page, "Cobalt Savings").waitFor();
});

test("a bank with a page of its own, in a window", async () => {
  const page = await world.page();
  const frame = connect(page);
  const toBank = async () => {
    const opened = page.waitForEvent("popup");
    await frame.getByRole("button", { name: "Continue to Bluefin Federal" }).click();
    return opened;
  };
  await linkButton(page).click();
  await frame.getByRole("button", { name: "Bluefin Federal" }).click();
  await shot(page, "oauth");

  // The window is closed, then access is denied; the user can go on after both.
  const abandoned = await toBank();
  await shot(page, "oauth-waiting");
  await abandoned.close();
  await frame.getByRole("alert").getByText("The window was closed before you were done.").waitFor();
  const refused = await toBank();
  await refused.getByRole("button", { name: "Cancel" }).click();
  await frame.getByRole("heading", { name: "No access was given" }).waitFor();
  await frame.getByRole("button", { name: "Choose another bank" }).click();
  await frame.getByRole("button", { name: "Bluefin Federal" }).click();

  const bank = await toBank();
  await bank.getByRole("heading", { name: "Share your accounts?" }).waitFor();
  await shot(bank, "oauth-bank");
  const closed = bank.waitForEvent("close");
  await bank.getByRole("button", { name: "Share accounts" }).click();
  await closed;
  await consent(page);
  await linked(page, "Bluefin Federal").waitFor();
  assert.equal(page.url(), `${world.url}/`);
});

test("a bank with a page of its own, in the same tab, and back", async () => {
  const page = await world.page({ viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true });
  const toBank = async () => {
    await linkButton(page).click();
    await connect(page).getByRole("button", { name: "Bluefin Federal" }).click();
    await connect(page).getByRole("button", { name: "Continue to Bluefin Federal" }).click();
    await page.getByRole("heading", { name: "Share your accounts?" }).waitFor();
  };
  await toBank();
  await shot(page, "phone-oauth-bank");

  // Linking works after the back button.
  await page.goBack();
  await page.waitForURL(`${world.url}/`);
  await page.reload();
  await toBank();
  await page.getByRole("button", { name: "Cancel" }).click();
  await connect(page).getByRole("heading", { name: "No access was given" }).waitFor();
  await connect(page).getByRole("main").getByRole("button", { name: "Close" }).click();
  await message(page).getByText("You did not give access at Bluefin Federal").waitFor();
  await frameGone(page);

  await toBank();
  await page.getByRole("button", { name: "Share accounts" }).click();
  await connect(page).getByRole("heading", { name: "Choose accounts" }).waitFor();
  assert.equal(page.url(), `${world.url}/`, "what the bank sent along is not in the address");
  await consent(page);
  await linked(page, "Bluefin Federal").waitFor();
  await frameGone(page);

  // Reloading and the back button repeat nothing.
  await page.reload();
  await linked(page, "Bluefin Federal").waitFor();
  await page.goBack();
  await page.goto(world.url);
  assert.equal(await page.getByRole("listitem").count(), 1);
  assert.equal((await world.control("links")).links.length, 1);
});

test("the back button while Connect is open", async () => {
  const context = await world.user();
  const page = await context.newPage();
  await page.goto("about:blank");
  await page.goto(world.url);
  await linkButton(page).click();
  await connect(page).getByRole("button", { name: "Alder Creek Bank" }).click();
  await page.goBack();
  await page.waitForURL("about:blank");
  await page.goForward();
  await page.waitForURL(`${world.url}/`);
  await page.reload();
  await link(page, "Alder Creek Bank");
});

test("reconnecting", async () => {
  const page = await world.page();
  await link(page, "Alder Creek Bank");
  const [before] = (await world.control("links")).links;
  await world.control("advance", { seconds: 60 });
  await page.getByRole("button", { name: "Reconnect Alder Creek Bank" }).click();
  const frame = connect(page);
  await frame.getByRole("heading", { name: "Reconnect Alder Creek Bank" }).waitFor();
  await shot(page, "reconnect");
  await frame.getByLabel("User name").fill("ada");
  await frame.getByLabel("Password").fill("new password");
  await frame.getByRole("button", { name: "Continue" }).click();
  await consent(page);
  await message(page).getByText("Alder Creek Bank is connected again.").waitFor();
  await frameGone(page);
  const { links } = await world.control("links");
  assert.equal(links.length, 1);
  assert.equal(links[0].link_id, before.link_id);
  assert.notEqual(links[0].last_synced_at, before.last_synced_at);
  assert.equal(await page.getByRole("listitem").count(), 1);
});

test("reconnecting at a bank with a page of its own, in the same tab", async () => {
  const page = await world.page({ viewport: { width: 390, height: 844 } });
  for (const button of ["Link your bank", "Reconnect Bluefin Federal"]) {
    await page.getByRole("button", { name: button }).click();
    if (button === "Link your bank") await connect(page).getByRole("button", { name: "Bluefin Federal" }).click();
    await connect(page).getByRole("button", { name: "Continue to Bluefin Federal" }).click();
    await page.getByRole("button", { name: "Share accounts" }).click();
    await consent(page);
    await linked(page, "Bluefin Federal").waitFor();
    await frameGone(page);
  }
  await message(page).getByText("Bluefin Federal is connected again.").waitFor();
  assert.equal((await world.control("links")).links.length, 1);
});

test("a link that MoneyKit no longer knows", async () => {
  const page = await world.page();
  await link(page, "Alder Creek Bank");
  await world.control("fail", {
    operation: "create_link_session",
    status: 422,
    body: JSON.stringify({ error_code: "api_error.request.validation_failed", error_message: "The request is invalid.", validation_errors: [{ location: ["body", "existing_link_id"], message: "there is no link with this id", type: "value_error" }] }),
  });
  await page.getByRole("button", { name: "Reconnect Alder Creek Bank" }).click();
  await message(page).getByText("MoneyKit does not know this link any more. Link the bank again.").waitFor();
});

test("a session that expires while Connect is open", async () => {
  const page = await world.page();
  await linkButton(page).click();
  await connect(page).getByRole("heading", { name: "Link your bank" }).waitFor();
  await world.control("advance", { seconds: 31 * 60 });
  await signIn(page, "Alder Creek Bank");
  await connect(page).getByRole("heading", { name: "This session has expired" }).waitFor();
  await shot(page, "expired");
  await connect(page).getByRole("main").getByRole("button", { name: "Close" }).click();
  await message(page).getByText("the session has expired. Nothing was linked; start again").waitFor();
  await frameGone(page);
  await link(page, "Alder Creek Bank");
});

test("double clicks", async () => {
  const page = await world.page();
  const frame = connect(page);
  await linkButton(page).dblclick();
  await frame.getByRole("button", { name: "Alder Creek Bank" }).dblclick();
  await frame.getByLabel("User name").fill("ada");
  await frame.getByLabel("Password").fill("correct horse");
  await frame.getByRole("button", { name: "Continue" }).dblclick();
  await frame.getByRole("heading", { name: "Choose accounts" }).waitFor();
  await frame.getByRole("button", { name: "Continue" }).click();
  await frame.getByRole("button", { name: "Allow", exact: true }).dblclick();
  await frame.getByRole("button", { name: "Done" }).dblclick();
  await linked(page, "Alder Creek Bank").waitFor();
  await frameGone(page);
  assert.equal(world.urls.filter((url) => url.endsWith("/linking/exchange-token")).length, 1);
  const made = (await world.control("requests")).requests.filter((request) => request.operation);
  assert.deepEqual(made.map((request) => request.operation), ["token", "create_link_session", "exchange_token"]);
  assert.equal(await page.getByRole("listitem").count(), 1);
});

test("two tabs", async () => {
  const context = await world.user();
  const [one, two] = [await context.newPage(), await context.newPage()];
  await one.goto(world.url);
  await two.goto(world.url);
  await linkButton(one).click();
  await connect(one).getByRole("heading", { name: "Link your bank" }).waitFor();
  await two.bringToFront();
  await link(two, "Everhill Bank");
  await one.bringToFront();
  await signIn(one, "Alder Creek Bank");
  await consent(one);
  await linked(one, "Alder Creek Bank").waitFor();
  await linked(one, "Everhill Bank").waitFor();

  // Connect warns before a bank that the other tab has linked is linked again.
  await two.bringToFront();
  await linkButton(two).click();
  await connect(two).getByRole("button", { name: "Alder Creek Bank" }).click();
  await connect(two).getByRole("heading", { name: "Already linked" }).waitFor();
  await shot(two, "duplicate");
  await connect(two).getByRole("button", { name: "Choose another bank" }).click();
  await connect(two).getByRole("heading", { name: "Link your bank" }).waitFor();

  // Another user sees none of it.
  const other = await world.page();
  await other.getByText("No bank is linked yet.").waitFor();
});

test("the application is restarted in the middle", async () => {
  const page = await world.page();
  await linkButton(page).click();
  await signIn(page, "Alder Creek Bank");
  await connect(page).getByRole("heading", { name: "Choose accounts" }).waitFor();
  await world.stopApp();
  await consent(page);
  await message(page).getByText("Plainbook cannot be reached. Check your connection and try again.").waitFor();
  await frameGone(page);
  await shot(page, "unreachable");
  await world.startApp(new URL(world.url).host);
  await page.getByRole("button", { name: "Try again" }).click();
  await message(page).getByText("Alder Creek Bank is linked.").waitFor();
  await world.stopApp();
  await world.startApp(new URL(world.url).host);
  await page.reload();
  await linked(page, "Alder Creek Bank").getByText("connected", { exact: true }).waitFor();
});

test("Connect does not load", async () => {
  const context = await world.user();
  await context.route((url) => url.href.startsWith(world.moneykit), (route) => route.abort());
  const page = await context.newPage();
  await page.clock.install();
  await page.goto(world.url);
  await linkButton(page).click();
  await page.locator("#moneykit-connect-frame").waitFor({ state: "attached" });
  await page.clock.fastForward(21_000);
  await message(page).getByText("MoneyKit did not open. Check your connection and try again.").waitFor();
  await context.unroute(() => true).catch(() => {});
  await frameGone(page);
});

test("rate limited", async () => {
  const page = await world.page();
  await world.control("fail", { operation: "create_link_session", times: 3, status: 429, header: { "Retry-After": "60" }, body: JSON.stringify({ error_code: "api_error.rate_limit_exceeded", error_message: "Too many requests." }) });
  await linkButton(page).click();
  await message(page).getByText("That was a little fast. Wait a minute, then try again.").waitFor();
});
