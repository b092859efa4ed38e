// A link whose response was lost comes home by its event, in the open page, without a click.
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

const message = (page) => page.getByRole("status");
const bank = (page, name = "Alder Creek Bank") => page.getByRole("listitem").filter({ hasText: name });
const connected = (page, name) => bank(page, name).getByText("connected", { exact: true }).waitFor();

async function link(page, institution = "Alder Creek Bank") {
  await page.getByRole("button", { name: "Link your bank" }).click();
  await signIn(page, institution);
  await consent(page);
}

// lose links a bank of which neither the response nor, before hour has passed, the event arrives.
async function lose(page, delivery = {}) {
  await world.control("fail", { operation: "exchange_token", drop: true, after: true });
  await world.control("fail-delivery", { webhook_event: "link.state_changed", late_seconds: 3600, ...delivery });
  await link(page);
  await message(page).getByText("we do not know yet whether your bank is linked").waitFor();
  await bank(page).getByText("Not confirmed by MoneyKit yet").waitFor();
}

const hour = () => world.control("advance", { seconds: 3600 }); // returns when the events that are due were delivered

// verifyOne checks that there is one link, that the page lists it once, and that it did not ask for it twice.
async function verifyOne(page) {
  await connected(page);
  assert.equal(await page.getByRole("listitem").count(), 1);
  assert.equal((await world.control("links")).links.length, 1);
  assert.equal(world.urls.filter((url) => url.endsWith("/linking/exchange-token")).length, 1);
  await page.reload();
  await connected(page);
  assert.equal(await page.getByRole("listitem").count(), 1);
}

for (const [device, options] of [
  ["desktop", {}],
  ["phone", { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true, colorScheme: "dark" }],
]) {
  test(`the response is lost, on a ${device}`, async () => {
    const page = await world.page(options);
    await lose(page);
    await shot(page, `${device}-unconfirmed`);
    await hour();
    const start = performance.now();
    await message(page).getByText("Alder Creek Bank is linked.").waitFor();
    await connected(page);
    const took = performance.now() - start;
    assert.ok(took < 1000, `${took} ms after the event`);
    await shot(page, `${device}-confirmed`);
    await verifyOne(page);
  });
}

test("the request is lost", async () => {
  const page = await world.page();
  await world.control("fail", { operation: "exchange_token", drop: true });
  await link(page);
  await message(page).getByText("we do not know yet whether your bank is linked").waitFor();
  await page.reload();
  await bank(page, "Not confirmed by MoneyKit yet").getByRole("button", { name: "Check again" }).click();
  await message(page).getByText("Alder Creek Bank is linked.").waitFor();
  await connected(page);
});

test("the user checks again before the event comes", async () => {
  const page = await world.page();
  await lose(page);
  await bank(page).getByRole("button", { name: "Check again" }).click();
  await page.getByRole("button", { name: "Check again" }).waitFor({ state: "detached" }); // the token cannot be exchanged any more
  await message(page).getByText("we do not know yet whether your bank is linked").waitFor();
  await hour();
  await message(page).getByText("Alder Creek Bank is linked.").waitFor();
  await connected(page);
});

test("the event comes first, the response later", async () => {
  const page = await world.page();
  let respond;
  const listed = new Promise((resolve) => (respond = resolve));
  await page.route("**/linking/exchange-token", async (route) => {
    const response = await route.fetch();
    await listed;
    await route.fulfill({ response });
  });
  await link(page);
  await connected(page);
  await message(page).getByText("Finishing…").waitFor();
  respond();
  await message(page).getByText("Alder Creek Bank is linked.").waitFor();
  await verifyOne(page);
});

test("the event comes twice", async () => {
  const page = await world.page();
  await lose(page, { twice: true });
  await hour();
  await message(page).getByText("Alder Creek Bank is linked.").waitFor();
  const { deliveries } = await world.control("deliveries");
  assert.deepEqual(deliveries.find((d) => d.webhook_event === "link.state_changed").attempts.map(({ status }) => status), [204, 204]);
  await verifyOne(page);
});

test("a forged event changes nothing", async () => {
  const page = await world.page();
  await lose(page, { wrong_signature: true });
  const { links } = await world.control("links");
  const unsigned = await fetch(`${world.url}/moneykit/webhook`, { method: "POST", body: JSON.stringify({ webhook_event: "link.state_changed", state: "connected", link_id: "mk_evil", link_tags: links[0].link_tags }) });
  assert.equal(unsigned.status, 400);
  await hour();
  const attempts = async () => (await world.control("deliveries")).deliveries.find((d) => d.webhook_event === "link.state_changed").attempts.map(({ status }) => status);
  assert.deepEqual(await attempts(), [400]);
  await page.reload(); // the list as the server has it now
  await bank(page).getByText("Not confirmed by MoneyKit yet").waitFor();
  await hour(); // sent again, with the right signature
  assert.deepEqual(await attempts(), [400, 204]);
  await verifyOne(page);
});

test("the keys are rotated before the event comes", async () => {
  const page = await world.page();
  await link(page, "Everhill Bank"); // its event has the key that is cached from then on
  await connected(page, "Everhill Bank");
  await lose(page);
  await world.control("rotate-keys", {});
  await hour(); // the application rejects the new key, as it fetches keys once in five minutes
  await bank(page).getByText("Not confirmed by MoneyKit yet").waitFor();
  await world.stopApp();
  await world.startApp(new URL(world.url).host); // it fetches the keys again
  await hour(); // sent again
  await connected(page);
  assert.equal(await page.getByRole("listitem").count(), 2);
});

test("the event comes while the application is down, and another tab is open", async () => {
  const context = await world.user();
  const [one, two] = [await context.newPage(), await context.newPage()];
  await one.goto(world.url);
  await two.goto(world.url);
  await one.bringToFront();
  await lose(one);
  await bank(two).getByText("Not confirmed by MoneyKit yet").waitFor();
  await world.stopApp();
  await hour();
  await world.startApp(new URL(world.url).host);
  await hour(); // sent again
  await connected(one);
  await two.bringToFront();
  await connected(two);
});

test("the focus stays on the bank whose event comes", async () => {
  const page = await world.page();
  await lose(page);
  await page.getByRole("button", { name: "Check again" }).focus();
  await hour();
  await connected(page);
  assert.equal(await page.locator(":focus").textContent(), "Reconnect Alder Creek Bank");
});
