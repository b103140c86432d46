/** A test for a CI system. */
export interface JunitCase {
  readonly classname: string;
  readonly name: string;
  readonly seconds: number;
  readonly result:
    | { readonly kind: 'passed' }
    | { readonly kind: 'failed'; readonly type: string; readonly message: string }
    | { readonly kind: 'skipped'; readonly message: string };
}

export interface JunitSuite {
  readonly name: string;
  readonly cases: readonly JunitCase[];
}

/** JUnit's XML as Jenkins, GitLab and GitHub's actions read it. Texts may be untrusted: what XML cannot hold becomes U+FFFD. */
export function junitXml(name: string, suites: readonly JunitSuite[]): string {
  const all = suites.flatMap(({ cases }) => cases);
  const lines = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="${escaped(name)}" ${counts(all)}>`,
    ...suites.flatMap((suite) => [
      `  <testsuite name="${escaped(suite.name)}" ${counts(suite.cases)}>`,
      ...suite.cases.flatMap(caseLines),
      '  </testsuite>',
    ]),
    '</testsuites>',
  ];
  return `${lines.join('\n')}\n`;
}

function counts(cases: readonly JunitCase[]): string {
  const of = (kind: JunitCase['result']['kind']) => cases.filter(({ result }) => result.kind === kind).length;
  const seconds = cases.reduce((sum, each) => sum + each.seconds, 0);
  return `tests="${cases.length}" failures="${of('failed')}" errors="0" skipped="${of('skipped')}" time="${seconds.toFixed(6)}"`;
}

function caseLines({ classname, name, seconds, result }: JunitCase): readonly string[] {
  const open = `    <testcase classname="${escaped(classname)}" name="${escaped(name)}" time="${seconds.toFixed(6)}"`;
  switch (result.kind) {
    case 'passed':
      return [`${open}/>`];
    case 'failed':
      return [
        `${open}>`,
        `      <failure type="${escaped(result.type)}" message="${escaped(result.message)}"/>`,
        '    </testcase>',
      ];
    case 'skipped':
      return [`${open}>`, `      <skipped message="${escaped(result.message)}"/>`, '    </testcase>'];
    default:
      return result satisfies never;
  }
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

/** For an attribute: line ends and tabs as references, else a reader makes blanks of them. XML 1.0, section 2.2 has the rest. */
function escaped(text: string): string {
  return text
    .replace(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, '\uFFFD')
    .replace(/[&<>"']/g, (character) => entities[character] ?? character)
    .replace(/[\t\n\r]/g, (character) => `&#${character.charCodeAt(0)};`);
}
