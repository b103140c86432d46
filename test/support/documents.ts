import Ajv from 'ajv';
import { type OutputDocument, type OutputKind, outputSchemas } from '../../src/lib/view/schemas/output-schemas';

const schemas = outputSchemas({ strict: true });

/** Printed JSON as a document of this kind; a key that the published schema does not know fails as well. */
export function documentOf<Kind extends OutputKind>(kind: Kind, text: string): OutputDocument<Kind> {
  const document: unknown = JSON.parse(text);
  const ajv = new Ajv({ strict: true, allErrors: true, validateFormats: false });
  if (isDocument<Kind>(ajv, kind, document)) return document;
  throw new Error(`not a ${kind}: ${ajv.errorsText()}\n${text.slice(0, 2000)}`);
}

function isDocument<Kind extends OutputKind>(
  ajv: Ajv,
  kind: Kind,
  document: unknown,
): document is OutputDocument<Kind> {
  return ajv.validate(schemas[kind] ?? false, document);
}
