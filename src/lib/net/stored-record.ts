/**
 * The fields of a JSON object that netctl has stored, to be asked by name. What is stored is not trusted: a field says nothing of its
 * type, and only the object's own are answered (`__proto__` is no field). Never throws.
 * @returns undefined for bytes that are no JSON object
 */
export function storedFields(bytes: Uint8Array): ((name: string) => unknown) | undefined {
  let stored: unknown;
  try {
    stored = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return undefined;
  }
  if (typeof stored !== 'object' || stored === null) return undefined;
  return (name) => (Object.hasOwn(stored, name) ? Reflect.get(stored, name) : undefined);
}
