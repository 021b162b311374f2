package scheduler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

var testBase = queue.KeyBase{Prefix: "bull", Name: "q"}

// fakeRedis is a lease and one queue. Its clock is that of the bubble of
// testing/synctest.
type fakeRedis struct {
	mu      sync.Mutex
	owner   string
	term    queue.Fence
	expires time.Time
	down    map[string]bool // owners who cannot reach it

	seen       queue.Fence
	schedulers []queue.Scheduler
	marks      map[string]queue.ScheduleMark
	jobs       map[string]queue.Job
	writes     []write
	slow       func(call string) // is told of every write before it is made
}

type write struct {
	call  string
	fence queue.Fence
	at    time.Time
}

var errDown = errors.New("connection refused")

// fakeClient is the fake as one process sees it.
type fakeClient struct {
	*fakeRedis
	name string
}

func (c fakeClient) Lead(_ context.Context, r queue.LeadRequest) (queue.Lease, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down[c.name] {
		return queue.Lease{}, errDown
	}
	now := time.Now()
	if c.owner != "" && !now.Before(c.expires) {
		c.owner = ""
	}
	if c.owner == "" {
		c.owner, c.term = r.Owner, max(c.term, r.Above)+1
	}
	if c.owner == r.Owner {
		c.expires = now.Add(r.TTL)
	}
	return queue.Lease{Held: c.owner == r.Owner, Fence: c.term, Leader: c.owner, Left: c.expires.Sub(now)}, nil
}

func (c fakeClient) Renew(_ context.Context, r queue.LeadRequest, fence queue.Fence) (queue.Lease, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down[c.name] {
		return queue.Lease{}, errDown
	}
	if c.owner != r.Owner || c.term != fence || !time.Now().Before(c.expires) {
		return queue.Lease{Leader: c.owner}, queue.ErrLeaseLost
	}
	c.expires = time.Now().Add(r.TTL)
	return queue.Lease{Held: true, Fence: fence, Leader: c.owner}, nil
}

func (c fakeClient) Resign(ctx context.Context, r queue.LeadRequest, fence queue.Fence) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down[c.name] || ctx.Err() != nil {
		return false, errDown
	}
	if c.owner != r.Owner || c.term != fence {
		return false, nil
	}
	c.owner = ""
	return true, nil
}

// fakeQueue is the queue as one term sees it.
type fakeQueue struct {
	*fakeRedis
	fence queue.Fence
}

