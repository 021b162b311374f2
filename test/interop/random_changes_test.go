package interop

import (
	"encoding/json"
	"errors"
	"flag"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/qctl/qctl/internal/queue"
)

// refused lets through what our engine says about one job; any other error ends the test.
func (p *program) refused(errs []error, err error) error {
	p.w.t.Helper()
	var one *queue.JobError
	for _, each := range append(errs, err) {
		if each != nil && !errors.As(each, &one) {
			p.w.t.Fatalf("%s: %v", p.base, each)
		}
	}
	return err
}

func changeOperations() []operation {
	return []operation{
		{"promote", func(p *program) error { return p.try("promote", args{"jobId": p.anyID()}) }, func(p *program) error {
			return p.refused(p.q.Promote(p.w.ctx, []string{p.anyID()}))
		}},
		{"retry", func(p *program) error {
			return p.try("retry", args{"jobId": p.anyID(), "state": rapid.SampledFrom([]string{"failed", "completed"}).Draw(p.rt, "state")})
		}, func(p *program) error {
			from := rapid.SampledFrom([]queue.State{queue.StateFailed, queue.StateCompleted}).Draw(p.rt, "state")
			return p.refused(p.q.Retry(p.w.ctx, from, []string{p.anyID()}, queue.RetryOptions{ResetAttempts: rapid.Bool().Draw(p.rt, "reset")}))
		}},
		{"remove", func(p *program) error { return p.try("remove", args{"jobId": p.anyID()}) }, func(p *program) error {
			children := rapid.Bool().Draw(p.rt, "children")
			return p.refused(p.q.Remove(p.w.ctx, []string{p.anyID()}, queue.RemoveOptions{Children: children}))
		}},
		{"change the priority", func(p *program) error {
			opts := args{"priority": rapid.IntRange(0, 3).Draw(p.rt, "priority"), "lifo": rapid.Bool().Draw(p.rt, "lifo")}
			return p.try("changePriority", args{"jobId": p.anyID(), "opts": opts})
		}, func(p *program) error {
			priority, lifo := rapid.IntRange(0, 3).Draw(p.rt, "priority"), rapid.Bool().Draw(p.rt, "lifo")
			return p.refused(nil, p.q.ChangePriority(p.w.ctx, p.anyID(), priority, lifo))
		}},
		{"change the delay", func(p *program) error {
			return p.try("changeDelay", args{"jobId": p.anyID(), "delay": rapid.SampledFrom([]int{0, 20, hour}).Draw(p.rt, "delay")})
		}, func(p *program) error {
			delay := rapid.SampledFrom([]time.Duration{0, 20 * time.Millisecond, time.Hour}).Draw(p.rt, "delay")
			return p.refused(nil, p.q.ChangeDelay(p.w.ctx, p.anyID(), delay))
		}},
		{"report", func(p *program) error {
			return errors.Join(p.try("updateProgress", args{"jobId": p.anyID(), "progress": 5}), p.try("log", args{"jobId": p.anyID(), "row": "x"}))
		}, func(p *program) error {
			_, err := p.q.AppendLogs(p.w.ctx, p.anyID(), []string{"x"}, 3)
			return p.refused([]error{err}, p.q.UpdateProgress(p.w.ctx, p.anyID(), json.RawMessage(`{"x":1}`)))
		}},
	}
}

func queueOperations() []operation {
	cleanable := []string{"completed", "failed", "delayed", "prioritized", "waiting", "active"}
	three := 3
	return []operation{
		{"retry all", func(p *program) error { return p.try("retryJobs", args{"opts": args{"state": "failed"}}) }, func(p *program) error {
			return p.q.Scan(p.w.ctx, queue.ScanRequest{State: queue.StateFailed}, func(ids []string) ([]string, error) {
				return nil, p.refused(p.q.Retry(p.w.ctx, queue.StateFailed, ids, queue.RetryOptions{}))
			})
		}},
		{"promote all", func(p *program) error { return p.try("promoteJobs", nil) }, func(p *program) error {
			return p.q.Scan(p.w.ctx, queue.ScanRequest{State: queue.StateDelayed}, func(ids []string) ([]string, error) {
				return nil, p.refused(p.q.Promote(p.w.ctx, ids))
			})
		}},
		{"clean", func(p *program) error {
			state := strings.Replace(rapid.SampledFrom(cleanable).Draw(p.rt, "state"), "waiting", "wait", 1)
			return p.try("clean", args{"grace": 0, "limit": rapid.IntRange(0, 3).Draw(p.rt, "limit"), "type": state})
		}, func(p *program) error {
			_, err := p.q.Clean(p.w.ctx, queue.CleanOptions{
				State: queue.State(rapid.SampledFrom(cleanable).Draw(p.rt, "state")), Limit: rapid.IntRange(0, 3).Draw(p.rt, "limit"),
			})
			return p.refused(nil, err)
		}},
		{"drain", func(p *program) error { return p.try("drain", args{"delayed": rapid.Bool().Draw(p.rt, "delayed")}) }, func(p *program) error {
			_, err := p.q.Drain(p.w.ctx, queue.DrainOptions{Delayed: rapid.Bool().Draw(p.rt, "delayed")})
			return p.refused(nil, err)
		}},
		{"pause", func(p *program) error { return p.try("pause", nil) }, func(p *program) error { return p.refused(nil, p.q.Pause(p.w.ctx)) }},
		{"resume", func(p *program) error { return p.try("resume", nil) }, func(p *program) error { return p.refused(nil, p.q.Resume(p.w.ctx)) }},
		{"limit", func(p *program) error { return p.try("setGlobalConcurrency", args{"concurrency": three}) }, func(p *program) error {
			return p.refused(nil, p.q.SetConcurrency(p.w.ctx, &three))
		}},
	}
}

