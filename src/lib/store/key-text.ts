/**
 * etcd v3 keys are bytes, ours are texts. Bytes that are not UTF-8 become lone surrogates U+DC80 to U+DCFF (as Python's
 * `surrogateescape` does), so that such a key can still be shown, compared, and above all deleted: flanneld trips over it.
 */
export function keyText(bytes: Buffer, start = 0, end = bytes.length): string {
  const text = bytes.toString('utf8', start, end);
  return text.includes('\ufffd') ? escapedText(bytes.subarray(start, end)) : text;
}

/** The bytes of a key; the inverse of `keyText`. */
export function keyBytes(text: string): Buffer {
  return loneSurrogate.test(text) ? unescapedBytes(text) : Buffer.from(text);
}

const loneSurrogate = /\p{Surrogate}/u;

function escapedText(bytes: Buffer): string {
  let text = '';
  let at = 0;
  while (at < bytes.length) {
    const length = sequenceLength(bytes, at);
    if (length === 0) {
      text += String.fromCharCode(0xdc00 + (bytes[at] ?? 0));
      at += 1;
    } else {
      text += bytes.toString('utf8', at, at + length);
      at += length;
    }
  }
  return text;
}

/** Length of the valid UTF-8 sequence that starts here, 0 when there is none. */
function sequenceLength(bytes: Buffer, at: number): number {
  const first = bytes[at] ?? 0;
  const length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (length === 0 || at + length > bytes.length) return 0;
  const sequence = bytes.subarray(at, at + length);
  return Buffer.from(sequence.toString()).equals(sequence) ? length : 0;
}

function unescapedBytes(text: string): Buffer {
  const parts: Buffer[] = [];
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    parts.push(code >= 0xdc80 && code <= 0xdcff ? Buffer.of(code - 0xdc00) : Buffer.from(character));
  }
  return Buffer.concat(parts);
}
