import type { Candidate } from './complete';

/**
 * Values that completion looks up, by the name of the argument or the `helpValue` of the flag in small letters.
 * To offer a new kind, give the argument that name and add a case here.
 */
export async function valuesFor(kind: string, words: readonly string[]): Promise<readonly Candidate[]> {
  switch (kind) {
    case 'code': {
      const { allTopics } = await import('../explain/index');
      return allTopics().map(({ code, title }) => ({ value: code, description: title }));
    }
    case 'node': {
      const { loadInventory } = await import('../inventory/find-inventory');
      const loaded = await loadInventory({ config: flagIn(words, '--config'), env: process.env, cwd: process.cwd() });
      return (loaded?.inventory.nodes ?? []).map(({ name, address }) => ({ value: name, description: address }));
    }
    default:
      return [];
  }
}

function flagIn(words: readonly string[], flag: string): string | undefined {
  const joined = words.find((word) => word.startsWith(`${flag}=`));
  if (joined !== undefined) return joined.slice(flag.length + 1);
  const at = words.indexOf(flag);
  return at === -1 ? undefined : words.slice(at + 1).find((word) => word !== '=');
}
