package queue_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

var everyKind = []queue.OutcomeKind{
	queue.Complete, queue.Fail, queue.RetryNow, queue.RetryLater, queue.Postpone, queue.GiveBack,
}

// running makes jobs 1 to n active under the token tok and takes the marker
// away.
func (e *env) running(n int) []queue.Job {
	e.t.Helper()
	e.add(slices.Repeat([]queue.NewJob{{Name: "n"}}, n)...)
	jobs := e.claim(n, "tok")
	e.must(e.rdb.Del(e.ctx, e.key("marker")).Err())
	return jobs
}

// What cannot be recorded says why, and holds up none of its neighbors.
func TestSettleRefuses(t *testing.T) {
	gone := map[string]string{"2": ""}
	for _, c := range []struct {
		name  string
		kinds []queue.OutcomeKind
		token string
		spoil func(e *env)
		want  string
		keys  map[string]string // after the outcome, of what concerns job 2
	}{
		{"wrong token", everyKind, "other", func(*env) {}, "2 lock lost", nil},
		{"expired lock", everyKind, "tok", func(e *env) { e.must(e.rdb.Del(e.ctx, e.key("2:lock")).Err()) }, "2 lock lost", map[string]string{"2:lock": ""}},
		{"missing hash", everyKind, "tok", func(e *env) { e.must(e.rdb.Del(e.ctx, e.key("2")).Err()) }, "2 not found", gone},
		// The lock was the caller's: it goes, as in BullMQ.
		{"not active", everyKind, "tok", func(e *env) { e.must(e.rdb.LRem(e.ctx, e.key("active"), 0, "2").Err()) }, "2 not in state", map[string]string{"2:lock": "", "active": ""}},
		{"pending children", everyKind[:1], "tok", func(e *env) { e.must(e.rdb.SAdd(e.ctx, e.key("2:dependencies"), "c").Err()) }, "2 pending children", nil},
		{"failed children", everyKind[:1], "tok", func(e *env) { e.fill("2:unsuccessful", "c") }, "2 failed children", nil},
		{"pending children, wrong token", everyKind[:1], "other", func(e *env) { e.must(e.rdb.SAdd(e.ctx, e.key("2:dependencies"), "c").Err()) }, "2 pending children", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			onEach(t, func(e *env) {
				for _, kind := range c.kinds {
					for _, known := range []bool{false, true} {
						e := e.fork()
						jobs := e.running(3)
						c.spoil(e)
						before, seen := e.dump(), len(e.events())
						var outcomes []queue.Outcome
						for i, id := range []string{"1", "2", "3"} {
							o := queue.Outcome{Kind: queue.Complete, ID: id, Token: "tok", ReturnValue: []byte("1")}
							if id == "2" {
								o.Kind, o.Token, o.ReturnValue = kind, c.token, nil
							}
							if known {
								o.Job = &jobs[i]
							}
							outcomes = append(outcomes, o)
						}
						what := fmt.Sprintf("%c, known=%v: ", kind, known)
						same(e, what+"answers", []string{"ok", c.want, "ok"}, e.settleAll(outcomes...))
						keys := map[string]string{
							"active": "2", "1:lock": "", "3:lock": "", "completed": "1=1795312800000 3=1795312800000",
							"1": claimedHash("atm=1", "finishedOn=1795312800000", "returnvalue=1"),
							"3": claimedHash("atm=1", "finishedOn=1795312800000", "returnvalue=1"),
						}
						for key, value := range c.keys {
							keys[key] = value
						}
						e.changed(before, keys)
						events := []string{"completed jobId=1 returnvalue=1 prev=active", "completed jobId=3 returnvalue=1 prev=active"}
						if keys["active"] == "" {
							events = append(events, "drained")
						}
						same(e, what+"events", events, e.newEvents(seen))
					}
				}
			})
		})
	}
}

