// Renders the contract, bundled as JSON, as one page that works offline: node docs.mjs openapi.json page.html
import { readFile, writeFile } from "node:fs/promises";

const [contract, page] = process.argv.slice(2);
const spec = JSON.parse(await readFile(contract, "utf8"));
const redoc = await readFile("node_modules/redoc/bundles/redoc.standalone.js", "utf8");

// Without the logo that the note "API docs by Redocly" would load from Redocly's servers.
const logo = `data:image/svg+xml,${encodeURIComponent('<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>')}`;
const offline = redoc.replace(/https:\/\/cdn\.redoc\.ly\/redoc\/[\w.-]+\.svg/g, logo);
if (offline === redoc) throw new Error("Redoc loads its logo in another way: check that the page works offline");

// No text in a script may close it.
const inline = (text) => text.replace(/<\/(?=script)/gi, "<\\/");
const options = {
  hideDownloadButton: true,
  expandResponses: "201",
  pathInMiddlePanel: true,
  theme: {
    spacing: { sectionVertical: 20 },
    typography: {
      fontFamily: "system-ui, sans-serif",
      headings: { fontFamily: "system-ui, sans-serif" },
      code: { fontFamily: "ui-monospace, monospace" },
    },
  },
};

await writeFile(page, `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${spec.info.title} ${spec.info.version}</title>
<style>body { margin: 0; }</style>
</head>
<body>
<div id="redoc"></div>
<noscript>This page needs JavaScript. The contract itself is openapi.yaml.</noscript>
<script>${inline(offline)}</script>
<script>Redoc.init(${inline(JSON.stringify(spec))}, ${JSON.stringify(options)}, document.getElementById("redoc"));</script>
</body>
</html>
`);
console.log(`${page}: ${spec.info.title} ${spec.info.version}`);
