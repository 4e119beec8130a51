// Imports a Postman collection into Bruno, as its application does. Arguments: the collection, an empty
// folder for Bruno's.
const { readFileSync } = require("node:fs");
const { postmanToBruno } = require("@usebruno/converters");
const { createCollectionFromBrunoObject } = require("@usebruno/cli/src/utils/collection");

const [source, folder] = process.argv.slice(2);

async function main() {
  const imported = await postmanToBruno(JSON.parse(readFileSync(source, "utf8")));
  await createCollectionFromBrunoObject(imported.collection ?? imported, folder, { format: "bru" });
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