// Children keep a job from being completed, from nothing else; the token 0
// needs no lock.
func TestSettleAllows(t *testing.T) {
	onEach(t, func(e *env) {
		for _, kind := range everyKind[1:] {
			e := e.fork()
			e.running(1)
			e.must(e.rdb.SAdd(e.ctx, e.key("1:dependencies"), "c").Err())
			e.fill("1:unsuccessful", "c")
			same(e, fmt.Sprintf("%c", kind), []string{"ok"}, e.settleAll(queue.Outcome{Kind: kind, ID: "1", Token: "tok"}))
			same(e, "children", "c c=1", e.dump()["1:dependencies"]+" "+e.dump()["1:unsuccessful"])
		}
		for _, kind := range everyKind {
			e := e.fork()
			e.running(1)
			e.must(e.rdb.Del(e.ctx, e.key("1:lock")).Err())
			same(e, fmt.Sprintf("%c", kind), []string{"ok"}, e.settleAll(queue.Outcome{Kind: kind, ID: "1", Token: "0"}))
		}
	})
}

// Batches leave active in one go or one by one; it must not be seen which.
func TestSettleBatches(t *testing.T) {
	for _, c := range []struct{ active, batch int }{{3, 2}, {8, 7}, {8, 8}, {33, 8}, {41, 8}, {40, 12}, {60, 12}, {500, 500}} {
		t.Run(fmt.Sprintf("%d of %d", c.batch, c.active), func(t *testing.T) {
			onEach(t, func(e *env) {
				jobs := e.running(c.active)
				e.must(e.rdb.LRem(e.ctx, e.key("active"), 0, "2").Err())
				var outcomes []queue.Outcome
				var completed, answers, active []string
				for i := range c.batch { // every third one, around the end and on
					job := &jobs[i*3%c.active]
					if c.active%3 == 0 {
						job = &jobs[i]
					}
					answer := "ok"
					if job.ID == "2" {
						answer = "2 not in state"
					} else {
						completed = append(completed, job.ID)
					}
					answers = append(answers, answer)
					outcomes = append(outcomes, queue.Outcome{Kind: queue.Complete, ID: job.ID, Token: "tok", Job: job})
				}
				for i := c.active - 1; i >= 0; i-- { // the newest first
					if id := jobs[i].ID; id != "2" && !slices.Contains(completed, id) {
						active = append(active, id)
					}
				}
				same(e, "answers", answers, e.settleAll(outcomes...))
				after := e.dump()
				same(e, "active", strings.Join(active, " "), after["active"])
				got := e.rdb.ZRange(e.ctx, e.key("completed"), 0, -1).Val()
				slices.Sort(got)
				slices.Sort(completed)
				same(e, "completed", completed, got)
				for i := range outcomes {
					if lock, held := after[outcomes[i].ID+":lock"]; held {
						e.t.Errorf("job %s is still locked by %q", outcomes[i].ID, lock)
					}
				}
			})
		})
	}
}

// One batch of every kind, and more than once each, leaves what one call per
// outcome leaves.
func TestSettleMixedBatch(t *testing.T) {
	onEach(t, func(e *env) {
		for _, rounds := range []int{1, 3} { // below 8 outcomes, and above
			var outcomes []queue.Outcome
			for i := range rounds * len(everyKind) {
				outcomes = append(outcomes, queue.Outcome{
					Kind: everyKind[i%len(everyKind)], ID: fmt.Sprint(i + 1), Token: "tok", FailedReason: "boom",
					Stacktrace: []string{"at x"}, Delay: time.Duration(i+1) * time.Second, Attempts: 1,
				})
			}
			together, apart := e.fork(), e.fork()
			together.running(len(outcomes))
			apart.running(len(outcomes))
			before := len(together.events())
			same(e, "answers", slices.Repeat([]string{"ok"}, len(outcomes)), together.settleAll(outcomes...))
			for _, o := range outcomes {
				apart.settle(o)
			}
			same(e, "keys", apart.dump(), together.dump())
			same(e, "events", apart.newEvents(before), together.newEvents(before))
		}
	})
}

