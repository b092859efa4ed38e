// Opens the rendered contract in Chromium, off line, as a phone and as a desk would, and keeps a picture of each.
// Fails if the page asks the network for anything, complains, leaves something out, or does not fit.
//
//	node look.mjs page.html folder-for-pictures
import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [page_, pictures] = process.argv.slice(2);
const operations = ["/link-session", "/link-session/exchange-token"];
const fields = ["customer_user", "link_session_token", "exchangeable_token", "available_products", "validation_errors"];

const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
try {
  for (const [name, width, height] of [["phone", 390, 844], ["desk", 1366, 900]]) {
    const context = await browser.newContext({ viewport: { width, height }, offline: true });
    const page = await context.newPage();
    const faults = [];
    page.on("request", (r) => /^(file|data|blob):/.test(r.url()) || faults.push(`asks for ${r.url()}`));
    page.on("console", (m) => ["error", "warning"].includes(m.type()) && faults.push(`console: ${m.text()}`));
    page.on("pageerror", (e) => faults.push(`error: ${e}`));
    await page.goto(pathToFileURL(page_).href);
    await page.getByText("exchangeable_token").first().waitFor();
    await page.screenshot({ path: `${pictures}/docs-${name}.png` });
    const text = await page.innerText("body");
    for (const want of [...operations, ...fields]) assert.ok(text.includes(want), `${name}: ${want} is not on the page`);
    const excess = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(excess <= 0, `${name}: the page is ${excess} px too wide`);
    await page.screenshot({ path: `${pictures}/docs-${name}-all.png`, fullPage: true });
    assert.deepEqual(faults, [], name);
    await context.close();
  }
} finally {
  await browser.close();
}
console.log(`${page_}: whole on a phone and at a desk, and asks the network for nothing`);
