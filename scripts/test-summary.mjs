// The close of bin/test, from vitest's reports: what failed and why, then "N passed, N failed, N skipped".
import { existsSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';

const files = process.argv.slice(2).filter((file) => existsSync(file));
const total = { passed: 0, failed: 0, skipped: 0 };
let isGood = files.length > 0;
for (const file of files) {
  const report = JSON.parse(readFileSync(file, 'utf8'));
  for (const { assertionResults } of report.testResults) {
    for (const { status, fullName } of assertionResults) {
      if (status === 'pending' || status === 'skipped') console.log(`skipped: ${fullName}`);
    }
  }
  if (existsSync(`${file}.failed`)) {
    console.log(`\nFailed in ${basename(file, '.json')}:`);
    console.log(readFileSync(`${file}.failed`, 'utf8'));
  }
  total.passed += report.numPassedTests;
  total.failed += report.numFailedTests;
  total.skipped += report.numPendingTests;
  isGood &&= report.success && report.numPassedTests > 0;
}
if (files.length === 0) console.error('bin/test: the tests did not run (see above).');
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
if (!isGood) process.exit(1);
