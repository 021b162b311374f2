// Records what cron-parser 5 answers, for TestAnswersOfCronParser.
//
//   dir=$(mktemp -d) && cp record.mjs "$dir" && npm install --prefix "$dir" cron-parser@5.10
//   TZ=UTC node "$dir/record.mjs" | gzip -9n > cron-parser-5.json.gz
//
// Every run is asked of a fresh parser that starts at the run before, as BullMQ
// does. Answers are seconds: the first since the start, each other since the one
// before. An error that a search ends in is recorded as null.
import { createRequire } from 'node:module';
import { CronExpressionParser } from 'cron-parser';

const corpus = [
  '* * * * *', '*/5 * * * *', '0 * * * *', '30 4 * * *', '0 0 * * *', '15 3 * * 1', '0 9-17 * * 1-5',
  '0 9-17/2 * * *', '5,10,15 * * * *', '0 0 1 * *', '0 0 31 * *', '0 0 29 2 *', '0 0 1 1 *',
  '0 12 * JAN-MAR MON', '0 0 * * SUN', '0 0 * * 7', '0 0 * * 0', '0 0 * * 0-7', '0 0 * * 5-7', '0 0 * * 6-7',
  '0 0 * * sun', '0 0 1 jan *', '*/10 * * * * *', '0 15 3 * * *', '30 0 0 1 * *', '0 0 0 * * 1-5', '5 4 3 2 1 *',
  '0 */7 * * * *', '0 0 13 * 5', '0 0 1,15 * 1', '0 0 */2 * 1', '0 0 1-7 * 1', '0 0 ? * 1', '0 0 1 * ?',
  '0 0 13 * *', '0 0 * * 1', '0 0 */10 * *', '0 0 L * *', '0 0 0 L * *', '0 0 L * 1', '0 0 * * 5L', '0 0 * * 1L',
  '0 0 * * L', '0 0 * * 7L', '0 0 * * 0L', '0 0 * * 1#1', '0 0 * * 5#3', '0 0 * * 1#5', '0 0 * * 1#6',
  '0 0 * * 1#1,3#2', '0 0 * * MON#1', '0 0 L-3 * *', '0 0 LW * *', '0 0 15W * *', '0 0 1,L * *', '0 0 L 2 *',
  '@hourly', '@daily', '@weekly', '@monthly', '@yearly', '@annually', '@midnight', '@minutely', '@secondly',
  '@weekdays', '@weekends', '@reboot', '@every 1h', '55-5 * * * *', '0 22-2 * * *', '0 0 * * FRI-MON',
  '0 0 * NOV-FEB *', '1-5/2 * * * *', '10/15 * * * *', '0/5 * * * *', '*/90 * * * *', '*/0 * * * *',
  '60 * * * *', '* 24 * * *', '0 0 32 * *', '0 0 0 * *', '0 0 * 13 *', '0 0 * 0 *', '0 0 * * 8', '0 0 30 2 *',
  '0 0 31 4 *', '0 0 31 2,4 *', '', '*', '* *', '* * * *', '0 12', '* * * * * * *', '0 0 * * 1-', 'a * * * *',
  '1,,2 * * * *', ', * * * *', '1- * * * *', '-1 * * * *', '  0   5 * *   * ', '0\t5 * * *', '5 * * * * 2030',
  'H * * * *', 'H H * * *', 'H/15 * * * *', 'H(0-10) * * * *', '30 2 * * *', '0 2 * * *', '30 1 * * *',
  '0 1 * * *', '0 3 * * *', '*/30 * * * *', '0 */2 * * *', '0 */3 * * *', '15 1-3 * * *', '0 0 2 * * *',
  '0 30 2 * * 0', '*/20 2 * * *', '0 1,2,3 * * *', '0 0-6/2 * * *', '59 23 * * *',
];

const zones = ['', 'UTC', 'America/New_York', 'Europe/Berlin', 'Australia/Lord_Howe', 'Asia/Kolkata', 'America/Sao_Paulo', 'Asia/Beirut'];

