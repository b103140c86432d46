import { keyReference } from './key-reference';

/** The tables of docs/inventory.md: each key with its meaning, default and an example. */
export function inventoryReferenceMarkdown(): string {
  const sections = keyReference.filter(({ path }) => !/[.[]/.test(path));
  return sections
    .map((section) => {
      const keys = keyReference.filter(
        ({ path }) => path.startsWith(`${section.path}.`) || path.startsWith(`${section.path}[`),
      );
      const rows = keys.map(
        (key) =>
          `| \`${key.path}\` | ${cell(key.what)} | ${cell(key.default ?? '')} | ${key.example === undefined ? '' : `\`${cell(key.example)}\``} |`,
      );
      return [
        `### ${section.path}`,
        '',
        section.what,
        '',
        '| Key | Meaning | Default | Example |',
        '| --- | --- | --- | --- |',
        ...rows,
      ].join('\n');
    })
    .join('\n\n');
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
