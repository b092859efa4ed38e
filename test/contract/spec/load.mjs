// Loads the contract in swagger-parser, as YAML and bundled as JSON, and fails at the first error.
import SwaggerParser from "@apidevtools/swagger-parser";

for (const file of process.argv.slice(2)) {
  const api = await SwaggerParser.validate(file, { resolve: { http: false } });
  console.log(`${file}: ${api.info.title} ${api.info.version}, ${Object.keys(api.paths).length} paths, valid`);
}
