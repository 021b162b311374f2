package scheduler

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

func testExpiry(data []byte) (time.Time, error) {
	var payload struct{ ExpiresAt *time.Time }
	if err := json.Unmarshal(data, &payload); err != nil || payload.ExpiresAt == nil {
		return time.Time{}, errors.New("no expiresAt")
	}
	return *payload.ExpiresAt, nil
}

// One of several leads, keeps its lease, and does each thing once.
func TestOneLeads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newFakeRedis()
		a := newProcess(r, "a", tick("one"), tick("two")).start(t)
		synctest.Wait()
		b := newProcess(r, "b", tick("one"), tick("two")).start(t)
		sleep(t.Context(), 10*testLock)
		synctest.Wait()
		if r.leader() != "a" || a.Stats().Terms != 1 || b.Stats().Terms != 0 {
			t.Errorf("%q leads; terms of a %+v, of b %+v", r.leader(), a.Stats(), b.Stats())
		}
		wantCalls(t, r, "upsert one, upsert two")
		if got := a.Stats(); got.Added != 2 || got.Changed+got.Restarted+got.Removed+got.Failed != 0 {
			t.Errorf("stats of the leader: %+v", got)
		}
		a.end()
		if r.leader() != "" {
			t.Errorf("%q leads after the leader has resigned", r.leader())
		}
		sleep(t.Context(), testLock/3+afterwards)
		synctest.Wait()
		if r.leader() != "b" {
			t.Errorf("%q leads, a third of a lease after the leader resigned", r.leader())
		}
		b.end()
	})
}

// Whoever cannot reach Redis stops in time, and another takes over when the lease
// ends: at most one life of it after the last renewal.
func TestTakeOverWithinOneLockLife(t *testing.T) {
	for _, after := range []time.Duration{0, time.Second, testLock/3 - time.Millisecond, testLock / 3, testLock} {
		synctest.Test(t, func(t *testing.T) {
			r := newFakeRedis()
			a := newProcess(r, "a", tick("one")).start(t)
			synctest.Wait()
			b := newProcess(r, "b", tick("one")).start(t)
			sleep(t.Context(), 5*testLock+after)
			synctest.Wait()
			r.setDown("a", true)
			sleep(t.Context(), testLock+afterwards)
			synctest.Wait()
			if r.leader() != "b" {
				t.Errorf("down after %s: %q leads one life later", after, r.leader())
			}
			// The new leader has looked at everything by then.
			r.stop("one")
			sleep(t.Context(), testEvery)
			synctest.Wait()
			wantCalls(t, r, "upsert one, restart one")
			if w := r.writes[1]; w.fence != 2 {
				t.Errorf("written in term %d", w.fence)
			}
			r.setDown("a", false)
			sleep(t.Context(), 5*testLock)
			if a.Stats().Terms != 1 || r.leader() != "b" {
				t.Errorf("%q leads after the old leader came back; its stats: %+v", r.leader(), a.Stats())
			}
			a.end()
			b.end()
		})
	}
}

// A take-over mends what broke while nobody led, once.
func TestTakeOverLooksAtEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newFakeRedis()
		a := newProcess(r, "a", tick("one")).start(t)
		sleep(t.Context(), time.Second)
		r.setDown("a", true)
		a.end()
		r.stop("one")
		b := newProcess(r, "b", tick("one"), tick("two")).start(t)
		sleep(t.Context(), testLock)
		synctest.Wait()
		wantCalls(t, r, "upsert one, restart one, upsert two")
		b.end()
	})
}

// A leader that lost its lease while a change was on its way makes no other.
func TestNoChangeAfterTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newFakeRedis()
		r.slow = func(string) {
			if r.leader() == "a" {
				r.setDown("a", true)
				sleep(t.Context(), testLock)
			}
		}
		a := newProcess(r, "a", tick("one"), tick("two"), tick("three")).start(t)
		sleep(t.Context(), 10*testLock)
		synctest.Wait()
		wantCalls(t, r, "upsert one")
		if !strings.Contains(a.logs.String(), errTooLate.Error()) {
			t.Errorf("log:\n%s", a.logs)
		}
		a.end()
	})
}

