package embedded

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/qctl/qctl/internal/queue"
)

// poolConn is what the engine needs of a connection.
type poolConn struct {
	t    testing.TB
	addr string
	main *redis.Client
}

func (c poolConn) Client() redis.UniversalClient { return c.main }

func (c poolConn) Dedicated(string) redis.UniversalClient { return dial(c.t, c.addr, localPassword) }

func (c poolConn) Cluster() bool { return false }

// After any operations of the engine the log gives the same keyspace, also
// after a compaction in between.
func TestReplayAfterQueueOperations(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			dir := folder(t.TempDir())
			clock := newFakeClock()
			s := openAt(t, dir, clock.now)
			if seed%2 == 1 {
				s.compactAbove = 8 << 10
			}
			srv := serveLocal(t, s)
			conn := poolConn{t, srv.addr, dial(t, srv.addr, localPassword)}
			q := queue.NewClient(conn, queue.ClientOptions{Now: clock.now}).Queue(queue.KeyBase{Prefix: "bull", Name: "email"})
			o := &operator{t: t, ctx: t.Context(), q: q, clock: clock, rand: rand.New(rand.NewPCG(seed, 1))}
			for range 150 {
				o.step()
				if o.rand.IntN(25) == 0 {
					compareReopened(t, dir, s, clock)
				}
			}
			compareReopened(t, dir, s, clock)
			if o.done < 300 {
				t.Errorf("only %d jobs were changed", o.done)
			}
		})
	}
}

// compareReopened opens a copy of the log, the store being in use.
func compareReopened(t *testing.T, dir folder, s *store, clock *fakeClock) {
	t.Helper()
	text, err := os.ReadFile(dir.path(logName))
	if err != nil {
		t.Fatal(err)
	}
	other := folder(t.TempDir())
	if err := os.WriteFile(other.path(logName), text, private); err != nil {
		t.Fatal(err)
	}
	reopened := openAt(t, other, clock.now)
	defer closeStore(t, reopened)
	sameKeys(t, "replayed", dumpStore(t, s), dumpStore(t, reopened))
}

// operator does what workers and people do, by chance.
type operator struct {
	t     *testing.T
	ctx   context.Context
	q     *queue.Queue
	clock *fakeClock
	rand  *rand.Rand
	held  []queue.Outcome
	count int
	done  int
}

func (o *operator) must(err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
}

func (o *operator) step() {
	o.t.Helper()
	o.clock.advance(time.Duration(o.rand.IntN(3000)) * time.Millisecond)
	switch o.rand.IntN(10) {
	case 0, 1, 2:
		o.add()
	case 3, 4:
		o.claim()
	case 5, 6:
		o.settle()
	case 7:
		_, err := o.q.RecoverStalled(o.ctx, 5*time.Second, 2)
		o.must(err)
	case 8:
		o.must(o.q.Pause(o.ctx))
		_, err := o.q.Clean(o.ctx, queue.CleanOptions{State: queue.StateCompleted, OlderThan: 20 * time.Second})
		o.must(err)
		o.must(o.q.Resume(o.ctx))
	case 9:
		listed, err := o.q.List(o.ctx, queue.ListRequest{State: queue.StateFailed, Count: 5})
		o.must(err)
		ids := make([]string, len(listed.Jobs))
		for i := range listed.Jobs {
			ids[i] = listed.Jobs[i].ID
		}
		_, err = o.q.Retry(o.ctx, queue.StateFailed, ids, queue.RetryOptions{})
		o.must(err)
	}
}

func (o *operator) add() {
	jobs := make([]queue.NewJob, 1+o.rand.IntN(12))
	for i := range jobs {
		o.count++
		jobs[i] = queue.NewJob{Name: "mail", Data: []byte(fmt.Sprintf(`{"n":%d,"big":9007199254740993,"text":"%s"}`, o.count, strings.Repeat("é", o.rand.IntN(40))))}
		jobs[i].Opts.Priority = o.rand.IntN(3)
		if o.rand.IntN(4) == 0 {
			jobs[i].Opts.Delay = time.Duration(o.rand.IntN(9000)) * time.Millisecond
		}
	}
	added, err := o.q.AddBulk(o.ctx, jobs)
	o.must(err)
	o.done += len(added)
	_, err = o.q.AppendLogs(o.ctx, added[0].ID, []string{"one", "two"}, 0)
	o.must(err)
}

func (o *operator) claim() {
	o.count++
	token := fmt.Sprintf("token:%d", o.count)
	claimed, err := o.q.Claim(o.ctx, queue.ClaimRequest{N: 1 + o.rand.IntN(8), Token: token, Lock: 4 * time.Second})
	o.must(err)
	kinds := []queue.OutcomeKind{queue.Complete, queue.Fail, queue.RetryLater, queue.GiveBack}
	for i := range claimed.Jobs {
		o.held = append(o.held, queue.Outcome{
			Kind: kinds[o.rand.IntN(len(kinds))], ID: claimed.Jobs[i].ID, Token: token, FailedReason: "no", Delay: 2 * time.Second,
		})
	}
	o.done += len(claimed.Jobs)
}

// settle also records for jobs whose lock has run out, which is refused.
func (o *operator) settle() {
	n := o.rand.IntN(len(o.held) + 1)
	if n == 0 {
		return
	}
	_, err := o.q.Settle(o.ctx, o.held[:n], queue.SettleOptions{})
	o.must(err)
	o.held = o.held[n:]
	o.done += n
}
