// Prints "N passed, N failed" from the report of the last test run; fails if there is none or if it ran nothing.
import { readFileSync } from 'node:fs';

let report;
try {
  report = JSON.parse(readFileSync(new URL('../node_modules/.cache/vitest.json', import.meta.url), 'utf8'));
} catch {
  console.log('0 passed, 1 failed');
  process.exit(1);
}
const suitesFailed = report.testResults.filter(
  (s) => s.status === 'failed' && s.assertionResults.length === 0,
).length;
const failed = report.numFailedTests + suitesFailed;
console.log(`${report.numPassedTests} passed, ${failed} failed`);
process.exit(failed === 0 && report.numPassedTests > 0 ? 0 : 1);
