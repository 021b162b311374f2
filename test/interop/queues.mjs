// The operations of BullMQ's Queue, Job and FlowProducer. Every request names a "queue" and may name a "prefix"
// (BullMQ's default is "bull") and "queueOpts", further options of the Queue object.
import { Redis } from 'ioredis';

// jobView is a job as both majors see it. It is listed field by field because their toJSON() differ.
export function jobView(job) {
  return {
    id: job.id,
    queueName: job.queueName,
    name: job.name,
    data: job.data,
    opts: job.opts,
    timestamp: job.timestamp,
    delay: job.delay,
    priority: job.priority,
    progress: job.progress,
    attemptsMade: job.attemptsMade,
    attemptsStarted: job.attemptsStarted,
    stalledCounter: job.stalledCounter,
    processedOn: job.processedOn,
    processedBy: job.processedBy,
    finishedOn: job.finishedOn,
    returnvalue: job.returnvalue,
    failedReason: job.failedReason,
    deferredFailure: job.deferredFailure,
    stacktrace: job.stacktrace,
    parentKey: job.parentKey,
    parent: job.parent,
    repeatJobKey: job.repeatJobKey,
    nextRepeatableJobId: job.nextRepeatableJobId,
    deduplicationId: job.deduplicationId,
  };
}

function flowView(node) {
  return { job: jobView(node.job), children: (node.children ?? []).map(flowView) };
}

const jobsOf = (jobs) => jobs.map((job) => (job ? jobView(job) : null));

// once keeps one value per key, so that a queue is opened once however many requests name it.
export function once(make) {
  const made = new Map();
  const get = (key, ...rest) => {
    if (!made.has(key)) {
      made.set(key, make(...rest));
    }
    return made.get(key);
  };
  get.all = () => [...made.values()];
  // drop forgets and returns the values whose keys match.
  get.drop = (matches) => {
    const keys = [...made.keys()].filter(matches);
    const values = keys.map((key) => made.get(key));
    keys.forEach((key) => made.delete(key));
    return values;
  };
  return get;
}