const starts = [
  '2026-03-08T05:30:00Z', '2026-03-08T06:59:59Z', '2026-03-08T07:10:00Z', '2026-03-28T21:15:00Z', '2026-03-29T00:30:00Z',
  '2026-04-04T13:00:00Z', '2026-10-03T14:00:00Z', '2026-10-24T20:30:00Z', '2026-10-25T00:10:00Z', '2026-11-01T04:30:00Z',
  '2026-11-01T06:10:00Z', '2028-02-28T23:59:00Z', '2018-11-03T12:00:00Z', '2026-01-15T10:20:30Z', '2026-07-01T12:34:56.789Z',
];

// The grammar's corners, asked once each, in UTC.
const grammar = [
  '0 0 * * 0,7', '0 0 * * 7,0', '0 0 * * SUN,7', '0 0 * * 6-7,0', '0 0 * * 0-7,1', '0 0 * * 1-3,7-7', '0 0 * * 0L,7L', '0 0 * * 1L,1L',
  '0 0 * * 1L,1', '0 0 * * 1L,2L', '0 0 * * 1-5L', '0 0 * * *L', '0 0 * * L1', '0 0 * * LL', '0 0 * * 8L', '0 0 * * 07L', '0 0 * * 1l',
  '0 0 l * *', '0 0 L,15 * *', '0 0 1-L * *', '0 0 L/2 * *', '0 0 */L * *', '0 0 LL * *', '0 0 L,L * *', '0 0 L L *', 'L 0 * * *',
  '0 0 *,L * 1', '0 0 L,* * *', '0 0 1L * *', '0 0 1#2 * *', '0 0 * * 1#0', '0 0 * * #1', '0 0 * * 1#', '0 0 * * 8#1', '0 0 * * 1-3#1',
  '0 0 * * 1/2#1', '0 0 * * */2#1', '0 0 * * *#1', '0 0 * * ?#1', '0 0 15 * *#1', '0 0 30 2 *#5', '0 0 30 2 0#5', '0 0 * 2 1#5',
  '0 0 * * 1#1L', '0 0 * * 1#1#2', '0 0 * * 1#01', '0 0 * * 7#1', '0 0 * * 1,3#2', '0 0 15 * 1#1', '0 0 L * 1L', '0 0 L * 1#1', '0 0 15 * 5L',
  '0 0 * * 1#MON', '0 0 * * MONL', '0 0 * * MONL,TUEL', '0 0 * * 1L-3', '0 0 * * 1L/2', '0 0 * * 1L,3-4', '0 0 * * *,1L',
  '*/5/2 * * * *', '1-5-7 * * * *', '1--5 * * * *', '*-5 * * * *', '5-* * * * *', '/5 * * * *', '*/ * * * *', '1/ * * * *', '*/-1 * * * *',
  '*/1.5 * * * *', '*/a * * * *', '*/59 * * * *', '*/60 * * * *', '*/1000000 * * * *', '*/99999999999999999999 * * * *', '1-5/0 * * * *',
  '1-5/100 * * * *', '5/100 * * * *', '59/2 * * * *', '5-5 * * * *', '5-4 * * * *', '*,5 * * * *', '5,* * * * *', '** * * * *', '*5 * * * *',
  '5* * * * *', '?? * * * *', '? ? ? ? ?', '? ? ? ? ? ?', '?/5 * * * *', '5/* * * * *', '1/5-10 * * * *', '05 * * * *', '0000000000005 * * * *',
  '1e1 * * * *', '0x5 * * * *', '+5 * * * *', '5. * * * *', '5,5 * * * *', '1-5,3-7 * * * *', '0-60 * * * *', '*/5,7 * * * *', '*/5,10 * * * *',
  '99999999999999999999 * * * *', 'JAN * * * *', '0 0 * JANUARY *', '0 0 * JANFEB *', '0 0 * mar-1 *', '0 0 * * MON-5', '0 0 * * MONDAY',
  '0 0 * * sunmon', '0 0 * * SAT-SUN', '0 0 * * MON/2', '0 0 * * MON/MON', '0 0 * JAN/2 *', '0 0 MON * *', '0 0 * MON *', '0 0 * * JAN',
  '0 0 * * 7/2', '0 0 * * */7', '0 0 * * */8', '0 0 * * 5/2', '0 0 * * 1/3', '0 0 * * MONTUE', '0 0 * 012 *', '0 0 30,31 2 *', '0 0 30 2 1',
  '0 0 31 4 5', '0 0 30/1 2 *', '0 0 31 */2 *', '0 0 30,L 2 *', '0 0 31 2 1L', '0 0 31 2 1#1', '0 0 31 2 ?', '0 0 31 2 */1', '0 0 31,1 2 *',
  '@YEARLY', ' @daily', '@daily ', '@', '@foo', '@daily *', ' ', '\t', '* * * * * * * *', 'TZ=0', 'TZ=', 'TZ=UTC * * * * *', 'CRON_TZ=UTC',
  'CRON_TZ=UTC * * * * *', '٣ * * * *', '* * * * *\u0000', '\u00a0* * * * *', '*\u3000* * * *', '\ufeff5 * * * *', '*\u0085* * * *', '0 0 * ſep *',
  '! * * * *', '(1) * * * *', '0 0 * * 1W', '0 0 1-31 * 1', '0 0 */1 * 1', '0 0 1 * */1', '0 0 1 * 0-7', '0 0 1/1 * 1', '0 0 1 * ?/1',
  '0 0 *,1 * 1', '0 0 1, * *', '0 0 * * ,', '0 0 00 * *', '0 0 0-5 * *', '0 0 * 0-3 *',
];

