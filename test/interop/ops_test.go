package interop

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// place is the name of a queue, as the operations of rows have it.
type place string

// mail is the queue of most rows.
const mail place = "q"

// minute and the like are ms, as requests have them.
const minute = 60_000

// text is a value as JavaScript writes it.
func text(v any) json.RawMessage {
	if raw, ok := v.(json.RawMessage); ok {
		return raw
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // a row is not well written
	}
	// Go escapes the two ends of a line that JavaScript leaves alone.
	plain := strings.NewReplacer(`\u2028`, "\u2028", `\u2029`, "\u2029").Replace(buf.String())
	return json.RawMessage(strings.TrimSpace(plain))
}

// newJob is a job of a request as our engine takes it.
func newJob(job args) (queue.NewJob, error) {
	n := queue.NewJob{}
	n.Name, _ = job["name"].(string)
	if data, given := job["data"]; given {
		n.Data = text(data)
	}
	var err error
	if opts, _ := job["opts"].(args); len(opts) > 0 {
		n.Opts, err = queue.ParseOptions(text(opts), true)
	}
	return n, err
}

// adds is one call that adds the jobs.
func (q place) adds(jobs ...args) op {
	return op{
		fmt.Sprint("add ", jobs),
		func(s *stage) any {
			var added []jobJSON
			if len(jobs) == 1 { // of a refused job, addBulk answers its code as the id
				added = make([]jobJSON, 1)
				if refused := s.ask("add", on(string(q), jobs[0]), &added[0]); refused != nil {
					return plainRefusal(refused)
				}
				return ids(added)
			}
			if refused := s.ask("addBulk", on(string(q), args{"jobs": jobs}), &added); refused != nil {
				return plainRefusal(refused)
			}
			return ids(added)
		},
		func(s *stage) any {
			all := make([]queue.NewJob, len(jobs))
			for i, job := range jobs {
				var err error
				if all[i], err = newJob(job); err != nil {
					return told(err)
				}
			}
			added, err := s.q(string(q)).AddBulk(s.ctx, all)
			if err != nil {
				return told(err)
			}
			got := make([]string, len(added))
			for i, a := range added {
				got[i] = a.ID
			}
			return got
		},
	}
}

// add is adds for one job with these options.
func (q place) add(name string, opts args) op {
	return q.adds(args{"name": name, "data": args{"n": name}, "opts": opts})
}

// asks is a request to the peer that answers nothing, beside a call of ours.
func (q place) asks(name, request string, with args, ours func(s *stage, q *queue.Queue) any) op {
	return op{
		fmt.Sprint(name, " ", with),
		func(s *stage) any { return plainRefusal(s.ask(request, on(string(q), with), nil)) },
		func(s *stage) any { return ours(s, s.q(string(q))) },
	}
}

// of is asks about one job.
func (q place) of(id, name, request string, with args, ours func(s *stage, q *queue.Queue) any) op {
	more := args{"jobId": id}
	for name, value := range with {
		more[name] = value
	}
	return q.asks(name, request, more, ours)
}

func (q place) promotes(id string) op {
	return q.of(id, "promote", "promote", nil, func(s *stage, q *queue.Queue) any {
		return first(q.Promote(s.ctx, []string{id}))
	})
}

// promotesAll makes every delayed job wait; these are they, the earliest due first.
func (q place) promotesAll(all ...string) op {
	return q.asks("promote all", "promoteJobs", nil, func(s *stage, q *queue.Queue) any {
		return first(q.Promote(s.ctx, all))
	})
}

func (q place) changesDelay(id string, ms int64) op {
	return q.of(id, "change the delay", "changeDelay", args{"delay": ms}, func(s *stage, q *queue.Queue) any {
		return told(q.ChangeDelay(s.ctx, id, millisecond(ms)))
	})
}

func (q place) changesPriority(id string, priority int, lifo bool) op {
	opts := args{"priority": priority}
	if lifo {
		opts["lifo"] = true
	}
	return q.of(id, "change the priority", "changePriority", args{"opts": opts}, func(s *stage, q *queue.Queue) any {
		return told(q.ChangePriority(s.ctx, id, priority, lifo))
	})
}

func (q place) updatesData(id string, data any) op {
	return q.of(id, "update the data", "updateData", args{"data": data}, func(s *stage, q *queue.Queue) any {
		return told(q.UpdateData(s.ctx, id, text(data)))
	})
}

func (q place) updatesProgress(id string, progress any) op {
	return q.of(id, "update the progress", "updateProgress", args{"progress": progress}, func(s *stage, q *queue.Queue) any {
		return told(q.UpdateProgress(s.ctx, id, text(progress)))
	})
}

// logs appends a row; keep is the job's keepLogs, which Node reads by itself.
func (q place) logs(id, row string, keep int) op {
	return op{
		"log " + row,
		func(s *stage) any {
			var n any
			if refused := s.ask("log", on(string(q), args{"jobId": id, "row": row}), &n); refused != nil {
				return refused
			}
			return n
		},
		func(s *stage) any {
			n, err := s.q(string(q)).AppendLogs(s.ctx, id, []string{row}, keep)
			if err != nil {
				return told(err)
			}
			return n
		},
	}
}

func (q place) clearsLogs(id string, keep int) op {
	with := args{}
	if keep > 0 {
		with["keep"] = keep
	}
	return q.of(id, "clear the logs", "clearLogs", with, func(s *stage, q *queue.Queue) any {
		return told(q.ClearLogs(s.ctx, id, keep))
	})
}

