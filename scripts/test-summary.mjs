// The plain closing line of bin/test, from vitest's JSON report: "N passed, N failed, N skipped".
import { readFileSync } from 'node:fs';

const text = readFileSync(process.argv[2], 'utf8');
if (text === '') {
  console.error('bin/test: the tests did not run (see above).');
  process.exit(1);
}
const report = JSON.parse(text);
for (const file of report.testResults) {
  for (const test of file.assertionResults) {
    if (test.status === 'pending' || test.status === 'skipped') console.log(`skipped: ${test.fullName}`);
  }
}
console.log(`${report.numPassedTests} passed, ${report.numFailedTests} failed, ${report.numPendingTests} skipped`);
if (report.numPassedTests === 0 || !report.success) process.exit(1);
