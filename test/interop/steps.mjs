// Single steps of a worker, taken by hand one at a time, and the clock and the luck that they are taken by.
import { jobView } from './queues.mjs';

const RealDate = Date;
const realRandom = Math.random;
let pinned = null;

// PinnedDate stands still at the moment that the op "clock" has set. Timers go on by the machine's clock.
class PinnedDate extends RealDate {
  constructor(...when) {
    if (when.length === 0 && pinned !== null) {
      super(pinned);
    } else {
      super(...when);
    }
  }

  static now() {
    return pinned ?? RealDate.now();
  }
}

function errorOf(bullmq, { message, unrecoverable, bare }) {
  if (bare) {
    return {};
  }
  return unrecoverable ? new bullmq.UnrecoverableError(message) : new Error(message);
}

// settings are what a worker's options name and JSON cannot carry.
const settingsOf = ({ backoffs }) =>
  backoffs ? { settings: { backoffStrategy: (made) => backoffs[Math.min(made, backoffs.length) - 1] } } : {};

export function stepOps(peer) {
  const { bullmq, notify } = peer;
  const hands = new Map();

  const open = (r) => {
    const worker = new bullmq.Worker(r.queue, null, {
      ...r.opts,
      ...settingsOf(r),
      autorun: false,
      connection: { url: peer.url },
      ...(r.prefix ? { prefix: r.prefix } : {}),
    });
    worker.on('error', (err) => notify('workerError', { worker: r.hand, queue: r.queue, message: err.message }));
    return { worker, jobs: new Map() };
  };
  const hand = ({ hand: id }) => {
    const found = hands.get(id);
    if (!found) {
      throw new Error(`no hand ${JSON.stringify(id)}`);
    }
    return found;
  };
  // jobIn is the job as the hand has fetched it, or as it is read now.
  const jobIn = async (r) => {
    const { worker, jobs } = hand(r);
    const job = jobs.get(r.jobId) ?? (await bullmq.Job.fromId(worker, r.jobId));
    if (!job) {
      throw new Error(`job ${r.jobId} not found`);
    }
    return job;
  };
  const took = (r, job) => {
    if (!job) {
      return null;
    }
    hand(r).jobs.set(job.id, job);
    return jobView(job);
  };
  // nextOf is what a step that fetches the next job has brought: the job, or null.
  const nextOf = async (r, answer) => {
    const [data, id] = Array.isArray(answer) ? answer : [];
    if (!data || !id) {
      return null;
    }
    return took(r, await hand(r).worker.nextJobFromJobData(data, id, r.token));
  };

  peer.onQuit.push(() => Promise.allSettled([...hands.values()].map(({ worker }) => worker.close(true))));

  return {
    // clock pins what Node takes for the time to "at" (ms) and for luck to "random", or lets go of both.
    clock: (r) => {
      pinned = r.at ?? null;
      globalThis.Date = pinned === null ? RealDate : PinnedDate;
      Math.random = r.random === undefined ? realRandom : () => r.random;
    },

    // openHand makes a worker that does nothing by itself; "opts" are those of a worker.
    openHand: async (r) => {
      const opened = open(r);
      hands.set(r.hand, opened);
      await opened.worker.waitUntilReady();
    },
    closeHand: async (r) => {
      const { worker } = hand(r);
      hands.delete(r.hand);
      await worker.close(true);
    },
    // fetch takes the next job, or answers null.
    fetch: async (r) => took(r, await hand(r).worker.getNextJob(r.token, { block: false })),
    complete: async (r) => nextOf(r, await (await jobIn(r)).moveToCompleted(r.value, r.token, r.next ?? false)),
    fail: async (r) => nextOf(r, await (await jobIn(r)).moveToFailed(errorOf(bullmq, r), r.token, r.next ?? false)),
    postpone: async (r) => (await jobIn(r)).moveToDelayed(r.at, r.token),
    giveBack: async (r) => (await jobIn(r)).moveToWait(r.token),
    awaitChildren: async (r) => (await jobIn(r)).moveToWaitingChildren(r.token, r.opts),
    extendLock: async (r) => (await jobIn(r)).extendLock(r.token, r.ms),
    extendLocks: async (r) => hand(r).worker.extendJobLocks(r.jobIds, r.tokens, r.ms),
    limitRate: async (r) => hand(r).worker.rateLimit(r.ms),
    checkStalled: async (r) => hand(r).worker.moveStalledJobsToWait(),
    // keepJob holds on to a job, so that later requests act on it also when it is gone from Redis.
    keepJob: async (r) => {
      const job = await peer.queue(r).getJob(r.jobId);
      peer.kept.set(JSON.stringify([r.queue, r.prefix, r.jobId]), job);
    },
    forgetJobs: () => peer.kept.clear(),
  };
}
