/**
 * `-o monday.json` means `--report monday.json`: so calicoctl writes the report of `ipam check`, and no format is called so.
 * @param words of a command that knows `--report`
 */
export function reportWords(words: readonly string[]): string[] {
  const end = words.indexOf('--');
  return words.flatMap((word, index) => {
    if (end !== -1 && index >= end) return [word];
    const before = words[index - 1];
    if ((before === '-o' || before === '--output') && isReport(word)) return [word];
    if ((word === '-o' || word === '--output') && isReport(words[index + 1] ?? '')) return ['--report'];
    const value = /^(?:-o=?|--output=)(.+)$/.exec(word)?.[1];
    return value !== undefined && isReport(value) ? ['--report', value] : [word];
  });
}

function isReport(value: string): boolean {
  return !value.startsWith('-') && value.endsWith('.json');
}
