// Holds the APIs that are generated against graphql-js: `schemas.mjs URL FILE...`. Each file is built and validated,
// and so is the schema that the server at URL answers introspection with: it must be the text that it serves.
import { readFileSync } from "node:fs";
import {
  buildClientSchema,
  buildSchema,
  getIntrospectionQuery,
  getNamedType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  isScalarType,
  lexicographicSortSchema,
  printSchema,
  validateSchema,
} from "graphql";

const [url, ...files] = process.argv.slice(2);
let wrong = 0;

function check(name, schema) {
  const errors = validateSchema(schema);
  for (const error of errors) console.error(`${name}: ${error.message}`);
  wrong += errors.length;
  return schema;
}

for (const file of files) check(file, buildSchema(readFileSync(file, "utf8")));

// What introspection does not tell of: it has no directives on definitions but those of the specification.
const query = getIntrospectionQuery({ specifiedByUrl: true, oneOf: true, inputValueDeprecation: true });
const answer = await fetch(url, {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ query }),
});
const { data, errors } = await answer.json();
if (errors) throw new Error(`introspection is refused: ${JSON.stringify(errors)}`);
const introspected = check("introspection", buildClientSchema(data));
const served = check("schema.graphql", buildSchema(await (await fetch(new URL("/schema.graphql", url))).text()));

// graphql-js prints no default of a scalar that is an object: such a default stands there as its text.
function withPrintableDefaults(schema) {
  for (const type of Object.values(schema.getTypeMap())) {
    const fields = isInputObjectType(type) || isObjectType(type) || isInterfaceType(type) ? Object.values(type.getFields()) : [];
    for (const input of isInputObjectType(type) ? fields : fields.flatMap((field) => field.args)) {
      if (isScalarType(getNamedType(input.type)) && typeof input.defaultValue === "object" && input.defaultValue !== null) {
        input.defaultValue = JSON.stringify(input.defaultValue);
      }
    }
  }
  return schema;
}

const text = (schema) => printSchema(withPrintableDefaults(lexicographicSortSchema(schema)));
if (text(introspected) !== text(served)) {
  console.error("introspection tells another schema than /schema.graphql serves");
  wrong += 1;
}
console.log(`${files.length + 2} schemas are accepted by graphql-js`);
process.exitCode = wrong === 0 ? 0 : 1;
