import type { CommandInfo } from '../src/lib/cli/program';

interface Topics {
  readonly [name: string]: { readonly description: string; readonly subtopics?: Topics };
}

export function packageJson(): {
  readonly version: string;
  readonly description: string;
  readonly oclif: { readonly topics: Topics };
};
export function manifest(): Promise<{
  readonly commands: Readonly<Record<string, CommandInfo>>;
  readonly version: string;
}>;
export function topicTexts(topics: Topics, before?: string): Readonly<Record<string, string>>;