// A job has one outcome: the second of one call is refused like that of a
// second call, whatever the size of the batch.
func TestSettleTwiceInOneCall(t *testing.T) {
	onEach(t, func(e *env) {
		for _, first := range everyKind {
			for _, second := range everyKind {
				for _, others := range []int{0, 10} {
					e, once := e.fork(), e.fork()
					outcomes := []queue.Outcome{{Kind: first, ID: "1", Token: "tok"}}
					for i := range others {
						outcomes = append(outcomes, queue.Outcome{Kind: queue.Complete, ID: fmt.Sprint(i + 2), Token: "tok"})
					}
					once.running(others + 1)
					same(e, "answers", slices.Repeat([]string{"ok"}, others+1), once.settleAll(outcomes...))
					e.running(others + 1)
					answers := e.settleAll(append(outcomes, queue.Outcome{Kind: second, ID: "1", Token: "tok"})...)
					what := fmt.Sprintf("%c, then %c, with %d others: ", first, second, others)
					if last := answers[len(answers)-1]; answers[0] != "ok" || (last != "1 lock lost" && last != "1 not in state") {
						e.t.Errorf("%sthe first is %s, the second %s", what, answers[0], last)
					}
					same(e, what+"keys", once.dump(), e.dump())
					same(e, what+"events", once.events(), e.events())
					if e.t.Failed() {
						return
					}
				}
			}
		}
	})
}

// An id that stands in active twice leaves it once, in a batch as alone: the
// other entry is for the stalled check.
func TestSettleOfAnIDThatIsActiveTwice(t *testing.T) {
	onEach(t, func(e *env) {
		for _, n := range []int{1, 10} {
			e := e.fork()
			e.running(n)
			e.must(e.rdb.LPush(e.ctx, e.key("active"), "1").Err())
			var outcomes []queue.Outcome
			for i := range n {
				outcomes = append(outcomes, queue.Outcome{Kind: queue.Complete, ID: fmt.Sprint(i + 1), Token: "tok"})
			}
			same(e, "answers", slices.Repeat([]string{"ok"}, n), e.settleAll(outcomes...))
			same(e, "active", "1", e.dump()["active"])
		}
	})
}

// A job may have got a parent or children since it was claimed: what the
// caller knew of it must not hide that.
func TestSettleOfAJobThatChangedSinceItsClaim(t *testing.T) {
	onEach(t, func(e *env) {
		for _, known := range []bool{false, true} {
			for _, kind := range []queue.OutcomeKind{queue.Complete, queue.Fail} {
				e := e.fork()
				e.add(queue.NewJob{Name: "n", Opts: queue.JobOptions{ID: "late"}})
				jobs := e.claim(1, "tok")
				e.hash("p", "name", "parent", "timestamp", start)
				e.fill("waiting-children", "p")
				e.must(e.rdb.SAdd(e.ctx, e.key("p:dependencies"), e.key("late")).Err())
				e.hash("late", "parentKey", e.key("p"), "parent", fmt.Sprintf(`{"id":"p","queueKey":"%s","rdof":true}`, e.base), "deid", "d")
				e.must(e.rdb.Set(e.ctx, e.key("de:d"), "late", 0).Err())
				o := queue.Outcome{Kind: kind, ID: "late", Token: "tok", ReturnValue: []byte("7")}
				if known {
					o.Job = &jobs[0]
				}
				e.settle(o)
				after := e.dump()
				what := fmt.Sprintf("%c, known=%v: ", kind, known)
				same(e, what+"pending", "", after["p:dependencies"]+after["waiting-children"])
				same(e, what+"released", "p", after["wait"])
				same(e, what+"deduplication", "", after["de:d"])
			}
		}
	})
}

// A failure that a child deferred, whose record is gone since the child was
// retried and completed, is over when the parent fails.
func TestSettleFailForgetsWhatAChildDeferred(t *testing.T) {
	onEach(t, func(e *env) {
		for _, known := range []bool{false, true} {
			e := e.fork()
			jobs := e.running(1)
			e.add(queue.NewJob{Name: "n", Opts: queue.JobOptions{ID: "c"}})
			e.hash("c", "parentKey", e.key("1"), "parent", fmt.Sprintf(`{"id":"1","queueKey":"%s","fpof":true}`, e.base))
			e.must(e.rdb.SAdd(e.ctx, e.key("1:dependencies"), e.key("c")).Err())
			e.finish(queue.Fail)
			same(e, "deferred", "child "+e.key("c")+" failed", e.rdb.HGet(e.ctx, e.key("1"), "defa").Val())
			errs, err := e.q.Retry(e.ctx, queue.StateFailed, []string{"c"}, queue.RetryOptions{})
			e.must(errors.Join(append(errs, err)...))
			e.finish(queue.Complete)
			o := queue.Outcome{Kind: queue.Fail, ID: "1", Token: "tok", FailedReason: "boom"}
			if known {
				o.Job = &jobs[0]
			}
			e.settle(o)
			same(e, fmt.Sprintf("known=%v", known),
				claimedHash("atm=1", "failedReason=boom", "finishedOn=1795312800000", "stacktrace=[]"), e.dump()["1"])
		}
	})
}

