// Starts the sandbox and the application as programs on free ports, with a new database file, and Chromium.
import { spawn } from "node:child_process";
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const { LINKAPP, MONEYKIT_SANDBOX, ARTIFACTS, CHROMIUM = "/usr/bin/chromium" } = process.env;
for (const [name, value] of Object.entries({ LINKAPP, MONEYKIT_SANDBOX, ARTIFACTS })) {
  if (!value) throw new Error(`${name} is not set; run the tests with: make e2e`);
}
mkdirSync(ARTIFACTS, { recursive: true });

// start starts a program and waits until ready() finds in its output what it waits for.
async function start(file, args, env, ready) {
  const child = spawn(file, args, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  const lines = [];
  child.stderr.on("data", (data) => lines.push(String(data)));
  const said = await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`${file} ended with ${code}: ${lines.join("")}`)));
    createInterface({ input: child.stdout }).on("line", (line) => {
      lines.push(`${line}\n`);
      const found = ready(lines.join(""));
      if (found) resolve(found);
    });
  });
  const stop = (signal) =>
    new Promise((resolve) => {
      child.removeAllListeners("exit");
      child.once("exit", resolve);
      if (child.exitCode !== null) resolve();
      child.kill(signal);
    });
  return { said, stop, output: () => lines.join("") };
}

// A World is a sandbox, an application and a browser. Close it when the test is over.
export class World {
  static browser;

  static async open() {
    const world = new World();
    world.dir = mkdtempSync(join(tmpdir(), "linkapp-e2e-"));
    world.problems = []; // Content-Security-Policy violations and script errors
    world.console = [];
    world.logs = "";
    world.urls = []; // of all requests of the browser
    world.sandbox = await start(MONEYKIT_SANDBOX, ["-addr", "127.0.0.1:0"], {}, (out) => {
      const env = Object.fromEntries([...out.matchAll(/^export (\w+)=(.*)$/gm)].map(([, name, value]) => [name, value]));
      return env.MONEYKIT_CLIENT_SECRET && env;
    });
    world.moneykit = world.sandbox.said.MONEYKIT_URL;
    await world.startApp("127.0.0.1:0");
    return world;
  }

  async startApp(addr) {
    this.app = await start(LINKAPP, ["-addr", addr, "-db", join(this.dir, "links.db")], this.sandbox.said, (out) => out.match(/^Open (\S+)$/m)?.[1]);
    this.url = this.app.said;
  }

  async stopApp() {
    await this.app.stop("SIGTERM");
    this.logs += this.app.output();
  }

  // user returns a new user: a browser context with its own cookies and storage.
  async user(options = {}) {
    World.browser ??= await chromium.launch({
      executablePath: CHROMIUM,
      args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP *.test 127.0.0.1"],
    });
    const context = await World.browser.newContext({ viewport: { width: 1280, height: 860 }, reducedMotion: "reduce", ...options });
    context.setDefaultTimeout(20_000);
    await context.exposeBinding("reportViolation", (_, what) => this.problems.push(what));
    await context.addInitScript(() => {
      document.addEventListener("securitypolicyviolation", (event) => {
        window.reportViolation(`${location.pathname}: ${event.violatedDirective} blocked ${event.blockedURI}`);
      });
    });
    context.on("request", (request) => this.urls.push(request.url()));
    context.on("console", (message) => this.console.push(message.text()));
    context.on("weberror", (error) => this.problems.push(String(error.error())));
    this.contexts = [...(this.contexts ?? []), context];
    return context;
  }

  async page(options) {
    const page = await (await this.user(options)).newPage();
    await page.goto(this.url);
    return page;
  }

  // control calls /sandbox/: advance, fail, links, requests.
  async control(path, body) {
    const response = await fetch(`${this.moneykit}/sandbox/${path}`, body && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return response.status === 204 ? null : response.json();
  }

  // verify checks after each test that there is no secret in URLs, logs or storage, and that no Content-Security-Policy
  // was violated.
  async verify() {
    const secret = /sandbox_(session|exchangeable|secret)_/;
    assert.deepEqual(this.problems, [], "violations of a Content-Security-Policy, and errors of scripts");
    assert.deepEqual(this.console.filter((text) => secret.test(text)), [], "secrets in the console");
    assert.deepEqual(this.urls.filter((url) => url.startsWith(this.url) && secret.test(url)), [], "secrets in the application's URLs");
    assert.doesNotMatch(this.logs + this.app.output(), secret, "secrets in the application's log");
    for (const context of this.contexts ?? []) {
      const { cookies, origins } = await context.storageState();
      assert.deepEqual(cookies.map(({ name, httpOnly, sameSite }) => ({ name, httpOnly, sameSite })).filter((cookie) => cookie.name !== "linkapp_session" || !cookie.httpOnly || cookie.sameSite !== "Lax"), []);
      for (const { origin, localStorage } of origins) {
        assert.deepEqual(localStorage.filter(({ name }) => origin !== this.url || name !== "moneykit.linkSessionToken"), [], "kept in localStorage beyond what the launcher keeps");
      }
    }
  }

  async close() {
    for (const context of this.contexts ?? []) await context.close();
    // SIGKILL, since a graceful stop waits for connections that the browser has opened and not used.
    await Promise.all([this.app.stop("SIGKILL"), this.sandbox.stop("SIGKILL")]);
    rmSync(this.dir, { recursive: true });
  }
}

export async function closeBrowser() {
  await World.browser?.close();
}

// connect returns Connect's frame.
export const connect = (page) => page.frameLocator("#moneykit-connect-frame");

export async function shot(page, name) {
  await page.screenshot({ path: join(ARTIFACTS, `${name}.png`) });
}

// signIn signs in at an institution that asks for a password.
export async function signIn(page, institution) {
  const frame = connect(page);
  await frame.getByRole("button", { name: institution }).click();
  await frame.getByLabel("User name").fill("ada");
  await frame.getByLabel("Password").fill("correct horse");
  await frame.getByRole("button", { name: "Continue", exact: true }).click();
}

export async function consent(page) {
  const frame = connect(page);
  await frame.getByRole("heading", { name: /^Choose/ }).waitFor();
  await frame.getByRole("button", { name: "Continue", exact: true }).click();
  await frame.getByRole("button", { name: "Allow", exact: true }).click();
  await frame.getByRole("button", { name: "Done" }).click();
}
