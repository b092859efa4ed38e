// Connect and the application with the keyboard alone, and checked by axe in both colour schemes.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, afterEach, beforeEach, test } from "node:test";
import { World, closeBrowser, connect, consent, shot, signIn } from "./harness.mjs";

let world;
beforeEach(async () => (world = await World.open()));
afterEach(async () => {
  await world.verify();
  await world.close();
});
after(closeBrowser);

const axe = readFileSync(new URL("../node_modules/axe-core/axe.min.js", import.meta.url), "utf8");

async function audit(frame, where) {
  await frame.evaluate(axe);
  const { violations, passes } = await frame.evaluate(() => window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
  assert.ok(passes.length > 5, where);
  assert.deepEqual(violations.map(({ id, nodes }) => `${where}: ${id}: ${nodes.map((node) => node.html).join(" | ")}`), []);
}

for (const colorScheme of ["light", "dark"]) {
  test(`every screen, ${colorScheme}`, async () => {
    const page = await world.page({ colorScheme });
    const frame = connect(page);
    const check = async (where) => {
      await audit(page.frames().find((frame) => frame.url().startsWith(world.moneykit)), where);
      await shot(page, `${colorScheme}-${where}`);
    };
    await audit(page.mainFrame(), "the application, no link");
    await page.getByRole("button", { name: "Link your bank" }).click();
    await frame.getByRole("heading", { name: "Link your bank" }).waitFor();
    await check("finder");
    await frame.getByLabel("Search institutions").fill("zzz");
    await check("nothing found");
    await frame.getByLabel("Search institutions").fill("");
    await frame.getByRole("button", { name: "Bluefin Federal" }).click();
    await frame.getByRole("button", { name: "Continue to Bluefin Federal" }).waitFor();
    await check("oauth");
    await frame.getByRole("button", { name: "Back" }).click();
    await frame.getByRole("button", { name: "Cobalt Savings" }).click();
    await frame.getByLabel("User name").fill("ada");
    await frame.getByLabel("Password").fill("wrong");
    await frame.getByRole("button", { name: "Continue" }).click();
    await frame.getByText("is not right").waitFor();
    await check("credentials");
    await frame.getByLabel("Password").fill("right");
    await frame.getByRole("button", { name: "Continue" }).click();
    await frame.getByLabel("Code").waitFor();
    await check("question");
    await frame.getByRole("button", { name: "Close" }).click();
    await frame.getByRole("heading", { name: "Leave without linking?" }).waitFor();
    await check("leave");
    await frame.getByRole("button", { name: "Keep going" }).click();
    await frame.getByLabel("Code").fill("123456");
    await frame.getByRole("button", { name: "Continue" }).click();
    await frame.getByRole("heading", { name: "Choose accounts" }).waitFor();
    await check("accounts");
    await frame.getByRole("button", { name: "Continue" }).click();
    await frame.getByRole("heading", { name: "Share this with Plainbook?" }).waitFor();
    await check("permissions");
    await frame.getByRole("button", { name: "Allow", exact: true }).click();
    await frame.getByRole("heading", { name: "Linked" }).waitFor();
    await check("success");
    await frame.getByRole("button", { name: "Done" }).click();
    await page.locator("#moneykit-connect-frame").waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Reconnect Cobalt Savings" }).waitFor();
    await audit(page.mainFrame(), "the application, linked");
    await shot(page, `${colorScheme}-app`);

    await world.control("fail", { operation: "exchange_token", drop: true, after: true });
    await world.control("fail-delivery", { webhook_event: "link.state_changed", never: true });
    await page.getByRole("button", { name: "Link your bank" }).click();
    await signIn(page, "Alder Creek Bank");
    await consent(page);
    await page.getByRole("button", { name: "Check again" }).waitFor();
    await page.locator("#moneykit-connect-frame").waitFor({ state: "detached" });
    await audit(page.mainFrame(), "the application, not confirmed");
    await shot(page, `${colorScheme}-unconfirmed`);

    await page.getByRole("button", { name: "Link your bank" }).click();
    await frame.getByRole("button", { name: "Driftwood Credit Union" }).click();
    await frame.getByLabel("User name").fill("ada");
    await frame.getByLabel("Password").fill("x");
    await frame.getByRole("button", { name: "Continue" }).click();
    await frame.getByRole("heading", { name: "Your bank is not available" }).waitFor();
    await check("failure");
    await frame.getByRole("button", { name: "Choose another bank" }).click();
    await frame.getByRole("button", { name: "Bluefin Federal" }).click();
    const opened = page.waitForEvent("popup");
    await frame.getByRole("button", { name: "Continue to Bluefin Federal" }).click();
    const bank = await opened;
    await bank.getByRole("button", { name: "Share accounts" }).waitFor();
    await audit(bank.mainFrame(), "the bank's page");
  });
}

test("with the keyboard alone", async () => {
  const page = await world.page();
  const frame = connect(page);
  const press = (...keys) => keys.reduce((before, key) => before.then(() => page.keyboard.press(key)), Promise.resolve());
  const focused = (text) => frame.locator(":focus").and(frame.locator(`:text("${text}")`)).waitFor();
  await press("Tab", "Enter");
  await focused("Link your bank"); // the title, so that a screen reader reads it
  assert.ok(await page.locator("main").evaluate((main) => main.inert), "what Connect covers cannot be reached");
  await press("Tab");
  await page.keyboard.type("cedar");
  await frame.getByText("No institution found").waitFor();
  await press("ControlOrMeta+A");
  await page.keyboard.type("alder");
  await frame.getByRole("button", { name: "Alder Creek Bank" }).waitFor();
  await press("ArrowDown", "Enter");
  await focused("Sign in to Alder Creek Bank");
  await press("Tab");
  await page.keyboard.type("ada");
  await press("Tab");
  await page.keyboard.type("wrong");
  await press("Enter");
  await frame.getByText("is not right").waitFor();
  assert.equal(await frame.locator(":focus").getAttribute("name"), "username", "the focus goes to what is to be put right");
  await press("Tab");
  await page.keyboard.type("right");
  await press("Enter");
  await focused("Choose accounts");
  await press("Tab", "Tab", "Tab", "Space", "Tab", "Enter");
  await focused("Share this with Plainbook?");
  await press("Tab", "Tab", "Enter");
  await focused("Linked");
  await frame.getByText("2 accounts shared").waitFor();
  await press("Tab", "Enter");
  await page.getByRole("status").getByText("Alder Creek Bank is linked.").waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.id), "link", "the focus is back where it began");
});