func TestSettleSizes(t *testing.T) {
	onEach(t, func(e *env) {
		e.running(queue.MaxClaim)
		before := e.dump()
		var outcomes []queue.Outcome
		for i := range queue.MaxClaim + 1 {
			outcomes = append(outcomes, queue.Outcome{Kind: queue.Complete, ID: fmt.Sprint(i + 1), Token: "tok"})
		}
		if settled, err := e.q.Settle(e.ctx, outcomes, queue.SettleOptions{}); err == nil {
			e.t.Errorf("%d outcomes in one call: %v, want an error", len(outcomes), settled)
		}
		e.changed(before, nil)
		same(e, "answers", slices.Repeat([]string{"ok"}, queue.MaxClaim), e.settleAll(outcomes[:queue.MaxClaim]...))
		same(e, "completed", int64(queue.MaxClaim), e.rdb.ZCard(e.ctx, e.key("completed")).Val())
	})
}

// A key that somebody has overwritten holds no job that could be recorded.
func TestSettleOfAKeyThatIsNoHash(t *testing.T) {
	onEach(t, func(e *env) {
		for _, kind := range everyKind {
			for _, known := range []bool{false, true} {
				e := e.fork()
				jobs := e.running(1)
				e.must(e.rdb.Set(e.ctx, e.key("1"), "x", 0).Err())
				before, o := e.dump(), queue.Outcome{Kind: kind, ID: "1", Token: "tok"}
				if known {
					o.Job = &jobs[0]
				}
				same(e, fmt.Sprintf("%c, known=%v", kind, known), []string{"1 not found"}, e.settleAll(o))
				var changes map[string]string
				if known && (kind == queue.Complete || kind == queue.Fail) {
					// Found out only when the outcome is written.
					changes = map[string]string{"active": "", "1:lock": "", "qctl:corrupt": "1=1795312800000"}
				}
				e.changed(before, changes)
			}
		}
	})
}

func TestSettleNothing(t *testing.T) {
	onEach(t, func(e *env) {
		e.running(1)
		before := e.dump()
		same(e, "answers", []string{}, e.settleAll())
		e.changed(before, nil)
	})
}

// The error of a job that was not active says where it is, found out by a
// second call that only such a job costs.
func TestSettleTellsWhereJobsAre(t *testing.T) {
	onEach(t, func(e *env) {
		e.running(4)
		calls := e.countCalls("evalsha")
		same(e, "recorded", []string{"ok"}, e.settleAll(queue.Outcome{Kind: queue.Complete, ID: "1", Token: "tok"}))
		good := calls.Load()
		for id, to := range map[string]string{"2": "wait", "3": ""} {
			e.must(e.rdb.LRem(e.ctx, e.key("active"), 0, id).Err())
			if to != "" {
				e.must(e.rdb.LPush(e.ctx, e.key(to), id).Err())
			}
		}
		outcomes := make([]queue.Outcome, 3)
		for i, id := range []string{"2", "3", "4"} {
			outcomes[i] = queue.Outcome{Kind: queue.Complete, ID: id, Token: "tok"}
		}
		settled, err := e.q.Settle(e.ctx, outcomes, queue.SettleOptions{})
		e.must(err)
		var states []queue.State
		for _, err := range settled.Errs {
			var job *queue.JobError
			if errors.As(err, &job) {
				states = append(states, job.State)
			}
		}
		same(e, "states", []queue.State{queue.StateWaiting, queue.StateUnknown}, states)
		if text := settled.Errs[0].Error(); !strings.HasSuffix(text, "it is waiting") {
			e.t.Errorf("the error reads %q", text)
		}
		if good != 1 || calls.Load() != good+2 {
			e.t.Errorf("%d calls for a recorded outcome, %d for others", good, calls.Load()-good)
		}
	})
}
