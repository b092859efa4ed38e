// Opens the rendered contract in Chromium, offline, on a phone's and a desktop's screen, and takes screenshots.
// Fails if the page sends a request, logs an error, leaves something out, or is too wide.
//
//	node look.mjs page.html folder-for-screenshots
import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [page_, screenshots] = process.argv.slice(2);
const operations = ["/link-session", "/link-session/exchange-token"];
const fields = ["customer_user", "link_session_token", "exchangeable_token", "available_products", "validation_errors"];

const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
try {
  for (const [name, width, height] of [["phone", 390, 844], ["desktop", 1366, 900]]) {
    const context = await browser.newContext({ viewport: { width, height }, offline: true });
    const page = await context.newPage();
    const problems = [];
    page.on("request", (r) => /^(file|data|blob):/.test(r.url()) || problems.push(`request: ${r.url()}`));
    page.on("console", (m) => ["error", "warning"].includes(m.type()) && problems.push(`console: ${m.text()}`));
    page.on("pageerror", (e) => problems.push(`error: ${e}`));
    await page.goto(pathToFileURL(page_).href);
    await page.getByText("exchangeable_token").first().waitFor();
    await page.screenshot({ path: `${screenshots}/docs-${name}.png` });
    const text = await page.innerText("body");
    for (const want of [...operations, ...fields]) assert.ok(text.includes(want), `${name}: ${want} is not on the page`);
    const excess = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(excess <= 0, `${name}: the page is ${excess} px too wide`);
    await page.screenshot({ path: `${screenshots}/docs-${name}-all.png`, fullPage: true });
    assert.deepEqual(problems, [], name);
    await context.close();
  }
} finally {
  await browser.close();
}
console.log(`${page_}: complete on a phone and a desktop, and works offline`);