// retries retries one finished job.
func (q place) retries(id, state string, reset bool) op {
	with := args{"state": state}
	if reset {
		with["opts"] = args{"resetAttemptsMade": true, "resetAttemptsStarted": true}
	}
	return q.of(id, "retry", "retry", with, func(s *stage, q *queue.Queue) any {
		return first(q.Retry(s.ctx, queue.State(state), []string{id}, queue.RetryOptions{ResetAttempts: reset}))
	})
}

// retriesAll retries every job of a state; these are they, the oldest first.
func (q place) retriesAll(state string, all ...string) op {
	return q.asks("retry all", "retryJobs", args{"opts": args{"state": state}}, func(s *stage, q *queue.Queue) any {
		return first(q.Retry(s.ctx, queue.State(state), all, queue.RetryOptions{}))
	})
}

// removes removes a job, with or without its children. Node tells of a lock by answering 0.
func (q place) removes(id string, children bool) op {
	with := on(string(q), args{"jobId": id, "opts": args{"removeChildren": children}})
	return op{
		fmt.Sprint("remove ", with),
		func(s *stage) any {
			var removed int
			if refused := s.ask("remove", with, &removed); refused != nil {
				return refused
			}
			if removed == 0 {
				return "locked"
			}
			return nil
		},
		func(s *stage) any {
			return first(s.q(string(q)).Remove(s.ctx, []string{id}, queue.RemoveOptions{Children: children}))
		},
	}
}

// cleans removes old jobs; the answer is how many.
func (q place) cleans(state string, grace int64, limit int) op {
	nodes := state
	if state == "waiting" {
		nodes = "wait"
	}
	with := on(string(q), args{"grace": grace, "limit": limit, "type": nodes})
	return op{
		fmt.Sprint("clean ", with),
		func(s *stage) any {
			var removed []string
			if refused := s.ask("clean", with, &removed); refused != nil {
				return plainRefusal(refused)
			}
			return len(removed)
		},
		func(s *stage) any {
			n, err := s.q(string(q)).Clean(s.ctx, queue.CleanOptions{State: queue.State(state), OlderThan: millisecond(grace), Limit: limit})
			if err != nil {
				return told(err)
			}
			return n
		},
	}
}

func (q place) drains(delayed bool) op {
	return q.asks("drain", "drain", args{"delayed": delayed}, func(s *stage, q *queue.Queue) any {
		_, err := q.Drain(s.ctx, queue.DrainOptions{Delayed: delayed})
		return told(err)
	})
}

func (q place) obliterates(force bool) op {
	return q.asks("obliterate", "obliterate", args{"opts": args{"force": force}}, func(s *stage, q *queue.Queue) any {
		_, err := q.Obliterate(s.ctx, queue.ObliterateOptions{Force: force})
		return plainRefusal(told(err))
	})
}

func (q place) pauses() op {
	return q.asks("pause", "pause", nil, func(s *stage, q *queue.Queue) any { return told(q.Pause(s.ctx)) })
}

func (q place) resumes() op {
	return q.asks("resume", "resume", nil, func(s *stage, q *queue.Queue) any { return told(q.Resume(s.ctx)) })
}

// limits sets how many jobs may be active at one time; 0 removes the limit.
func (q place) limits(concurrency int) op {
	if concurrency == 0 {
		return q.asks("unlimit", "removeGlobalConcurrency", nil, func(s *stage, q *queue.Queue) any {
			return told(q.SetConcurrency(s.ctx, nil))
		})
	}
	return q.asks("limit", "setGlobalConcurrency", args{"concurrency": concurrency}, func(s *stage, q *queue.Queue) any {
		return told(q.SetConcurrency(s.ctx, &concurrency))
	})
}

// rates sets how many jobs may start in so many ms; 0 removes the limit.
func (q place) rates(most int, ms int64) op {
	if most == 0 {
		return q.asks("unlimit the rate", "removeGlobalRateLimit", nil, func(s *stage, q *queue.Queue) any {
			return told(q.SetRate(s.ctx, nil))
		})
	}
	return q.asks("limit the rate", "setGlobalRateLimit", args{"max": most, "duration": ms}, func(s *stage, q *queue.Queue) any {
		return told(q.SetRate(s.ctx, &queue.Limiter{Max: most, Duration: millisecond(ms)}))
	})
}

// passes lets time go by.
func passes(ms int64) op {
	return op{
		fmt.Sprintf("%d ms pass", ms),
		func(s *stage) any { s.setClock(s.now.Load() + ms); return nil },
		func(*stage) any { return nil },
	}
}

// does sends a command to both databases, for what only foreign clients or a crash leave behind.
func does(command ...any) op {
	return op{
		fmt.Sprint(command...),
		func(s *stage) any { s.must(s.a.Do(s.ctx, command...).Err()); return nil },
		func(s *stage) any { s.must(s.b.Do(s.ctx, command...).Err()); return nil },
	}
}

// keepsHold lets Node act on a job later as it is now, also when it is gone.
func (q place) keepsHold(id string) op {
	return op{
		"hold on to " + id,
		func(s *stage) any { return s.ask("keepJob", on(string(q), args{"jobId": id}), nil) },
		func(*stage) any { return nil },
	}
}

func millisecond(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
