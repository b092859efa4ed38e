// Loads the contract in swagger-parser, as YAML and bundled as JSON, and stops at the first complaint.
import SwaggerParser from "@apidevtools/swagger-parser";

for (const file of process.argv.slice(2)) {
  const api = await SwaggerParser.validate(file, { resolve: { http: false } });
  console.log(`${file}: ${api.info.title} ${api.info.version}, ${Object.keys(api.paths).length} paths, valid`);
}