export function queueOps(peer) {
  const { bullmq, notify } = peer;
  const connection = { url: peer.url };

  const queues = once((name, prefix, opts) => {
    const queue = new bullmq.Queue(name, { ...opts, connection, ...(prefix ? { prefix } : {}) });
    queue.on('error', (err) => notify('queueError', { queue: name, message: err.message }));
    return queue;
  });
  peer.queue = ({ queue, prefix, queueOpts }) => {
    if (typeof queue !== 'string') {
      throw new TypeError('a request on a queue needs "queue"');
    }
    return queues(JSON.stringify([queue, prefix, queueOpts]), queue, prefix, queueOpts);
  };

  const flows = once((prefix) => {
    const flow = new bullmq.FlowProducer({ connection, ...(prefix ? { prefix } : {}) });
    flow.on('error', (err) => notify('queueError', { queue: null, message: err.message }));
    return flow;
  });
  const flowProducer = ({ prefix }) => flows(prefix ?? '', prefix);

  const watchers = once((name, prefix, lastEventId) => {
    const events = new bullmq.QueueEvents(name, { connection, lastEventId, ...(prefix ? { prefix } : {}) });
    events.on('error', (err) => notify('queueError', { queue: name, message: err.message }));
    return events;
  });

  // The stream's newest id is read before a QueueEvents is opened: with BullMQ's default "$", what happens between
  // opening it and its first XREAD would be lost.
  const redis = new Redis(peer.url, { lazyConnect: true, maxRetriesPerRequest: null });
  redis.on('error', (err) => notify('queueError', { queue: null, message: err.message }));
  peer.newestEvent = async ({ queue, prefix }) => {
    const [newest] = await redis.xrevrange(`${prefix ?? 'bull'}:${queue}:events`, '+', '-', 'COUNT', 1);
    return newest ? newest[0] : '0-0';
  };

  peer.onQuit.push(async () => {
    const open = [...queues.all(), ...flows.all(), ...watchers.all()];
    await Promise.allSettled(open.map((one) => one.close()));
    redis.disconnect();
  });

  peer.kept = new Map();
  const find = async (request) => {
    const kept = peer.kept.get(JSON.stringify([request.queue, request.prefix, request.jobId]));
    const job = kept ?? (await peer.queue(request).getJob(request.jobId));
    if (!job) {
      throw new Error(`job ${request.jobId} not found`);
    }
    return job;
  };
  // onQueue and onJob forward to a BullMQ method of the same name with the arguments picked from the request.
  const onQueue = (method, pick = () => []) => (r) => peer.queue(r)[method](...pick(r));
  const onJob = (method, pick = () => []) => async (r) => (await find(r))[method](...pick(r));

  return {
    add: async (r) => jobView(await peer.queue(r).add(r.name, r.data, r.opts)),
    addBulk: async (r) => jobsOf(await peer.queue(r).addBulk(r.jobs)),
    addFlow: async (r) => flowView(await flowProducer(r).add(r.flow, r.opts)),
    addFlowBulk: async (r) => (await flowProducer(r).addBulk(r.flows)).map(flowView),
    getFlow: async (r) => {
      // "opts" are depth and maxChildren. An absent one must be no field at all: undefined would win over its default.
      const tree = await flowProducer(r).getFlow({ queueName: r.queue, id: r.jobId, ...r.opts });
      return tree ? flowView(tree) : null;
    },

    getJob: async (r) => {
      const job = await peer.queue(r).getJob(r.jobId);
      return job ? { ...jobView(job), state: await job.getState() } : null;
    },
    getState: onQueue('getJobState', (r) => [r.jobId]),
    getJobs: async (r) => jobsOf(await peer.queue(r).getJobs(r.types, r.start, r.end, r.asc)),
    getJobCounts: onQueue('getJobCounts', (r) => r.types ?? []),
    getCountsPerPriority: onQueue('getCountsPerPriority', (r) => [r.priorities]),
    getDelayedCount: onQueue('getDelayedCount', (r) => [r.timestamp]),
    getJobLogs: onQueue('getJobLogs', (r) => [r.jobId, r.start, r.end, r.asc]),
    getWorkers: onQueue('getWorkers'),
    getMetrics: onQueue('getMetrics', (r) => [r.type, r.start, r.end]),
    getMeta: onQueue('getMeta'),
    isPaused: onQueue('isPaused'),
    isMaxed: onQueue('isMaxed'),
    getDeduplicationJobId: onQueue('getDeduplicationJobId', (r) => [r.deduplicationId]),

    pause: onQueue('pause'),
    resume: onQueue('resume'),
    clean: onQueue('clean', (r) => [r.grace ?? 0, r.limit ?? 0, r.type]),
    drain: onQueue('drain', (r) => [r.delayed]),
    obliterate: onQueue('obliterate', (r) => [r.opts]),
    retryJobs: onQueue('retryJobs', (r) => [r.opts]),
    promoteJobs: onQueue('promoteJobs', (r) => [r.opts]),
    remove: onQueue('remove', (r) => [r.jobId, r.opts]),
    trimEvents: onQueue('trimEvents', (r) => [r.maxLength]),
    removeOrphanedJobs: onQueue('removeOrphanedJobs', (r) => [r.count, r.limit]),
    removeDeduplicationKey: onQueue('removeDeduplicationKey', (r) => [r.deduplicationId]),

    setGlobalConcurrency: onQueue('setGlobalConcurrency', (r) => [r.concurrency]),
    getGlobalConcurrency: onQueue('getGlobalConcurrency'),
    removeGlobalConcurrency: onQueue('removeGlobalConcurrency'),
    setGlobalRateLimit: onQueue('setGlobalRateLimit', (r) => [r.max, r.duration]),
    getGlobalRateLimit: onQueue('getGlobalRateLimit'),
    removeGlobalRateLimit: onQueue('removeGlobalRateLimit'),
    rateLimit: onQueue('rateLimit', (r) => [r.ms]),
    getRateLimitTtl: onQueue('getRateLimitTtl', (r) => [r.max]),

    upsertJobScheduler: async (r) => {
      const job = await peer.queue(r).upsertJobScheduler(r.schedulerId, r.repeat, r.template);
      return job ? jobView(job) : null;
    },
    getJobScheduler: onQueue('getJobScheduler', (r) => [r.schedulerId]),
    getJobSchedulers: onQueue('getJobSchedulers', (r) => [r.start, r.end, r.asc]),
    removeJobScheduler: onQueue('removeJobScheduler', (r) => [r.schedulerId]),

    retry: onJob('retry', (r) => [r.state, r.opts]),
    promote: onJob('promote'),
    changeDelay: onJob('changeDelay', (r) => [r.delay]),
    changePriority: onJob('changePriority', (r) => [r.opts]),
    updateData: onJob('updateData', (r) => [r.data]),
    updateProgress: onJob('updateProgress', (r) => [r.progress]),
    log: onJob('log', (r) => [r.row]),
    clearLogs: onJob('clearLogs', (r) => [r.keep]),
    getDependencies: onJob('getDependencies', (r) => [r.opts]),
    getChildrenValues: onJob('getChildrenValues'),
    getIgnoredChildrenFailures: onJob('getIgnoredChildrenFailures'),
    removeChildDependency: onJob('removeChildDependency'),
    removeUnprocessedChildren: onJob('removeUnprocessedChildren'),

    // closeQueue ends the objects of one queue; the next request opens it anew, which writes the version to it again.
    closeQueue: async (r) => {
      const mine = queues.drop((key) => JSON.parse(key)[0] === r.queue);
      await Promise.allSettled(mine.map((queue) => queue.close()));
    },

    // waitUntilFinished answers with the return value, or with the failed reason as an error.
    waitUntilFinished: async (r) => {
      const job = await find(r);
      const from = await peer.newestEvent(r);
      const events = watchers(JSON.stringify([r.queue, r.prefix]), r.queue, r.prefix, from);
      await events.waitUntilReady();
      return job.waitUntilFinished(events, r.ttl);
    },
  };
}
