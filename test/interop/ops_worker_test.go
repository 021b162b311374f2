package interop

import (
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/qctl/qctl/internal/cron"
	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/worker"
)

// crew are the settings of a worker, by BullMQ's names; what is not said is BullMQ's default.
type crew args

// number is one of the settings.
func (c crew) number(name string, otherwise int) int {
	if n, ok := c[name].(int); ok {
		return n
	}
	return otherwise
}

// inside is a number within one of the settings.
func (c crew) inside(name, field string) int {
	of, _ := c[name].(args)
	return crew(of).number(field, 0)
}

// claim is what our engine is asked for in the place of a Node worker.
func (c crew) claim(n int, token string) queue.ClaimRequest {
	r := queue.ClaimRequest{N: n, Token: token, Lock: millisecond(int64(c.number("lockDuration", 30_000)))}
	r.Worker, _ = c["name"].(string)
	if c["limiter"] != nil {
		r.Limiter = &queue.Limiter{Max: c.inside("limiter", "max"), Duration: millisecond(int64(c.inside("limiter", "duration")))}
	}
	return r
}

// policy is what our worker adds to a job's options.
func (c crew) policy(s *stage) worker.Policy {
	keep := func(name string) *queue.Keep {
		rule, set := c[name]
		if !set {
			return nil
		}
		var k queue.Keep
		s.must(k.UnmarshalJSON(text(rule)))
		return &k
	}
	return worker.Policy{
		Completed: keep("removeOnComplete"), Failed: keep("removeOnFail"), Random: func() float64 { return luck },
	}
}

// seen is what a worker is told of a job that it has taken.
func seen(id, name string, made, started int) string {
	return fmt.Sprintf("%s %s, made %d, started %d", id, name, made, started)
}

func (s *stage) theirs(job *jobJSON) any {
	if job == nil {
		return nil
	}
	return seen(job.ID, job.Name, job.AttemptsMade, job.AttemptsStarted)
}

// took remembers what our claim has brought and lets schedulers go on, as a worker does.
func (s *stage) took(q place, claimed queue.Claimed) []any {
	s.t.Helper()
	var all []any
	for i := range claimed.Jobs {
		job := claimed.Jobs[i]
		s.held[string(q)+":"+job.ID] = &job
		_, err := s.q(string(q)).ContinueSchedule(s.ctx, job, cron.NextRun)
		s.must(err)
		all = append(all, seen(job.ID, job.Name, job.AttemptsMade, job.AttemptsStarted))
	}
	return all
}

// takes lets a worker with these settings ask for n jobs. Node asks n times, our engine once.
func (q place) takes(n int, token string, by crew) op {
	return op{
		fmt.Sprintf("take %d with token %s, %v", n, token, by),
		func(s *stage) any {
			var all []any
			hand := s.handFor(string(q), args(by))
			for range n {
				var job *jobJSON
				if refused := s.ask("fetch", args{"hand": hand, "token": token}, &job); refused != nil {
					return refused
				}
				if job != nil {
					all = append(all, s.theirs(job))
				}
			}
			return all
		},
		func(s *stage) any {
			var all []any
			for len(all) < n {
				claimed, err := s.q(string(q)).Claim(s.ctx, by.claim(n-len(all), token))
				if err != nil {
					return told(err)
				}
				took := s.took(q, claimed)
				failed := s.failDeferred(q, claimed, by)
				all = append(all, took[failed:]...)
				if failed == 0 {
					break
				}
			}
			return all
		},
	}
}

// failDeferred fails what was taken only for that. A hand of BullMQ 5 does so by itself, one of version 6 leaves it
// to who processes the job.
func (s *stage) failDeferred(q place, claimed queue.Claimed, by crew) int {
	s.t.Helper()
	failed := 0
	for _, job := range claimed.Jobs {
		if s.peer.major == 5 && job.HasDeferredFailure {
			e := end{fail: job.DeferredFailure, fatal: true, token: job.Token, by: by}
			if refused := s.settle(q, worker.Decide(s.jobOf(q, job.ID, e.token), nil, e.failure(), by.policy(s)), e); refused != nil {
				s.t.Errorf("fail %s: %v", job.ID, refused)
			}
			failed++
		}
	}
	return failed
}

// take is takes for one job and the token "t".
func (q place) take() op { return q.takes(1, "t", nil) }

// end is how a job comes to its end.
type end struct {
	value any    // of one that completed
	fail  string // the message of one that failed
	fatal bool   // the failure is unrecoverable
	next  bool   // take the next job in the same step
	token string // "t" when empty
	by    crew
}

// failure is what our handler returns where Node's throws.
func (e end) failure() *worker.Failure {
	name := "Error"
	if e.fatal {
		name = "UnrecoverableError"
	}
	return &worker.Failure{Reason: e.fail, Stack: name + ": " + e.fail, Unrecoverable: e.fatal}
}

