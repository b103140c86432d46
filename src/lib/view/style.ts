import type { Screen } from './format';

/** What a piece of text says, not which colour it has. */
export type Tone = 'plain' | 'good' | 'warn' | 'bad' | 'dim' | 'strong';

export interface Style {
  readonly good: (text: string) => string;
  readonly warn: (text: string) => string;
  readonly bad: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly strong: (text: string) => string;
  readonly tone: (tone: Tone, text: string) => string;
}

/** Texts pass through it after `safeText`, never before. chalk is loaded only when the screen has colours. */
export async function styler(screen: Screen): Promise<Style> {
  if (screen.colorLevel === 0) return plainStyle;
  const { Chalk } = await import('chalk');
  const chalk = new Chalk({ level: screen.colorLevel });
  const tones = { good: chalk.green, warn: chalk.yellow, bad: chalk.red, dim: chalk.dim, strong: chalk.bold };
  return { ...tones, tone: (tone, text) => (tone === 'plain' || text === '' ? text : tones[tone](text)) };
}

const same = (text: string): string => text;

const plainStyle: Style = {
  good: same,
  warn: same,
  bad: same,
  dim: same,
  strong: same,
  tone: (_tone, text) => text,
};
