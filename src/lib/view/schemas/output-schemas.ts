import * as z from 'zod';
import { anyListSchema } from './document';
import { errorDocument } from './error-document';
import { networkValidation } from './network-validation';

/**
 * Every public document by its `kind`. A new one: write `schemas/<kind>.ts` with `documentSchema` or `listSchema`,
 * add a line here, run the script that writes `docs/schemas/output/<Kind>.schema.json`, and let the command's test
 * parse its real output with it.
 */
export const outputDocuments = {
  Error: errorDocument,
  List: anyListSchema,
  NetworkValidation: networkValidation,
} as const satisfies Readonly<Record<string, z.ZodType>>;

export type OutputKind = keyof typeof outputDocuments;

/** A document's TypeScript type: `OutputDocument<'Error'>`. */
export type OutputDocument<Kind extends OutputKind> = z.infer<(typeof outputDocuments)[Kind]>;

export type JsonSchema = Readonly<Record<string, unknown>>;

/**
 * JSON Schemas (draft 7) by kind, keys in a stable order.
 *
 * @param options.strict refuse keys that the schema does not know: for our tests. Published schemas allow them,
 * because `netctl/v1` may grow new keys.
 */
export function outputSchemas(options: { readonly strict?: boolean } = {}): Readonly<Record<string, JsonSchema>> {
  return Object.fromEntries(
    Object.entries(outputDocuments).map(([kind, schema]) => [kind, { title: kind, ...jsonSchemaOf(schema, options) }]),
  );
}

function jsonSchemaOf(schema: z.ZodType, options: { readonly strict?: boolean }): JsonSchema {
  return z.toJSONSchema(schema, {
    target: 'draft-07',
    override: ({ jsonSchema }) => {
      if (options.strict !== true && jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
    },
  });
}
