// Bundles MoneyKit's launcher from npm into static/moneykit-connect.js, and its licenses into a file beside it. Both are committed, so that the application runs with Go alone.
import { build } from "esbuild";
import { readFile, readdir, writeFile } from "node:fs/promises";

const result = await build({
  stdin: { contents: 'export { default } from "@moneykit/connect";', resolveDir: import.meta.dirname },
  bundle: true,
  format: "esm",
  target: "es2022",
  outfile: "static/moneykit-connect.js",
  banner: { js: "// Built by build.mjs from npm packages; their licenses are in moneykit-connect.LICENSES.txt." },
  metafile: true,
});

const packages = new Set(Object.keys(result.metafile.inputs).map((path) => path.match(/node_modules\/((?:@[^/]+\/)?[^/]+)/)?.[1]).filter(Boolean));
const sections = [];
for (const name of [...packages].sort()) {
  const { version, license, author } = JSON.parse(await readFile(`node_modules/${name}/package.json`, "utf8"));
  const file = (await readdir(`node_modules/${name}`)).find((file) => /^licen[cs]e/i.test(file));
  const text = file
    ? await readFile(`node_modules/${name}/${file}`, "utf8")
    : `By ${author.name ?? author}. Its package.json says "license": "${license}"; it comes with no license text.`;
  sections.push(`${name} ${version} (${license})\n\n${text.trim()}\n`);
}
await writeFile("static/moneykit-connect.LICENSES.txt", sections.join(`\n${"-".repeat(80)}\n\n`));
