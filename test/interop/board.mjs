// What bull-board shows: its own API routes, called without an HTTP server in between.
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

// CapturingServer is bull-board's server adapter that keeps the routes instead of serving them.
class CapturingServer {
  setQueues(queues) {
    this.queues = queues;
    return this;
  }

  setApiRoutes(routes) {
    this.routes = routes;
    return this;
  }

  setViewsPath() {
    return this;
  }

  setStaticPath() {
    return this;
  }

  setUIConfig() {
    return this;
  }

  setEntryRoute() {
    return this;
  }

  setErrorHandler() {
    return this;
  }
}

async function openBoard(queue) {
  const { createBullBoard } = require('@bull-board/api');
  const { BullMQAdapter } = require('@bull-board/api/bullMQAdapter');
  // The adapter knows a queue of another bullmq package by the version the queue has written to Redis.
  await queue.waitUntilReady();
  const server = new CapturingServer();
  createBullBoard({
    queues: [new BullMQAdapter(queue)],
    serverAdapter: server,
    // Answers are checked against bull-board's own published schema, so an odd value is an error here.
    options: { validateResponses: true },
  });
  return server;
}

async function call(server, method, path, { params = {}, query = {}, body = {} } = {}) {
  const route = server.routes.find((one) => [one.method].flat().includes(method) && [one.route].flat().includes(path));
  if (!route) {
    throw new Error(`bull-board has no route ${method} ${path}`);
  }
  const answer = await route.handler({ queues: server.queues, params, query, body, headers: {} });
  if (answer.status >= 400) {
    throw new Error(`bull-board: ${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  }
  return answer.body;
}

export function boardOps(peer) {
  return {
    // bullBoard reads a queue as the board's page does: its counts and the jobs of "status" (default "latest"), and
    // with "jobId" also that job's page with its logs.
    bullBoard: async (r) => {
      const server = await openBoard(peer.queue(r));
      const query = {
        activeQueue: r.queue,
        ...(r.status ? { status: r.status } : {}),
        page: String(r.page ?? 1),
        jobsPerPage: String(r.jobsPerPage ?? 10),
      };
      const { queues } = await call(server, 'get', '/api/queues', { query });
      const page = { queue: queues[0] };
      if (r.jobId !== undefined) {
        const params = { queueName: r.queue, jobId: r.jobId };
        page.job = await call(server, 'get', '/api/queues/:queueName/:jobId', { params });
        page.logs = await call(server, 'get', '/api/queues/:queueName/:jobId/logs', { params });
      }
      return page;
    },
    // bullBoardCall presses one of the board's buttons: any of its API routes, for example
    // put /api/queues/:queueName/:jobId/retry/:queueStatus.
    bullBoardCall: async (r) => {
      const server = await openBoard(peer.queue(r));
      const params = { queueName: r.queue, ...(r.jobId === undefined ? {} : { jobId: r.jobId }), ...r.params };
      return call(server, r.method, r.route, { params, query: r.query, body: r.body });
    },
  };
}
