// Command bench measures this engine the way bullmq.mjs and asynq measure
// theirs, and prints one JSON line; with -compare it runs all of them in turn
// and prints a table.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/worker"
)

type conn struct {
	opts *redis.Options
	main *redis.Client
}

func (c conn) Client() redis.UniversalClient { return c.main }

func (c conn) Dedicated(name string) redis.UniversalClient {
	o := *c.opts
	o.ClientName, o.PoolSize = name, 1
	return redis.NewClient(&o)
}

func (c conn) Cluster() bool { return false }

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() error {
	url := flag.String("redis", "redis://127.0.0.1:6379", "Redis to measure on; its keys under bench: are deleted")
	mode := flag.String("mode", "add", "add, add-prioritized, add-single, process, process-prioritized, fail, fail-newest")
	jobs := flag.Int("jobs", 50000, "number of jobs")
	concurrency := flag.Int("concurrency", 100, "of the worker, or adds in flight")
	rounds := flag.Int("compare", 0, "compare with the peers in so many rounds")
	asynq := flag.String("asynq", "", "path of the built asynq peer")
	flag.Parse()
	if *rounds > 0 {
		return compare(context.Background(), os.Stdout, *url, *jobs, *rounds, *asynq)
	}
	opts, err := redis.ParseURL(*url)
	if err != nil {
		return err
	}
	opts.MaxRetries, opts.DisableIdentity, opts.Protocol = -1, true, 2
	c := conn{opts: opts, main: redis.NewClient(opts)}
	ctx := context.Background()
	if err := c.main.FlushDB(ctx).Err(); err != nil {
		return err
	}
	q := queue.NewClient(c, queue.ClientOptions{}).Queue(queue.KeyBase{Prefix: "bench", Name: "q"})
	if _, err := q.AddBulk(ctx, makeJobs(1000, 0)); err != nil { // warm up
		return err
	}
	if err := c.main.FlushDB(ctx).Err(); err != nil {
		return err
	}
	seconds, err := measure(ctx, q, *mode, *jobs, *concurrency)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{
		"peer": "qctl", "mode": *mode, "jobs": *jobs, "seconds": seconds, "perSecond": int(float64(*jobs) / seconds),
	})
}

func makeJobs(n, priorities int) []queue.NewJob {
	jobs := make([]queue.NewJob, n)
	for i := range jobs {
		// The job that the peers add.
		jobs[i] = queue.NewJob{Name: "noop", Data: []byte(`{"to":"someone@example.com","n":1}`)}
		if priorities > 0 {
			jobs[i].Opts.Priority = i%priorities + 1
		}
	}
	return jobs
}

func measure(ctx context.Context, q *queue.Queue, mode string, n, concurrency int) (float64, error) {
	priorities := 0
	if mode == "add-prioritized" || mode == "process-prioritized" {
		priorities = 10
	}
	jobs := makeJobs(n, priorities)
	started := time.Now()
	var err error
	switch mode {
	case "add", "add-prioritized":
		_, err = q.AddBulk(ctx, jobs)
	case "add-single":
		err = addSingle(ctx, q, jobs, concurrency)
	case "process", "process-prioritized", "fail", "fail-newest":
		if _, err = q.AddBulk(ctx, jobs); err != nil {
			return 0, err
		}
		return process(ctx, q, mode, n, concurrency)
	default:
		err = fmt.Errorf("no mode %q", mode)
	}
	return time.Since(started).Seconds(), err
}

func addSingle(ctx context.Context, q *queue.Queue, jobs []queue.NewJob, inFlight int) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, inFlight)
	for g := range inFlight {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(jobs)) && errs[g] == nil; i = next.Add(1) - 1 {
				_, errs[g] = q.Add(ctx, jobs[i])
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func process(ctx context.Context, q *queue.Queue, mode string, n, concurrency int) (float64, error) {
	day, week := 24*time.Hour, 7*24*time.Hour
	keepFailed := queue.KeepNewest(1000, day)
	if mode == "fail" {
		keepFailed = &queue.Keep{Age: &week} // the rule of the built-in queues
	}
	var done atomic.Int64
	handler := worker.HandlerFunc(func(context.Context, worker.Job, worker.Reporter) (json.RawMessage, error) {
		done.Add(1)
		if strings.HasPrefix(mode, "fail") {
			return nil, &worker.Failure{Reason: "no luck"}
		}
		return nil, nil
	})
	w, err := worker.New(worker.Config{
		Queue: q, Handler: handler, Concurrency: concurrency, Drain: true,
		KeepCompleted: queue.KeepNewest(1000, day), KeepFailed: keepFailed,
	})
	if err != nil {
		return 0, err
	}
	started := time.Now()
	stats, err := w.Run(ctx, ctx)
	seconds := time.Since(started).Seconds()
	if err == nil && stats.Completed+stats.Failed != int64(n) {
		err = fmt.Errorf("%d jobs of %d were recorded", stats.Completed+stats.Failed, n)
	}
	return seconds, err
}