// A process that was stopped and goes on has timers that fire late; the clock is
// asked before every change.
func TestTheClockIsAskedBeforeEveryChange(t *testing.T) {
	now := time.Unix(1000, 0)
	s := New(Config{Lock: testLock, Now: func() time.Time { return now }})
	ended := error(nil)
	term := &term{s: s, until: now.Add(time.Second), end: func(err error) { ended = err }}
	r := newFakeRedis()
	r.slow = func(string) { now = now.Add(time.Second) }
	a := Applier{Open: func(queue.KeyBase) Queue { return fakeQueue{r, 1} }, Now: s.cfg.Now, May: term.may}
	one, two := tick("one"), tick("two")
	a.Apply(t.Context(), []Change{
		{Queue: testBase, ID: "one", Action: ActionAdd, Declared: &one}, {Queue: testBase, ID: "two", Action: ActionAdd, Declared: &two},
	})
	wantCalls(t, r, "upsert one")
	if !errors.Is(ended, errTooLate) {
		t.Errorf("ended with %v", ended)
	}
}

// What a later leader has written to refuses the old one, who stops at once; and
// one whose counter of terms was lost leads above what was seen.
func TestFencedStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newFakeRedis()
		r.seen = 50
		a := newProcess(r, "a", tick("one"), tick("two")).start(t)
		synctest.Wait()
		wantCalls(t, r, "")
		if r.leader() != "" || a.Stats().Terms != 1 {
			t.Errorf("%q leads; stats %+v", r.leader(), a.Stats())
		}
		sleep(t.Context(), testLock)
		synctest.Wait()
		wantCalls(t, r, "upsert one, upsert two")
		if w := r.writes[0]; w.fence != 51 {
			t.Errorf("written in term %d, want 51", w.fence)
		}
		a.end()
	})
}

// Another has the lease although it has not run out by our clock.
func TestLeaseLostStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newFakeRedis()
		a := newProcess(r, "a", tick("one")).start(t)
		sleep(t.Context(), time.Second)
		r.mu.Lock()
		r.owner, r.term, r.expires = "thief", 2, time.Now().Add(time.Hour)
		r.mu.Unlock()
		sleep(t.Context(), testLock/3)
		synctest.Wait()
		r.stop("one")
		sleep(t.Context(), 10*testEvery)
		synctest.Wait()
		wantCalls(t, r, "upsert one")
		a.end()
		if r.leader() != "thief" {
			t.Errorf("%q leads", r.leader())
		}
	})
}

// A stop resigns although the context has ended, and does not wait for a Redis
// that is gone.
func TestStopResigns(t *testing.T) {
	for _, down := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := newFakeRedis()
			a := newProcess(r, "a").start(t)
			sleep(t.Context(), time.Second)
			r.setDown("a", down)
			began := time.Now()
			a.end()
			if took := time.Since(began); took > resignTime {
				t.Errorf("down %v: stopped after %s", down, took)
			}
			if held := r.leader() != ""; held != down {
				t.Errorf("down %v: %q leads", down, r.leader())
			}
		})
	}
}

// What stops is restarted at the next audit; what cannot be helped is told once.
func TestAudit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newFakeRedis()
		r.schedulers = []queue.Scheduler{{ID: "old", Legacy: queue.LegacyHashed, Health: queue.SchedulerLegacy}}
		foreign := stored(queue.SchedulerSpec{ID: "foreign", Every: time.Minute})
		r.schedulers = append(r.schedulers, foreign)
		a := newProcess(r, "a", tick("one")).start(t)
		sleep(t.Context(), time.Second)
		wantCalls(t, r, "upsert one")
		r.stop("one")
		r.stop("foreign")
		sleep(t.Context(), testEvery)
		synctest.Wait()
		wantCalls(t, r, "upsert one, restart foreign, restart one")
		r.mu.Lock()
		r.schedulers = r.schedulers[:1] // somebody removes both
		r.mu.Unlock()
		sleep(t.Context(), 20*testEvery)
		synctest.Wait()
		wantCalls(t, r, "upsert one, restart foreign, restart one, upsert one")
		a.end()
		if n := strings.Count(a.logs.String(), "schedule convert"); n != 1 {
			t.Errorf("told of the legacy schedule %d times:\n%s", n, a.logs)
		}
	})
}

