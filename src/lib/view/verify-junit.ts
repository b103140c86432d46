import { type JunitCase, junitXml } from './junit';
import type { VerifiedPathItem, VerifiedTestItem, VerifyDocument } from './verify';

/** A suite a leg; of each pair a test for every packet that was sent, and one for the source address that arrived. */
export function verifyJunit({ items }: VerifyDocument): string {
  const legs = [...new Set(items.map(({ leg }) => leg))];
  return junitXml(
    'netctl verify',
    legs.map((leg) => ({ name: leg, cases: items.filter((item) => item.leg === leg).flatMap(casesOf) })),
  );
}

function casesOf(item: VerifiedPathItem): readonly JunitCase[] {
  const name = `${item.from} to ${item.to}`;
  const cases = item.tests.map(
    (test): JunitCase => ({
      classname: item.leg,
      name: `${name}: ${test.protocol} ${test.bytes} bytes`,
      seconds: (test.roundTripMicroseconds ?? 0) / 1_000_000,
      result: resultOf(test, item),
    }),
  );
  if (item.leg !== 'container-to-container') return cases;
  const others = item.sources.filter((source) => source !== item.sender);
  const result: JunitCase['result'] =
    item.sources.length === 0
      ? { kind: 'skipped', message: 'nothing arrived that shows it' }
      : others.length === 0
        ? { kind: 'passed' }
        : {
            kind: 'failed',
            type: 'path-masqueraded',
            message: `sent as ${item.sender}, arrived as ${others.join(', ')}`,
          };
  return [...cases, { classname: item.leg, name: `${name}: source address`, seconds: 0, result }];
}

function resultOf(test: VerifiedTestItem, item: VerifiedPathItem): JunitCase['result'] {
  switch (test.state) {
    case 'answered':
      return { kind: 'passed' };
    case 'failed':
      return { kind: 'failed', type: item.fault ?? 'failed', message: test.why ?? '' };
    case 'unknown':
      return { kind: 'skipped', message: test.why ?? '' };
    default:
      return test.state satisfies never;
  }
}
