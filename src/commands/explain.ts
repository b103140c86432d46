import { NetctlCommand } from '../lib/cli/command';
import { argument, outputFlags } from '../lib/cli/flags';
import { InvalidInput } from '../lib/errors';
import type { Topic } from '../lib/explain/topic';

export default class Explain extends NetctlCommand {
  static override summary = 'Say what the code of an error, a problem or an exit means and how to mend it.';
  static override description =
    'Every error that netctl prints and every problem that it reports has a code. Without CODE all of them are listed; exit-codes lists the exit codes.';
  static override args = {
    code: argument({ description: 'A code such as unknown-flag, an exit code such as 6, or exit-codes.' }),
  };
  static override flags = outputFlags();
  static override examples = [
    { description: 'What exit code 6 means', command: 'netctl explain 6' },
    { description: 'All exit codes', command: 'netctl explain exit-codes' },
  ];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Explain);
    const { allTopics, exitTopics } = await import('../lib/explain/index');
    const { topicList, topicRecord } = await import('../lib/explain/view');
    if (args.code === undefined) return this.printList(allTopics(), topicList, flags);
    if (args.code === 'exit-codes') return this.printList(exitTopics, topicList, flags);
    const topic = allTopics().find(({ code }) => code === args.code);
    if (topic === undefined) throw await unknownCode(args.code, allTopics());
    return this.printRecord(topic, topicRecord, flags);
  }
}

async function unknownCode(code: string, topics: readonly Topic[]): Promise<InvalidInput> {
  const { didYouMean } = await import('../lib/cli/did-you-mean');
  const known = topics.map((topic) => topic.code);
  return new InvalidInput({
    code: 'unknown-code',
    message: `${code}: netctl explain knows no such code`,
    details: didYouMean(code, known).map((guess) => `did you mean: netctl explain ${guess}`),
    next: ['netctl explain'],
  });
}
