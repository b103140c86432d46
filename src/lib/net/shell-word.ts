/**
 * A text as one word of a shell command that a person may paste. Plain words stay as they are; others stand in single
 * quotes; control characters and what a terminal would act on are written as `$'…'` escapes (bash, ksh, zsh).
 */
export function shellWord(text: string): string {
  if (/^[A-Za-z0-9_@%+=:,./-]+$/.test(text)) return text;
  if (!/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\ufffd]/u.test(text)) return `'${text.replaceAll("'", `'\\''`)}'`;
  let word = '';
  for (const character of text) {
    if (character === "'" || character === '\\') word += `\\${character}`;
    else if (/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u.test(character)) word += bytesOf(character);
    else word += character;
  }
  return `$'${word}'`;
}

function bytesOf(character: string): string {
  return Array.from(new TextEncoder().encode(character), (byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');
}
