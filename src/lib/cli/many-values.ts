/**
 * The values of a flag that can be repeated. oclif types it as a list, but gives what stands in the flag's variable as
 * one text (4.14.0, lib/parser/parse.js); there commas part the values.
 */
export function manyValues(given: readonly string[] | string | undefined): readonly string[] {
  if (typeof given !== 'string') return given ?? [];
  return given
    .split(',')
    .map((value) => value.trim())
    .filter((value) => value !== '');
}