// Zones whose clocks change at unusual hours, around those changes.
const midnights = [
  ['Asia/Beirut', '2026-03-28T21:30:00Z'], ['Asia/Beirut', '2026-10-24T19:30:00Z'], ['America/Sao_Paulo', '2018-11-04T01:30:00Z'],
  ['America/Havana', '2026-10-31T12:00:00Z'], ['America/Havana', '2026-11-01T03:30:00Z'], ['America/Havana', '2026-03-08T03:30:00Z'],
  ['Atlantic/Azores', '2026-10-24T12:00:00Z'], ['Atlantic/Azores', '2026-10-25T00:10:00Z'], ['America/Nuuk', '2026-03-28T23:30:00Z'],
  ['America/Nuuk', '2026-03-29T00:30:00Z'], ['America/Nuuk', '2026-10-24T20:30:00Z'], ['Africa/Casablanca', '2026-02-15T00:30:00Z'],
];
const midnightExpressions = [
  '30 0 * * *', '30 23 * * *', '0 0 * * *', '*/30 22-23 * * *', '15 0,23 * * *', '0 * * * *', '*/20 0 * * *', '10 0 1 11 *', '30 */2 * * *',
  '30 1 * * 0', '10 0 25 * *', '0 12 L * *',
];

function answers(expr, zone, start) {
  const runs = [];
  let from = new Date(start);
  let last = Math.floor(from.getTime() / 1000);
  for (let i = 0; i < 3; i++) {
    try {
      const options = { currentDate: from, ...(zone ? { tz: zone } : {}) };
      from = CronExpressionParser.parse(expr, options).next().toDate();
    } catch {
      runs.push(null);
      break;
    }
    runs.push(from.getTime() / 1000 - last);
    last = from.getTime() / 1000;
  }
  return runs;
}

// valid asks at an hour when no clock changes, so that only the expression can
// be at fault.
function valid(expr) {
  return answers(expr, 'UTC', '2026-01-15T10:20:30Z')[0] !== null;
}

const cases = [];
function record(expr, zone, start) {
  cases.push({ expr, zone, start, runs: answers(expr, zone, start) });
}

const refused = [...new Set([...corpus, ...grammar])].filter((expr) => !valid(expr));
for (const expr of corpus) {
  // H is drawn anew at every evaluation: there is no answer to record.
  if (refused.includes(expr) || expr.startsWith('H')) continue;
  for (const zone of zones) for (const start of starts) record(expr, zone, start);
}
for (const expr of grammar) {
  if (!refused.includes(expr)) record(expr, 'UTC', '2026-01-15T10:20:30Z');
}
for (const [zone, start] of midnights) {
  for (const expr of midnightExpressions) record(expr, zone, start);
}

const { version } = createRequire(import.meta.url)('cron-parser/package.json');
const rows = cases.map((c) => JSON.stringify(c)).join(',\n');
console.log(`{"version":${JSON.stringify(version)},"tzdata":${JSON.stringify(process.versions.tz)},`);
console.log(`"refused":${JSON.stringify(refused)},\n"cases":[\n${rows}\n]}`);
