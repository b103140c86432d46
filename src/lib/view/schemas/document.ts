import * as z from 'zod';

// Shapes of the public JSON documents. They are for tests, for `docs/schemas/output` and for types
// (`import type` + `z.infer`); no command imports zod to print.

/** A document about one thing: `apiVersion`, `kind`, and the value's own keys beside them. */
export function documentSchema<Kind extends string, Shape extends z.ZodRawShape>(kind: Kind, shape: Shape) {
  return z.object({ apiVersion: z.literal('netctl/v1'), kind: z.literal(kind), ...shape });
}

/** A document that lists things: `items`, and what the command says about the whole in `extra`. */
export function listSchema<Kind extends string, Item extends z.ZodType>(kind: Kind, item: Item) {
  return documentSchema(kind, { items: z.array(item) });
}

/** The frame alone, for readers that dispatch on `kind`. */
export const anyListSchema = z.object({
  apiVersion: z.literal('netctl/v1'),
  kind: z.string().regex(/List$/).describe('What the items are, such as SubnetList.'),
  items: z.array(z.unknown()),
});
