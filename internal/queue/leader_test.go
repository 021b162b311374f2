package queue_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/redistest"
)

// leads asks to lead under the queue's own name, which no other test uses.
func (e *env) leads(owner string, ttl time.Duration) queue.LeadRequest {
	return queue.LeadRequest{Name: e.base.Prefix, Owner: owner, TTL: ttl, Info: queue.LeaderInfo{Host: "h-" + owner, PID: 7}}
}

// rounded is a lease whose time left is that of a moment ago.
func rounded(lease queue.Lease) queue.Lease {
	lease.Left = lease.Left.Round(time.Minute)
	return lease
}

func TestLead(t *testing.T) {
	onEach(t, func(e *env) {
		a, b := e.leads("a", time.Hour), e.leads("b", time.Hour)
		nobody, err := e.client.Leader(e.ctx, a.Name)
		e.must(err)
		same(e, "nobody", queue.Lease{}, nobody)

		led, err := e.client.Lead(e.ctx, a)
		e.must(err)
		want := queue.Lease{Held: true, Fence: 1, Leader: "a", Left: time.Hour, Since: after(0), Info: a.Info}
		same(e, "a leads", want, rounded(led))
		e.now.Store(start + 5)
		rival, err := e.client.Lead(e.ctx, b)
		e.must(err)
		want.Held = false
		same(e, "b does not", want, rounded(rival))
		look, err := e.client.Leader(e.ctx, a.Name)
		e.must(err)
		same(e, "seen by others", want, rounded(look))

		want.Held = true
		again, err := e.client.Lead(e.ctx, a)
		e.must(err)
		same(e, "a again", want, rounded(again))
		renewed, err := e.client.Renew(e.ctx, a, 1)
		e.must(err)
		same(e, "a renews", want, rounded(renewed))
		for what, call := range map[string]func() (queue.Lease, error){
			"b renews":               func() (queue.Lease, error) { return e.client.Renew(e.ctx, b, 1) },
			"a renews another term":  func() (queue.Lease, error) { return e.client.Renew(e.ctx, a, 2) },
			"a renews no known term": func() (queue.Lease, error) { return e.client.Renew(e.ctx, a, 0) },
		} {
			lease, err := call()
			if !errors.Is(err, queue.ErrLeaseLost) || lease.Leader != "a" || lease.Held {
				e.t.Errorf("%s: %+v, %v, want ErrLeaseLost", what, lease, err)
			}
		}
		for _, r := range []struct {
			request queue.LeadRequest
			fence   queue.Fence
			want    bool
		}{{b, 1, false}, {a, 2, false}, {a, 1, true}, {a, 1, false}} {
			resigned, err := e.client.Resign(e.ctx, r.request, r.fence)
			e.must(err)
			same(e, "resigned", r.want, resigned)
		}

		// The next term has the next number, or one above what was seen.
		next, err := e.client.Lead(e.ctx, b)
		e.must(err)
		same(e, "fence of b", queue.Fence(2), next.Fence)
		_, err = e.client.Resign(e.ctx, b, 2)
		e.must(err)
		a.Above = 40
		next, err = e.client.Lead(e.ctx, a)
		e.must(err)
		same(e, "fence above what was seen", queue.Fence(41), next.Fence)
		_, err = e.client.Resign(e.ctx, a, 41)
		e.must(err)
		next, err = e.client.Lead(e.ctx, b)
		e.must(err)
		same(e, "fence after that", queue.Fence(42), next.Fence)

		for _, r := range []queue.LeadRequest{{Name: "x", TTL: time.Second}, {Name: "x", Owner: "a"}} {
			if _, err := e.client.Lead(e.ctx, r); !errors.Is(err, queue.ErrInvalidOption) {
				e.t.Errorf("%+v: %v, want ErrInvalidOption", r, err)
			}
		}
		reading := queue.NewClient(testConn{e.rdb.Options().Addr, e.rdb}, queue.ClientOptions{ReadOnly: true})
		if _, err := reading.Lead(e.ctx, a); !errors.Is(err, queue.ErrReadOnly) {
			e.t.Errorf("a reader leads: %v, want ErrReadOnly", err)
		}
		seen, err := reading.Leader(e.ctx, a.Name)
		e.must(err)
		same(e, "seen by a reader", "b", seen.Leader)
	})
}

// A leader that is dead is followed when its lease runs out by the clock of
// Redis, whatever the clients' clocks say.
func TestLeadAfterADeadLeader(t *testing.T) {
	t.Parallel()
	e := onRealRedis(t)
	const ttl = 300 * time.Millisecond
	_, err := e.client.Lead(e.ctx, e.leads("dead", ttl))
	e.must(err)
	began := time.Now()
	e.now.Store(start + int64(time.Hour/time.Millisecond)) // proves nothing
	rival, err := e.client.Lead(e.ctx, e.leads("heir", ttl))
	e.must(err)
	if rival.Held {
		t.Fatal("a lease was taken away that had not run out")
	}
	var lease queue.Lease
	redistest.WaitFor(t, 10*time.Second, "the heir to lead", func() bool {
		lease, err = e.client.Lead(e.ctx, e.leads("heir", time.Hour))
		e.must(err)
		return lease.Held
	})
	same(e, "fence", queue.Fence(2), lease.Fence)
	if took := time.Since(began); took < ttl/2 {
		t.Errorf("led after %v, long before the lease ended", took)
	}
	if _, err := e.client.Renew(e.ctx, e.leads("dead", ttl), 1); !errors.Is(err, queue.ErrLeaseLost) {
		t.Errorf("the dead one renews: %v, want ErrLeaseLost", err)
	}
}

// Of many who ask at once one leads.
func TestLeadRace(t *testing.T) {
	onEach(t, func(e *env) {
		var all sync.WaitGroup
		var leaders atomic.Int64
		for i := range 16 {
			all.Go(func() {
				lease, err := e.client.Lead(e.ctx, e.leads(string(rune('a'+i)), time.Hour))
				if err != nil {
					e.t.Error(err)
				}
				if lease.Held {
					leaders.Add(1)
				}
			})
		}
		all.Wait()
		same(e, "leaders", int64(1), leaders.Load())
	})
}

// The lease has a slot of its own, whatever queues there are.
func TestLeadInACluster(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t)
	var addrs []string
	for _, node := range cluster.Nodes {
		addrs = append(addrs, node.Addr)
	}
	rdb := dialCluster(addrs, "")
	t.Cleanup(func() { _ = rdb.Close() })
	client := queue.NewClient(clusterConn{addrs, rdb}, queue.ClientOptions{})
	ctx := t.Context()
	lease, err := client.Lead(ctx, queue.LeadRequest{Owner: "a", TTL: time.Hour})
	if err != nil || !lease.Held {
		t.Fatalf("%+v, %v, want the lead", lease, err)
	}
	q := client.Queue(queue.KeyBase{Prefix: "bull", Name: "{mail}"}).Fenced(lease.Fence)
	if _, err := q.UpsertScheduler(ctx, queue.SchedulerSpec{ID: "s", Every: hourLong}, noCron); err != nil {
		t.Fatal(err)
	}
	if err := q.PauseScheduler(ctx, "s"); err != nil {
		t.Fatal(err)
	}
	all, total, err := q.Schedulers(ctx, 0, 10)
	if err != nil || total != 1 || !all[0].Paused {
		t.Errorf("%+v, %d, %v, want one that is paused", all, total, err)
	}
	if _, err := q.ResumeScheduler(ctx, "s", noCron); err != nil {
		t.Error(err)
	}
}