// A built-in set is on while any mark names it, that of a schedule that is gone,
// too; what it declares no more is removed.
func TestSets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newFakeRedis()
		r.marks["gone"] = queue.ScheduleMark{Set: "s"}
		r.marks["dropped"] = queue.ScheduleMark{Set: "s"}
		r.marks["of-a-file"] = queue.ScheduleMark{}
		for _, id := range []string{"dropped", "of-a-file", "foreign"} {
			r.schedulers = append(r.schedulers, stored(queue.SchedulerSpec{ID: id, Every: time.Minute}))
		}
		a := newProcess(r, "a").start(t)
		sleep(t.Context(), 5*testEvery)
		synctest.Wait()
		wantCalls(t, r, "remove dropped, upsert of-s")
		if r.marks["of-s"].Set != "s" {
			t.Errorf("marks: %v", r.marks)
		}
		a.end()
	})
}

// A renewal that returned a later time runs again before that, once.
func TestRenewals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newFakeRedis()
		now := time.Now()
		expires := now.Add(time.Hour)
		spec := queue.SchedulerSpec{ID: "channel", Data: json.RawMessage(`{"expiresAt":"` + expires.Format(time.RFC3339) + `"}`)}
		s := stored(Renewal(spec, 2*time.Hour, expires))
		s.Health, s.JobID, s.JobState = queue.SchedulerEnded, "repeat:channel:1", queue.StateCompleted
		r.schedulers = []queue.Scheduler{s}
		r.marks["channel"] = queue.ScheduleMark{Before: 2 * time.Hour}
		later := now.Add(100 * time.Hour)
		r.jobs[s.JobID] = queue.Job{ReturnValue: json.RawMessage(`{"expiresAt":"` + later.Format(time.RFC3339) + `"}`)}
		a := newProcess(r, "a").start(t)
		sleep(t.Context(), 5*testEvery)
		synctest.Wait()
		wantCalls(t, r, "upsert channel")
		if got := r.schedulers[0]; !got.Start.Equal(later.Add(-2*time.Hour).Truncate(time.Second)) || got.Limit != 1 {
			t.Errorf("renewed from %s, limit %d", got.Start, got.Limit)
		}
		if a.Stats().Renewed != 1 {
			t.Errorf("stats: %+v", a.Stats())
		}
		a.end()
	})
}

// Reload makes the leader look at what is declared now.
func TestReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newFakeRedis()
		p := newProcess(r, "a")
		declared := []Declared{}
		p.cfg.Declared = func() ([]Declared, error) { return declared, nil }
		p.cfg.Every = time.Hour
		a := p.start(t)
		synctest.Wait()
		declared = append(declared, tick("one"))
		a.Reload()
		synctest.Wait()
		wantCalls(t, r, "upsert one")
		a.end()
	})
}

// One look does everything once, resigns, and is refused while another leads.
func TestOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newFakeRedis()
		a := newProcess(r, "a", tick("one"))
		if err := a.Once(t.Context()); err != nil {
			t.Error(err)
		}
		wantCalls(t, r, "upsert one")
		if r.leader() != "" {
			t.Errorf("%q leads", r.leader())
		}
		b := newProcess(r, "b").start(t)
		synctest.Wait()
		if err := a.Once(t.Context()); !errors.Is(err, ErrNotLeader) {
			t.Errorf("beside another: %v", err)
		}
		b.end()
		bad := errors.New("bad")
		a.cfg.Queues = func(context.Context) ([]queue.KeyBase, error) { return nil, bad }
		if err := a.Once(t.Context()); !errors.Is(err, bad) {
			t.Errorf("no queues: %v", err)
		}
	})
}
