// Workers whose handler is described in JSON, and event streams, both reported as notifications.
import { setTimeout as sleep } from 'node:timers/promises';

import { jobView, once } from './queues.mjs';

// perform plays one job. What it does is taken from job.data.do if that is an object, else from the worker's
// behaviors under the job's name, else from those under "*", else nothing is done and null is returned. Steps run
// in the order written here; an absent one is skipped.
async function perform(peer, run, job, token, signal) {
  const { bullmq } = peer;
  const inData = job.data?.do;
  const step = (inData && typeof inData === 'object' ? inData : run.behaviors[job.name] ?? run.behaviors['*']) ?? {};
  for (const row of step.log ?? []) {
    await job.log(row);
  }
  for (const progress of step.progress ?? []) {
    await job.updateProgress(progress);
  }
  if (step.updateData !== undefined) {
    await job.updateData(step.updateData);
  }
  if (step.sleep) {
    await sleep(step.sleep, undefined, { signal });
  }
  if (step.hold) {
    await run.gate;
  }
  if (step.waitForChildren && (await job.moveToWaitingChildren(token))) {
    throw new bullmq.WaitingChildrenError();
  }
  // attemptsStarted counts this start, so the first one is 1; a postponed job is not postponed again.
  if (step.postpone && job.attemptsStarted <= 1) {
    await job.moveToDelayed(Date.now() + step.postpone, token);
    throw new bullmq.DelayedError();
  }
  if (step.rateLimit && job.attemptsStarted <= 1) {
    await run.worker.rateLimit(step.rateLimit);
    throw bullmq.Worker.RateLimitError();
  }
  if (step.unrecoverable !== undefined) {
    throw new bullmq.UnrecoverableError(step.unrecoverable);
  }
  // "fail": n fails the first n attempts, true fails every one.
  if (step.fail === true || job.attemptsMade < (step.fail ?? 0)) {
    throw new Error(step.reason ?? `attempt ${job.attemptsMade + 1} failed`);
  }
  if (step.childrenValues) {
    return job.getChildrenValues();
  }
  return step.return ?? null;
}

function startWorker(peer, request) {
  const { notify, bullmq } = peer;
  const { worker: id, queue, prefix, opts = {}, behaviors = {}, backoffs } = request;
  const run = { behaviors, worker: null, gate: null, open: null };
  run.gate = new Promise((resolve) => {
    run.open = resolve;
  });
  const where = { worker: id, queue };
  const handler = (job, token, signal) => {
    notify('started', { ...where, jobId: job.id, name: job.name, job: jobView(job), token });
    return perform(peer, run, job, token, signal);
  };
  run.worker = new bullmq.Worker(queue, handler, {
    ...opts,
    connection: { url: peer.url },
    ...(prefix ? { prefix } : {}),
    // "backoffs" is the custom strategy: the delay of the nth retry in ms, the last one for all further.
    ...(backoffs ? { settings: { backoffStrategy: (made) => backoffs[Math.min(made, backoffs.length) - 1] } } : {}),
  });
  run.worker.on('completed', (job) => {
    const { id: jobId, name, returnvalue } = job;
    notify('completed', { ...where, jobId, name, returnvalue, job: jobView(job) });
  });
  run.worker.on('failed', (job, err) => {
    // BullMQ passes no job when a stalled job's hash is gone.
    const seen = job ? { jobId: job.id, name: job.name, job: jobView(job) } : {};
    notify('failed', { ...where, ...seen, reason: err.message });
  });
  run.worker.on('stalled', (jobId) => notify('stalled', { ...where, jobId }));
  run.worker.on('drained', () => notify('drained', where));
  run.worker.on('lockRenewalFailed', (jobIds) => notify('lockRenewalFailed', { ...where, jobIds }));
  run.worker.on('error', (err) => notify('workerError', { ...where, message: err.message }));
  return run;
}

function startQueueEvents(peer, request, lastEventId) {
  const { bullmq, notify } = peer;
  const { events: id, queue, prefix, opts = {} } = request;

  // Forwarder reports every event the stream carries, also one this file does not know by name. BullMQ emits some
  // a second time as "completed:<job id>"; those would only be repetitions.
  class Forwarder extends bullmq.QueueEvents {
    emit(type, ...args) {
      if (type === 'error') {
        notify('queueEventsError', { events: id, queue, message: args[0]?.message });
      } else if (!String(type).endsWith(`:${args[0]?.jobId}`) && typeof args.at(-1) === 'string') {
        const fields = args.length > 1 ? args[0] : {};
        notify('queueEvent', { events: id, queue, type, fields, jobId: fields.jobId, streamId: args.at(-1) });
      }
      return super.emit(type, ...args);
    }
  }
  const stream = new Forwarder(queue, {
    lastEventId,
    ...opts,
    connection: { url: peer.url },
    ...(prefix ? { prefix } : {}),
  });
  stream.on('error', () => {});
  return stream;
}

