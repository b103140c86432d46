import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import type { Reporter, TestModule, TestUserConfig } from 'vitest/node';

const linesPerFailure = 60;

type TestError = ReturnType<TestModule['errors']>[number];

/**
 * vitest's reporters of a run. With NETCTL_TEST_REPORT=FILE, as bin/test sets it, FILE gets the counts as JSON and
 * FILE.failed what failed and why, which bin/test says again at its end: of a long log often only that is kept.
 */
export function reporters(): NonNullable<TestUserConfig['reporters']> {
  const report = process.env['NETCTL_TEST_REPORT'];
  if (report === undefined) return ['default'];
  return ['default', ['json', { outputFile: report }], new FailedTests(`${report}.failed`)];
}

class FailedTests implements Reporter {
  readonly file: string;

  constructor(file: string) {
    this.file = file;
  }

  onTestRunEnd(modules: readonly TestModule[], outside: readonly TestError[]): void {
    const failed = modules.flatMap((module) => {
      const place = relative(process.cwd(), module.moduleId);
      const told = (errors: readonly TestError[] | undefined, name: string) =>
        (errors ?? []).map((error) => failure(`${place} > ${name}`, error));
      return [
        ...told(module.errors(), 'the file'),
        ...[...module.children.allSuites()].flatMap((suite) => told(suite.errors(), suite.fullName)),
        ...[...module.children.allTests('failed')].flatMap((test) => told(test.result().errors, test.fullName)),
      ];
    });
    const text = [...failed, ...outside.map((error) => failure('outside of any test', error))].join('');
    if (text !== '') writeFileSync(this.file, text);
  }
}

function failure(what: string, { diff, message, stack }: TestError): string {
  const calls = (stack ?? '')
    .split('\n')
    .filter((line) => line.trim().startsWith('at ') && !line.includes('node_modules'));
  const lines = [...message.split('\n'), ...(typeof diff === 'string' ? diff.split('\n') : []), ...calls];
  const left = lines.length - linesPerFailure;
  const shown = left > 0 ? [...lines.slice(0, linesPerFailure), `(${left} more lines above)`] : lines;
  return [`failed: ${what}`, ...shown.map((line) => `  ${line}`), ''].join('\n');
}
