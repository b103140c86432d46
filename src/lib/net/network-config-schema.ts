/** JSON Schema (draft 2020-12) of the value at `<prefix>/config`, for editors. */
export const networkConfigSchema: Readonly<Record<string, unknown>> = {};