// randomCrew are the workers of a program. They look for lost jobs often.
var randomCrew = setup{Concurrency: 2, StalledInterval: 200, LockDuration: 5000, MaxStalledCount: 5}

func (p *program) come(ours bool) {
	p.hands[ours] = p.works(ours, randomCrew)
	p.nodeCame = p.nodeCame || !ours
}

func crewOperations() []operation {
	toggle := func(ours bool) func(p *program) error {
		return func(p *program) error {
			if h := p.hands[ours]; h != nil {
				h.stop()
				delete(p.hands, ours)
				return nil
			}
			p.come(ours)
			return nil
		}
	}
	lose := func(p *program) error {
		if p.lost {
			return nil
		}
		p.lost = true
		_, err := p.q.Claim(p.w.ctx, queue.ClaimRequest{N: 1, Token: "lost", Lock: 20 * time.Millisecond})
		return p.refused(nil, err)
	}
	rest := func(p *program) error {
		p.rest()
		return nil
	}
	work := operation{"come or leave", toggle(false), toggle(true)}
	return []operation{work, work, {"lose a job", lose, lose}, {"rest", rest, rest}}
}

// rest sends the workers away and looks at what is left.
func (p *program) rest() {
	p.w.t.Helper()
	for ours, h := range p.hands {
		h.stop()
		delete(p.hands, ours)
	}
	p.w.waitUntil("the workers to be gone", func() bool { return len(p.workerConns()) == 0 })
	if p.lost { // its lock is about to end
		p.w.waitUntil("the lost lock to end", func() bool {
			for _, id := range p.w.rdb.LRange(p.w.ctx, p.key("active"), 0, -1).Val() {
				if p.w.rdb.Exists(p.w.ctx, p.key(id+":lock")).Val() == 1 {
					return false
				}
			}
			return true
		})
	}
	seen := &complaints{TB: p.w.t}
	// Jobs of any priority go through Node's retryJobs, promoteJobs and recovery.
	forgiven := []known{priorityInWait, delayKept}
	if p.nodeCame {
		forgiven = append(forgiven, markerTaken)
	}
	checkInvariants(seen, p.w.rdb, p.base.String(), forgiven...)
	node, ours := p.counts(), p.ourCounts()
	node["waiting"] += node["paused"]
	for state, n := range ours {
		if node[state] != n {
			seen.Errorf("%d jobs are %s by Node, %d by ours", node[state], state, n)
		}
	}
	if len(seen.all) > 0 {
		p.rt.Fatalf("after\n\t%s\nnot so:\n\t%s", strings.Join(p.done, "\n\t"), strings.Join(seen.all, "\n\t"))
	}
}

// expectedComplaint is what Node says of a parent that was retried while its children are not well.
var expectedComplaint = regexp.MustCompile(`has pending dependencies|has at least one failed child`)

// finish lets both kinds of worker work the queue dry.
func (p *program) finish() {
	p.w.t.Helper()
	p.rest()
	p.w.must(p.q.Resume(p.w.ctx))
	for _, ours := range []bool{false, true} {
		p.come(ours)
	}
	p.w.waitUntil("an empty queue after\n\t"+strings.Join(p.done, "\n\t"), func() bool {
		c, err := p.q.Counts(p.w.ctx)
		p.w.must(err)
		first := p.w.rdb.ZRangeWithScores(p.w.ctx, p.key("delayed"), 0, 0).Val()
		soonDue := len(first) > 0 && first[0].Score/4096 < float64(time.Now().Add(10*time.Minute).UnixMilli())
		return c.Waiting+c.Prioritized+c.Active == 0 && !soonDue
	})
	p.rest()
	var jobs []jobJSON
	p.call("getJobs", args{"start": 0, "end": -1}, &jobs)
	for _, n := range p.w.peer.notices() {
		if strings.HasSuffix(n.Event, "Error") && !expectedComplaint.MatchString(n.Message) {
			p.rt.Fatalf("after\n\t%s\nNode complains: %+v", strings.Join(p.done, "\n\t"), n)
		}
	}
}

// Random programs of Node's operations and ours leave every queue in order, and all work done.
func TestRandomProgramsKeepTheQueueInOrder(t *testing.T) {
	t.Logf("again with -rapid.seed=%s", flag.Lookup("rapid.seed").Value)
	eachWorld(t, func(w *world) {
		operations := slices.Concat(addOperations(), changeOperations(), queueOperations(), crewOperations())
		rapid.Check(w.t, func(rt *rapid.T) {
			p := &program{line: w.fresh(), rt: rt, hands: map[bool]*hand{}}
			defer func() {
				for _, h := range p.hands {
					h.stop()
				}
			}()
			for range programSteps {
				o := rapid.SampledFrom(operations).Draw(rt, "operation")
				who, play := "node", o.node
				if rapid.Bool().Draw(rt, "ours") {
					who, play = "ours", o.ours
				}
				text := who + ": " + o.name
				if err := play(p); err != nil {
					text += " (" + err.Error() + ")"
				}
				p.done = append(p.done, text)
			}
			p.finish()
		})
	})
}
