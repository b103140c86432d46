const chunkLength = 65_536;

/** Lines (with their `\n`) gathered into pieces of about 64 KiB: few writes, and never one giant string. */
export function* chunks(lines: Iterable<string>): Generator<string> {
  let chunk = '';
  for (const line of lines) {
    chunk += line;
    if (chunk.length >= chunkLength) {
      yield chunk;
      chunk = '';
    }
  }
  if (chunk !== '') yield chunk;
}