// ends is the end of a job that was taken before.
func (q place) ends(id string, e end) op {
	if e.token == "" {
		e.token = "t"
	}
	return op{
		fmt.Sprintf("end %s, %+v", id, e),
		func(s *stage) any {
			with := args{"hand": s.handFor(string(q), args(e.by)), "jobId": id, "token": e.token, "next": e.next}
			request := "complete"
			if e.fail != "" {
				request = "fail"
				maps.Copy(with, args{"message": e.fail, "unrecoverable": e.fatal})
			} else {
				with["value"] = e.value
			}
			var job *jobJSON
			if refused := s.ask(request, with, &job); refused != nil {
				return refused
			}
			return s.theirs(job)
		},
		func(s *stage) any {
			job := s.jobOf(q, id, e.token)
			var err error
			if e.fail != "" {
				err = e.failure()
			}
			return s.settle(q, worker.Decide(job, text(e.value), err, e.by.policy(s)), e)
		},
	}
}

// done is ends for a job that completes with nothing.
func (q place) done(id string) op { return q.ends(id, end{}) }

// failed is ends for a job that fails.
func (q place) failed(id string) op { return q.ends(id, end{fail: "boom"}) }

// jobOf is the job as our claim has brought it, or as it stands when it was taken before the row began. The token
// is the caller's, be it right or wrong.
func (s *stage) jobOf(q place, id, token string) *queue.Job {
	s.t.Helper()
	key := string(q) + ":" + id
	job := s.held[key]
	delete(s.held, key)
	if job == nil {
		adopted, err := s.q(string(q)).Adopt(s.ctx, token, 100)
		s.must(err)
		for i := range adopted {
			if adopted[i].ID == id {
				job = &adopted[i]
			}
		}
	}
	if job == nil {
		job = &queue.Job{ID: id}
	}
	job.Token = token
	return job
}

// settle records one outcome by our engine.
func (s *stage) settle(q place, outcome queue.Outcome, e end) any {
	s.t.Helper()
	opts := queue.SettleOptions{MetricsPoints: e.by.inside("metrics", "maxDataPoints")}
	if e.next {
		next := e.by.claim(1, e.token)
		opts.Next = &next
	}
	settled, err := s.q(string(q)).Settle(s.ctx, []queue.Outcome{outcome}, opts)
	if refused := first(settled.Errs, err); refused != nil {
		return refused
	}
	if all := s.took(q, settled.Claimed); len(all) > 0 {
		return all[0]
	}
	return nil
}

// postpones is a job that its handler delays.
func (q place) postpones(id string, ms int64) op {
	return op{
		fmt.Sprintf("postpone %s by %d ms", id, ms),
		func(s *stage) any {
			return s.ask("postpone", args{"hand": s.handFor(string(q), nil), "jobId": id, "token": "t", "at": s.now.Load() + ms}, nil)
		},
		func(s *stage) any {
			job := s.jobOf(q, id, "t")
			return s.settle(q, queue.Outcome{Kind: queue.Postpone, ID: id, Job: job, Token: "t", Delay: millisecond(ms)}, end{})
		},
	}
}

// givesBack is a job that its worker puts back to wait.
func (q place) givesBack(id string) op {
	return op{
		"give back " + id,
		func(s *stage) any {
			return s.ask("giveBack", args{"hand": s.handFor(string(q), nil), "jobId": id, "token": "t"}, nil)
		},
		func(s *stage) any {
			return s.settle(q, worker.Decide(s.jobOf(q, id, "t"), nil, worker.ErrStopped, worker.Policy{}), end{})
		},
	}
}

// extends renews locks; the answer says whose lock was not renewed.
func (q place) extends(token string, ms int, all ...string) op {
	return op{
		fmt.Sprint("extend ", all),
		func(s *stage) any {
			tokens := make([]string, len(all))
			for i := range tokens {
				tokens[i] = token
			}
			var lost []string
			with := args{"hand": s.handFor(string(q), nil), "jobIds": all, "tokens": tokens, "ms": ms}
			if refused := s.ask("extendLocks", with, &lost); refused != nil {
				return refused
			}
			return fmt.Sprint(lost)
		},
		func(s *stage) any {
			locks := s.q(string(q)).Locks()
			held := make([]queue.Held, len(all))
			for i, id := range all {
				held[i] = queue.Held{ID: id, Token: token}
			}
			lost, err := locks.Extend(s.ctx, held, millisecond(int64(ms)))
			s.must(errors.Join(err, locks.Close()))
			names := []string{}
			for _, h := range lost {
				names = append(names, h.ID)
			}
			return fmt.Sprint(names)
		},
	}
}

// checksStalled is a stalled check by a worker that allows so many stalls.
func (q place) checksStalled(most int) op {
	return op{
		fmt.Sprintf("look for stalled jobs, %d allowed", most),
		func(s *stage) any {
			return s.ask("checkStalled", args{"hand": s.handFor(string(q), args{"maxStalledCount": most})}, nil)
		},
		func(s *stage) any {
			_, err := s.q(string(q)).RecoverStalled(s.ctx, 30*time.Second, most)
			return told(err)
		},
	}
}
