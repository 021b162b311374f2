// Command asynq measures how fast asynq enqueues, to compare our engine with.
// It prints one JSON line of the same shape as bench/bullmq.mjs.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
)

// figures is the line printed.
type figures struct {
	Mode      string  `json:"mode"`
	Jobs      int     `json:"jobs"`
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"perSecond"`
	Engine    string  `json:"engine"`
	InFlight  int     `json:"inflight"`
}

func main() {
	url := flag.String("redis", "redis://127.0.0.1:6379", "URL of the Redis to load")
	jobs := flag.Int("jobs", 50000, "how many to enqueue")
	inFlight := flag.Int("inflight", 100, "how many goroutines enqueue, one job each at a time")
	warmUp := flag.Int("warmup", 2000, "how many to enqueue before the clock starts")
	queue := flag.String("queue", "bench", "queue to use; it is deleted before and after")
	flag.Parse()
	if err := run(context.Background(), *url, *queue, *warmUp, *jobs, *inFlight); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, url, queue string, warmUp, jobs, inFlight int) (err error) {
	options, err := asynq.ParseRedisURI(url)
	if err != nil {
		return err
	}
	// The pool must not be what limits the goroutines.
	if single, ok := options.(asynq.RedisClientOpt); ok {
		single.PoolSize = inFlight
		options = single
	}
	client, inspector := asynq.NewClient(options), asynq.NewInspector(options)
	defer client.Close()
	defer inspector.Close()

	if err := remove(inspector, queue); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove(inspector, queue)) }()
	if _, err := enqueue(ctx, client, queue, warmUp, inFlight); err != nil {
		return err
	}
	// The queue is not cleared in between: a client registers a queue once, and asynq would not find it any more.
	took, err := enqueue(ctx, client, queue, jobs, inFlight)
	if err != nil {
		return err
	}
	info, err := inspector.GetQueueInfo(queue)
	if err != nil {
		return err
	}
	if info.Pending != warmUp+jobs {
		return fmt.Errorf("%d jobs pending instead of %d", info.Pending, warmUp+jobs)
	}
	return json.NewEncoder(os.Stdout).Encode(figures{
		Mode:      "add-single",
		Jobs:      jobs,
		Seconds:   math.Round(took.Seconds()*1e3) / 1e3,
		PerSecond: math.Round(float64(jobs)/took.Seconds()*10) / 10,
		Engine:    "asynq " + version(),
		InFlight:  inFlight,
	})
}

// enqueue adds the jobs one by one from the given number of goroutines and
// returns the time from the first request to the last answer.
func enqueue(ctx context.Context, client *asynq.Client, queue string, jobs, inFlight int) (time.Duration, error) {
	payload, err := json.Marshal(map[string]any{"to": "someone@example.com", "n": 1})
	if err != nil {
		return 0, err
	}
	var taken atomic.Int64
	failures := make([]error, inFlight)
	var lanes sync.WaitGroup
	start := time.Now()
	for lane := range inFlight {
		lanes.Go(func() {
			for taken.Add(1) <= int64(jobs) {
				job := asynq.NewTask("noop", payload)
				if _, err := client.EnqueueContext(ctx, job, asynq.Queue(queue)); err != nil {
					failures[lane] = err
					return
				}
			}
		})
	}
	lanes.Wait()
	return time.Since(start), errors.Join(failures...)
}

// remove deletes the queue with everything in it, if it exists.
func remove(inspector *asynq.Inspector, queue string) error {
	if err := inspector.DeleteQueue(queue, true); err != nil && !errors.Is(err, asynq.ErrQueueNotFound) {
		return fmt.Errorf("delete queue %s: %w", queue, err)
	}
	return nil
}

// version is the version of asynq this program was built with.
func version() string {
	if build, ok := debug.ReadBuildInfo(); ok {
		for _, module := range build.Deps {
			if module.Path == "github.com/hibiken/asynq" {
				return module.Version
			}
		}
	}
	return "unknown"
}