// handOps take and end jobs one by one, as a program does that calls a Worker's methods itself. A job that this
// process took ends as the object that the worker gave; any other, also one that a client in another language took,
// as the object that the queue gives.
function handOps(peer) {
  const { bullmq, notify } = peer;
  const taken = new Map();
  const keyOf = (r) => JSON.stringify([r.queue, r.prefix, r.jobId]);

  const hands = once((queue, prefix, opts) => {
    const worker = new bullmq.Worker(queue, null, {
      ...opts,
      name: 'hand',
      connection: { url: peer.url },
      ...(prefix ? { prefix } : {}),
    });
    worker.on('error', (err) => notify('workerError', { worker: 'hand', queue, message: err.message }));
    return worker;
  });
  peer.onQuit.push(() => Promise.allSettled(hands.all().map((worker) => worker.close(true))));

  const take = async (r) => taken.get(keyOf(r)) ?? (await peer.queue(r).getJob(r.jobId));
  const endings = {
    complete: (job, r) => job.moveToCompleted(r.value ?? null, r.token, false),
    fail: (job, r) => job.moveToFailed(new Error(r.reason), r.token, false),
    giveUp: (job, r) => job.moveToFailed(new bullmq.UnrecoverableError(r.reason), r.token, false),
    postpone: (job, r) => job.moveToDelayed(Date.now() + r.ms, r.token),
    giveBack: (job, r) => job.moveToWait(r.token),
    waitForChildren: (job, r) => job.moveToWaitingChildren(r.token),
  };

  return {
    // claimJob answers with a job, or null if there is none to be had now. "opts" are a worker's.
    claimJob: async (r) => {
      const worker = hands(JSON.stringify([r.queue, r.prefix, r.opts]), r.queue, r.prefix, r.opts);
      const job = await worker.getNextJob(r.token, { block: false });
      if (!job) {
        return null;
      }
      taken.set(keyOf({ ...r, jobId: job.id }), job);
      return jobView(job);
    },
    // endJob ends a job "how", one of endings.
    endJob: async (r) => {
      const job = await take(r);
      taken.delete(keyOf(r));
      if (!job) {
        throw new Error(`job ${r.jobId} not found`);
      }
      await endings[r.how](job, r);
    },
    extendLock: async (r) => {
      const job = await take(r);
      return job ? job.extendLock(r.token, r.ms) : 0;
    },
    closeHands: async (r) => {
      const mine = hands.drop((key) => JSON.parse(key)[0] === r.queue);
      await Promise.allSettled(mine.map((worker) => worker.close(true)));
    },
  };
}

export function workerOps(peer) {
  const workers = new Map();
  const streams = new Map();

  const take = (map, id, kind) => {
    const found = map.get(id);
    if (!found) {
      throw new Error(`no ${kind} ${JSON.stringify(id)}`);
    }
    return found;
  };
  const claim = (map, id, kind) => {
    if (typeof id !== 'string' || map.has(id)) {
      throw new Error(`${kind} needs an unused name, not ${JSON.stringify(id)}`);
    }
  };

  peer.onQuit.push(async () => {
    const closing = [...workers.values()].map((run) => {
      run.open();
      return run.worker.close(true);
    });
    await Promise.allSettled([...closing, ...[...streams.values()].map((stream) => stream.close())]);
  });

  return {
    ...handOps(peer),

    // startWorker answers when the worker is connected. "worker" names it in later requests and notifications;
    // "opts" are BullMQ's worker options (concurrency, lockDuration, stalledInterval, maxStalledCount, name,
    // limiter, metrics, removeOnComplete, ...); "behaviors" maps a job name or "*" to the steps of perform.
    startWorker: async (r) => {
      claim(workers, r.worker, 'a worker');
      const run = startWorker(peer, r);
      workers.set(r.worker, run);
      await run.worker.waitUntilReady();
      return { worker: r.worker };
    },
    // release lets every job through that is held by the step "hold", now and later.
    release: (r) => take(workers, r.worker, 'worker').open(),
    pauseWorker: (r) => take(workers, r.worker, 'worker').worker.pause(r.doNotWaitActive),
    resumeWorker: (r) => take(workers, r.worker, 'worker').worker.resume(),
    // stopWorker waits for the jobs in hand, unless "force".
    stopWorker: async (r) => {
      const run = take(workers, r.worker, 'worker');
      await run.worker.close(r.force);
      workers.delete(r.worker);
    },

    // startQueueEvents forwards what is written after this request, or after opts.lastEventId if given.
    startQueueEvents: async (r) => {
      claim(streams, r.events, 'an event stream');
      const stream = startQueueEvents(peer, r, await peer.newestEvent(r));
      streams.set(r.events, stream);
      await stream.waitUntilReady();
      return { events: r.events };
    },
    stopQueueEvents: async (r) => {
      const stream = take(streams, r.events, 'event stream');
      streams.delete(r.events);
      await stream.close();
    },
  };
}