func (q fakeQueue) write(format string, args ...any) error {
	call := fmt.Sprintf(format, args...)
	if q.slow != nil {
		q.slow(call)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.fence > 0 && q.fence < q.seen {
		return queue.ErrFenced
	}
	q.seen = max(q.seen, q.fence)
	q.writes = append(q.writes, write{call, q.fence, time.Now()})
	return nil
}

func (q fakeQueue) KeyBase() queue.KeyBase { return testBase }

func (q fakeQueue) Schedulers(_ context.Context, after, limit int) ([]queue.Scheduler, int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	all := q.schedulers
	return slices.Clone(all[min(after, len(all)):min(after+limit, len(all))]), len(all), nil
}

func (q fakeQueue) at(id string) int {
	return slices.IndexFunc(q.schedulers, func(s queue.Scheduler) bool { return s.ID == id })
}

func (q fakeQueue) UpsertScheduler(_ context.Context, spec queue.SchedulerSpec, _ queue.NextRun) (queue.Upserted, error) {
	if err := q.write("upsert %s", spec.ID); err != nil {
		return queue.Upserted{}, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if i := q.at(spec.ID); i >= 0 {
		q.schedulers = slices.Delete(q.schedulers, i, i+1)
	}
	q.schedulers = append(q.schedulers, stored(spec))
	return queue.Upserted{}, nil
}

func (q fakeQueue) RemoveScheduler(_ context.Context, id string) error {
	if err := q.write("remove %s", id); err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	i := q.at(id)
	if i < 0 {
		return queue.ErrSchedulerNotFound
	}
	q.schedulers = slices.Delete(q.schedulers, i, i+1)
	return nil
}

func (q fakeQueue) RestartScheduler(_ context.Context, id string, _ queue.NextRun) (bool, error) {
	if err := q.write("restart %s", id); err != nil {
		return false, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	i := q.at(id)
	stopped := i >= 0 && q.schedulers[i].Health == queue.SchedulerStopped
	if stopped {
		q.schedulers[i].Health = queue.SchedulerHealthy
	}
	return stopped, nil
}

func (q fakeQueue) PauseScheduler(_ context.Context, id string) error { return q.write("pause %s", id) }

func (q fakeQueue) ResumeScheduler(_ context.Context, id string, _ queue.NextRun) (queue.Upserted, error) {
	return queue.Upserted{}, q.write("resume %s", id)
}

func (q fakeQueue) ScheduleMarks(context.Context) (map[string]queue.ScheduleMark, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	marks := map[string]queue.ScheduleMark{}
	for id, mark := range q.marks {
		marks[id] = mark
	}
	return marks, nil
}

func (q fakeQueue) MarkScheduler(_ context.Context, id string, mark queue.ScheduleMark) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.marks[id] = mark
	return nil
}

func (q fakeQueue) UnmarkScheduler(_ context.Context, id string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.marks, id)
	return nil
}

func (q fakeQueue) SeenFence(context.Context) (queue.Fence, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.seen, nil
}

func (q fakeQueue) Get(_ context.Context, id string, _ queue.Fields, _ int64) (queue.Job, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	job, ok := q.jobs[id]
	if !ok {
		return job, queue.ErrJobNotFound
	}
	return job, nil
}

// stored is what the engine would keep of a spec.
func stored(spec queue.SchedulerSpec) queue.Scheduler {
	opts, err := json.Marshal(template(spec.Opts))
	if err != nil {
		panic(err)
	}
	name := spec.Name
	if name == "" {
		name = spec.ID
	}
	return queue.Scheduler{
		ID: spec.ID, Name: name, Every: spec.Every, Offset: spec.Offset, Pattern: spec.Pattern, TZ: spec.TZ, Limit: spec.Limit,
		Start: spec.Start, End: spec.End, Data: spec.Data, Opts: opts, Health: queue.SchedulerHealthy,
	}
}

func newFakeRedis() *fakeRedis {
	return &fakeRedis{marks: map[string]queue.ScheduleMark{}, jobs: map[string]queue.Job{}, down: map[string]bool{}}
}

// calls lists the writes that were made.
func (r *fakeRedis) calls() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var calls []string
	for _, w := range r.writes {
		calls = append(calls, w.call)
	}
	return strings.Join(calls, ", ")
}

func (r *fakeRedis) leader() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !time.Now().Before(r.expires) {
		return ""
	}
	return r.owner
}

func (r *fakeRedis) setDown(owner string, down bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down[owner] = down
}

func (r *fakeRedis) stop(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.schedulers[fakeQueue{r, 0}.at(id)].Health = queue.SchedulerStopped
}

// process is one scheduler that runs.
type process struct {
	*Scheduler
	end  func() // as SIGTERM, and waits
	logs *strings.Builder
}

const (
	testLock  = 9 * time.Second
	testEvery = 2 * time.Second
)

func tick(id string) Declared {
	return Declared{Queue: testBase, Spec: queue.SchedulerSpec{ID: id, Every: time.Minute}}
}

// newProcess makes a scheduler of a declaration.
func newProcess(r *fakeRedis, name string, declared ...Declared) process {
	logs := &strings.Builder{}
	s := New(Config{
		Elections: fakeClient{r, name}, Owner: name, Lock: testLock, Every: testEvery,
		Open:     func(_ queue.KeyBase, fence queue.Fence) Queue { return fakeQueue{r, fence} },
		Queues:   func(context.Context) ([]queue.KeyBase, error) { return []queue.KeyBase{testBase}, nil },
		Declared: func() ([]Declared, error) { return declared, nil },
		Builtin: func(set string) ([]Declared, error) {
			d := tick("of-" + set)
			d.Set = set
			return []Declared{d}, nil
		},
		ExpiresAt: testExpiry, Now: time.Now, Log: slog.New(slog.NewTextHandler(logs, nil)),
	})
	return process{Scheduler: s, logs: logs}
}

func (p process) start(t *testing.T) process {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); p.Run(ctx) }()
	p.end = func() { cancel(); <-done }
	return p
}

func wantCalls(t *testing.T, r *fakeRedis, want string) {
	t.Helper()
	if got := r.calls(); got != want {
		t.Errorf("writes: %q, want %q", got, want)
	}
}
