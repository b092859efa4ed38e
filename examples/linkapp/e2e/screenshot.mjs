// Takes the screenshot in README.md.
import { World, closeBrowser, connect, shot } from "./harness.mjs";

const world = await World.open();
const page = await world.page({ viewport: { width: 1120, height: 760 } });
await page.getByRole("button", { name: "Link your bank" }).click();
await connect(page).getByRole("heading", { name: "Link your bank" }).waitFor();
await shot(page, "connect");
await world.close();
await closeBrowser();
