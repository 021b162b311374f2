package demo_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/qctl/qctl/internal/config"
	"github.com/qctl/qctl/internal/demo"
	"github.com/qctl/qctl/internal/embedded"
	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/redisconn"
	"github.com/qctl/qctl/internal/worker"
)

// patience bounds the wait for what must happen soon, on a busy machine.
const patience = 60 * time.Second

// TestMain makes the test binary the server of the embedded store when it is
// asked to be.
func TestMain(m *testing.M) {
	if code, handled := embedded.RunServer(os.Args[1:]); handled {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// openStore starts an embedded store for this test.
func openStore(t *testing.T) *redisconn.Conn {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	info, err := embedded.Open(t.Context(), embedded.Options{Dir: dir, SelfPath: self, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
		defer cancel()
		if err := embedded.Stop(ctx, dir); err != nil {
			t.Error(err)
		}
	})
	conn, err := redisconn.Open(redisconn.Config{
		URLs: []redisconn.Secret{redisconn.NewSecret("redis://" + info.Addr)}, Password: redisconn.NewSecret(info.Password),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// builtin is the built-in queues.
func builtin(t *testing.T) []config.Target {
	t.Helper()
	c, _, err := config.Load(func(string) (string, bool) { return "", false }, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c.Targets("")
}

// newSimulation plays on the built-in queues of a store.
func newSimulation(t *testing.T, conn *redisconn.Conn, now func() time.Time) *demo.Simulation {
	t.Helper()
	var queues []demo.Queue
	for _, target := range builtin(t) {
		queues = append(queues, demo.Queue{
			Alias: target.Alias, Worker: worker.Config{Concurrency: target.Queue.Concurrency},
			Open: func(now func() time.Time) *queue.Queue {
				return queue.NewClient(conn, queue.ClientOptions{Now: now}).Queue(baseOf(target))
			},
			NewJob: func(j demo.Job) (queue.NewJob, error) {
				wire, _, err := target.Queue.Priority.Wire(j.Priority)
				if err == nil {
					err = config.Validate(target.Queue.Schema, j.Data)
				}
				backoff := target.Queue.Backoff
				return queue.NewJob{Name: j.Name, Data: j.Data, Opts: queue.JobOptions{
					Priority: wire, Delay: j.Delay, Attempts: target.Queue.Attempts,
					Backoff: &queue.Backoff{Type: backoff.Type, Delay: backoff.Delay},
				}}, err
			},
		})
	}
	sim, err := demo.New(demo.Config{Queues: queues, Seed: 1, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return sim
}

func baseOf(t config.Target) queue.KeyBase { return queue.KeyBase{Prefix: t.Prefix, Name: t.Name} }

// count returns the jobs of each queue by its alias.
func count(t *testing.T, conn *redisconn.Conn) map[string]queue.Counts {
	t.Helper()
	client := queue.NewClient(conn, queue.ClientOptions{})
	targets := builtin(t)
	bases := make([]queue.KeyBase, len(targets))
	for i, target := range targets {
		bases[i] = baseOf(target)
	}
	counts, err := client.CountsOf(t.Context(), bases)
	if err != nil {
		t.Fatal(err)
	}
	byAlias := map[string]queue.Counts{}
	for i, target := range targets {
		byAlias[target.Alias] = counts[i]
	}
	return byAlias
}
