// A Node BullMQ client driven over JSON lines, so that a test in another language can act as, or against, a real
// BullMQ 5 or 6.
//
//   node peer.mjs --bullmq 5|6 --redis redis://127.0.0.1:6379
//
// A request is one line {"id":1,"op":"add","queue":"mail",...}. Its answer is {"id":1,"ok":value} or
// {"id":1,"error":"text","name":"Error","code":-1}, where code is there only if BullMQ gave one. Requests run
// concurrently, so answers come in the order the work finishes. Lines with "event" instead of "id" are
// notifications of workers and event streams. The process ends on "quit", at the end of stdin, or on SIGKILL;
// a bad request or a failing job never ends it.
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';

import { boardOps } from './board.mjs';
import { queueOps } from './queues.mjs';
import { stepOps } from './steps.mjs';
import { workerOps } from './workers.mjs';

const { values: args } = parseArgs({
  options: {
    bullmq: { type: 'string', default: '6' },
    redis: { type: 'string', default: 'redis://127.0.0.1:6379' },
  },
});
if (args.bullmq !== '5' && args.bullmq !== '6') {
  console.error(`peer: --bullmq must be 5 or 6, not ${args.bullmq}`);
  process.exit(2);
}

// stdout belongs to the protocol: a library that logs must not break a line of it.
const write = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
console.log = console.info = console.warn = console.error;

const bullmq = createRequire(import.meta.url)(`bullmq${args.bullmq}`);
const notify = (event, fields) => write({ event, at: Date.now(), ...fields });
const peer = { bullmq, major: Number(args.bullmq), url: args.redis, notify, onQuit: [] };

const ops = new Map(
  Object.entries({
    ...queueOps(peer),
    ...workerOps(peer),
    ...stepOps(peer),
    ...boardOps(peer),
    hello: () => ({ bullmq: bullmqVersion(), node: process.versions.node, pid: process.pid }),
    quit,
  }),
);

function bullmqVersion() {
  return createRequire(import.meta.url)(`bullmq${args.bullmq}/package.json`).version;
}

async function answer(line) {
  let id = null;
  try {
    const request = JSON.parse(line);
    if (request === null || typeof request !== 'object' || Array.isArray(request)) {
      throw new TypeError('a request must be a JSON object');
    }
    id = request.id ?? null;
    const op = ops.get(request.op);
    if (!op) {
      throw new TypeError(`unknown op ${JSON.stringify(request.op)}`);
    }
    const ok = await op(request);
    write({ id, ok: ok === undefined ? null : ok });
  } catch (err) {
    write({ id, ...failure(err) });
  }
}

function failure(err) {
  if (!(err instanceof Error)) {
    return { error: String(err), name: typeof err };
  }
  return { error: err.message || err.name, name: err.name, ...(err.code === undefined ? {} : { code: err.code }) };
}

let quitting;

function quit() {
  quitting ??= closeEverything();
  return quitting;
}

async function closeEverything() {
  const closers = peer.onQuit.map((close) => close());
  await Promise.allSettled(closers);
  // The answer to "quit" is written after this function returns and must leave before the process does.
  setImmediate(() => process.stdout.write('', () => process.exit(0)));
}

const trouble = (err) => notify('peerError', { message: failure(err).error });
process.on('uncaughtException', trouble);
process.on('unhandledRejection', trouble);
// The driver is gone: nobody will read an answer, and an orphan would go on taking jobs.
process.stdout.on('error', () => process.exit(0));

const lines = createInterface({ input: process.stdin, crlfDelay: Infinity });
lines.on('line', (line) => {
  if (line.trim() !== '') {
    void answer(line);
  }
});
lines.on('close', () => {
  setTimeout(() => process.exit(0), 2000).unref();
  void quit();
});

notify('ready', { bullmq: bullmqVersion(), pid: process.pid });
