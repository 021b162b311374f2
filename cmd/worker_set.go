package cmd

import (
	"context"
	"log/slog"

	"github.com/qctl/qctl/internal/worker"
)

// workerSet is the workers of one process, one for each queue.
type workerSet struct {
	a     *app
	opts  *workerOptions
	log   *slog.Logger
	given jobHandler // for all queues; without a Handler each has its own
	list  []*queueWorker
}

// queueWorker works one queue.
type queueWorker struct {
	name   string // as given with --queue
	t      target
	worker *worker.Worker
	now    workerSettings // under which the next job is run
}

// workerSettings are what a worker runs with.
type workerSettings struct {
	target  target
	config  worker.Config
	handler jobHandler
}

// add makes the worker of one more queue.
func (s *workerSet) add(ctx context.Context, name string) error {
	t, err := workerTarget(ctx, s.a, s.opts, name)
	if err != nil {
		return err
	}
	settings, err := s.settings(t)
	if err != nil {
		return err
	}
	w, err := worker.New(settings.config)
	if err != nil {
		settings.close(s)
		return err
	}
	s.list = append(s.list, &queueWorker{name: name, t: t, worker: w, now: settings})
	s.log.Info("working", "queue", t.base().String(), "concurrency", settings.config.Concurrency,
		"from", s.opts.concurrencyOrigin(s.a.config, t), "rate", rateText(settings.config.Limiter), "handler", settings.handler.text)
	return nil
}

// settings is the policy of a queue with the flags on top, and its handler.
func (s *workerSet) settings(t target) (workerSettings, error) {
	cfg, err := s.opts.config(s.a, t)
	if err != nil {
		return workerSettings{}, err
	}
	run := s.given
	if run.Handler == nil {
		if run, err = configuredHandler(t); err != nil {
			return workerSettings{}, err
		}
	}
	cfg.Handler, cfg.Log = run, s.log
	return workerSettings{target: t, config: cfg, handler: run}, nil
}

// close ends the handler, unless it is that of all queues.
func (w workerSettings) close(s *workerSet) {
	if s.given.Handler == nil && w.handler.close != nil {
		w.handler.close()
	}
}

func (s *workerSet) workers() []*worker.Worker {
	workers := make([]*worker.Worker, len(s.list))
	for i, q := range s.list {
		workers[i] = q.worker
	}
	return workers
}

// close ends all handlers.
func (s *workerSet) close() {
	for _, q := range s.list {
		q.now.close(s)
	}
	if s.given.close != nil {
		s.given.close()
	}
}
