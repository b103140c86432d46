import type { Candidate } from './complete';

/**
 * Values that completion looks up, by the name of the argument or the `helpValue` of the flag in small letters.
 * To offer a new kind, give the argument that name and add a case here.
 */
export async function valuesFor(kind: string, _words: readonly string[]): Promise<readonly Candidate[]> {
  switch (kind) {
    case 'code': {
      const { allTopics } = await import('../explain/index');
      return allTopics().map(({ code, title }) => ({ value: code, description: title }));
    }
    case 'shell':
      return ['bash', 'zsh', 'fish'].map((value) => ({ value, description: '' }));
    default:
      return [];
  }
}
