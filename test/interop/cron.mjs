// When the cron parsers of BullMQ 5 and 6 fire: reads questions from stdin, one JSON object per line, and answers each
// with one line.
//
//   node cron.mjs --bullmq 5|6
//
// {"pattern":"0 3 * * *","tz":"Europe/Berlin","from":<ms>,"to":<ms>} is answered with the times in between, in seconds,
// each counted from the one before and the first from "from" rounded down. Every time is asked of a fresh parser that
// starts at the time before, as BullMQ does, and "most" bounds how many are. A search that ends in an error, or
// does not get on, ends the list with null.
// The first line is {"version":…,"tzdata":…,"node":…}.
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';

const { values: args } = parseArgs({ options: { bullmq: { type: 'string', default: '6' } } });
const require = createRequire(import.meta.url);
// The parser that this BullMQ itself would load.
const bullmq = createRequire(require.resolve(`bullmq${args.bullmq}`));
const parser = bullmq('cron-parser');
const parse = parser.CronExpressionParser
  ? (pattern, options) => parser.CronExpressionParser.parse(pattern, options)
  : (pattern, options) => parser.parseExpression(pattern, options);

function times({ pattern, tz, from, to, most = Infinity }) {
  const out = [];
  let current = new Date(from);
  let last = Math.floor(from / 1000);
  while (out.length < most) {
    let next;
    try {
      next = parse(pattern, { currentDate: current, ...(tz ? { tz } : {}) }).next().getTime();
    } catch {
      out.push(null);
      return out;
    }
    if (next > to) {
      return out;
    }
    if (next <= current.getTime()) {
      out.push(null);
      return out;
    }
    out.push(next / 1000 - last);
    last = next / 1000;
    current = new Date(next);
  }
  return out;
}

const write = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const { version } = bullmq('cron-parser/package.json');
write({ version, tzdata: process.versions.tz, node: process.versions.node });
for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  write(times(JSON.parse(line)));
}
