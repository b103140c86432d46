import { answerLines } from './answer-text';
import { type Fact, type Facts, known, nothingElse, shellCommand } from './fact';

/** Which of these programs the node has, with their paths. */
export function programs(names: readonly string[]): Fact<ReadonlyMap<string, string>> {
  const asked = [...new Set(names)].filter((name) => /^[\w.+-]{1,64}$/.test(name)).sort();
  return {
    name: `programs ${asked.join(' ')}`,
    command: shellCommand('for p; do c=$(command -v "$p") && printf "%s %s\\n" "$p" "$c"; done; :', ...asked),
    requires: nothingElse,
    parse(output) {
      return known(
        new Map(
          answerLines(output.stdout).flatMap((line) => {
            const [name = '', path = ''] = line.split(' ');
            return asked.includes(name) && path.startsWith('/') ? [[name, path] as const] : [];
          }),
        ),
      );
    },
  };
}

/** What facts need of a node and what it has not: each group of programs of which it lacks every one, with the facts that miss it. */
export function missingPrograms(
  facts: Facts,
  present: ReadonlyMap<string, string>,
): readonly { readonly anyOf: readonly string[]; readonly facts: readonly string[] }[] {
  const missing = new Map<string, { readonly anyOf: readonly string[]; readonly facts: string[] }>();
  for (const fact of Object.values(facts)) {
    for (const anyOf of fact.requires.programs) {
      if (anyOf.some((program) => present.has(program))) continue;
      const key = anyOf.join(' ');
      const group = missing.get(key) ?? { anyOf, facts: [] };
      group.facts.push(fact.name);
      missing.set(key, group);
    }
  }
  return [...missing.values()];
}

/** Every program that one of the facts can make use of: the question for `programs`. */
export function programsOf(facts: Facts): readonly string[] {
  return [...new Set(Object.values(facts).flatMap((fact) => fact.requires.programs.flat()))].sort();
}
