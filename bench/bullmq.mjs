// Throughput of Node BullMQ 5 and 6 against one Redis, to compare our engine with.
//
//   npm ci --prefix ../test/interop
//   node bullmq.mjs --bullmq 5|6 --redis redis://127.0.0.1:6379 --mode process --jobs 50000
//
// It prints one line: {"mode":"process","jobs":50000,"seconds":4.2,"perSecond":11904.8,...}. The clock runs from the
// first request that counts to the answer of the last one; connecting, preloading and a warm-up run (which loads
// Lua scripts and lets V8 compile) are outside. The queue is obliterated before and after.
//
// Modes:
//   add, add-prioritized              addBulk in batches of --batch, one batch after the other
//   add-single                        add one by one with --inflight calls under way
//   process, process-prioritized      no-op handler, --concurrency jobs at a time in one worker
//   fail, fail-newest                 handler throws, one attempt
// Finished jobs are kept as --keep newest and no longer than a day; those of fail for a week, however many.
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';

function fail(err) {
  console.error(`bench: ${err.message}`);
  process.exit(1);
}
process.on('uncaughtException', fail);

const { values: args } = parseArgs({
  options: {
    bullmq: { type: 'string', default: '6' },
    redis: { type: 'string', default: 'redis://127.0.0.1:6379' },
    mode: { type: 'string', default: 'process' },
    jobs: { type: 'string', default: '50000' },
    batch: { type: 'string', default: '1000' },
    inflight: { type: 'string', default: '100' },
    concurrency: { type: 'string', default: '100' },
    keep: { type: 'string', default: '1000' },
    warmup: { type: 'string', default: '2000' },
    queue: { type: 'string', default: 'bench' },
  },
});

const number = (name) => {
  const value = Number(args[name]);
  if (!Number.isInteger(value) || value < 1) {
    throw new Error(`--${name} must be a positive number, not ${args[name]}`);
  }
  return value;
};
const [jobs, batch, inflight, concurrency] = ['jobs', 'batch', 'inflight', 'concurrency'].map(number);
const keep = { count: number('keep'), age: 86400 };
const week = { age: 7 * 86400 };

if (args.bullmq !== '5' && args.bullmq !== '6') {
  throw new Error(`--bullmq must be 5 or 6, not ${args.bullmq}`);
}
const requireFrom = createRequire(new URL('../test/interop/package.json', import.meta.url));
const { Queue, Worker } = requireFrom(`bullmq${args.bullmq}`);
const { version } = requireFrom(`bullmq${args.bullmq}/package.json`);

const connection = { url: args.redis };
const data = { to: 'someone@example.com', n: 1 };
const priorities = 10;
const optsOf = { plain: () => ({}), prioritized: (n) => ({ priority: 1 + (n % priorities) }) };

async function addBulk(queue, count, opts) {
  for (let from = 0; from < count; from += batch) {
    const size = Math.min(batch, count - from);
    await queue.addBulk(Array.from({ length: size }, (_, i) => ({ name: 'noop', data, opts: opts(from + i) })));
  }
}

async function addSingle(queue, count) {
  let next = 0;
  const lane = async () => {
    while (next++ < count) {
      await queue.add('noop', data);
    }
  };
  await Promise.all(Array.from({ length: inflight }, lane));
}

// finish runs a worker until it has finished count jobs; every one of them must end with the event.
async function finish(count, event, handler, keepFailed) {
  const worker = new Worker(args.queue, handler, {
    connection,
    concurrency,
    autorun: false,
    removeOnComplete: keep,
    removeOnFail: keepFailed,
  });
  await worker.waitUntilReady();
  const all = new Promise((resolve, reject) => {
    let seen = 0;
    worker.on('error', reject);
    worker.on(event === 'completed' ? 'failed' : 'completed', () => reject(new Error(`a job was not ${event}`)));
    worker.on(event, () => {
      if (++seen === count) {
        resolve();
      }
    });
  });
  const seconds = await time(async () => {
    void worker.run();
    await all;
  });
  await worker.close();
  return seconds;
}

async function time(work) {
  const start = process.hrtime.bigint();
  await work();
  return Number(process.hrtime.bigint() - start) / 1e9;
}

const noop = async () => {};
const thrower = async () => {
  throw new Error('no');
};

function adding(opts) {
  return { run: (queue, count) => time(() => addBulk(queue, count, opts)), left: (count) => ({ added: count }) };
}

function finishing(event, handler, opts, keepFailed = keep) {
  return {
    run: async (queue, count) => {
      await addBulk(queue, count, opts);
      return finish(count, event, handler, keepFailed);
    },
    left: (count) => ({ added: 0, [event]: Math.min(count, keepFailed.count ?? count) }),
  };
}

const modes = {
  add: adding(optsOf.plain),
  'add-prioritized': adding(optsOf.prioritized),
  'add-single': { run: (queue, count) => time(() => addSingle(queue, count)), left: (count) => ({ added: count }) },
  process: finishing('completed', noop, optsOf.plain),
  'process-prioritized': finishing('completed', noop, optsOf.prioritized),
  fail: finishing('failed', thrower, optsOf.plain, week),
  'fail-newest': finishing('failed', thrower, optsOf.plain),
};

// check compares what is in Redis afterwards with what the mode should leave: a rate of jobs that were not stored,
// not finished or not cleaned up would be worthless.
async function check(queue, want) {
  const counts = await queue.getJobCounts('waiting', 'prioritized', 'active', 'completed', 'failed');
  const { waiting, prioritized, active, completed, failed } = counts;
  const got = { added: waiting + prioritized, active, completed, failed };
  for (const [state, count] of Object.entries({ active: 0, completed: 0, failed: 0, ...want })) {
    if (got[state] !== count) {
      throw new Error(`${state}: ${got[state]} jobs instead of ${count}; counts are ${JSON.stringify(counts)}`);
    }
  }
}

async function main() {
  const mode = modes[args.mode];
  if (!mode) {
    throw new Error(`--mode must be one of ${Object.keys(modes).join(', ')}, not ${args.mode}`);
  }
  const queue = new Queue(args.queue, { connection });
  await queue.waitUntilReady();
  const clear = () => queue.obliterate({ force: true });
  try {
    await clear();
    await mode.run(queue, number('warmup'));
    await clear();
    const seconds = await mode.run(queue, jobs);
    await check(queue, mode.left(jobs));
    const figures = { mode: args.mode, jobs, seconds: round(seconds, 3), perSecond: round(jobs / seconds, 1) };
    console.log(JSON.stringify({ ...figures, engine: `bullmq ${version}`, batch, inflight, concurrency }));
  } finally {
    await clear();
    await queue.close();
  }
}

const round = (value, digits) => Number(value.toFixed(digits));

main().catch(fail);
