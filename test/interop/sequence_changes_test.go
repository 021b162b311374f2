package interop

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// removals are what Node's release of a parent does not care about.
var removals = []known{priorityInWait, delayKept, silentRelease}

func changeOperations() []operation {
	return []operation{
		{name: "promote", node: func(p *program) error { return p.ask("promote", args{"jobId": p.anyID()}, nil) }, ours: func(p *program) error {
			return p.refused(p.q.Promote(p.w.ctx, []string{p.anyID()}))
		}},
		{name: "retry", weight: 2, breaks: []known{priorityInWait}, node: func(p *program) error {
			opts := args{"resetAttemptsMade": p.pick(2) == 1}
			opts["resetAttemptsStarted"] = opts["resetAttemptsMade"]
			return p.ask("retry", args{"jobId": p.anyID(), "state": one(p, "failed", "completed"), "opts": opts}, nil)
		}, ours: func(p *program) error {
			from := one(p, queue.StateFailed, queue.StateCompleted)
			return p.refused(p.q.Retry(p.w.ctx, from, []string{p.anyID()}, queue.RetryOptions{ResetAttempts: p.pick(2) == 1}))
		}},
		{name: "remove", weight: 2, breaks: removals, node: func(p *program) error {
			return p.ask("remove", args{"jobId": p.anyID(), "opts": args{"removeChildren": p.pick(2) == 1}}, nil)
		}, ours: func(p *program) error {
			return p.refused(p.q.Remove(p.w.ctx, []string{p.anyID()}, queue.RemoveOptions{Children: p.pick(2) == 1}))
		}},
		{name: "change-priority", breaks: []known{priorityInWait}, node: func(p *program) error {
			return p.ask("changePriority", args{"jobId": p.anyID(), "opts": args{"priority": p.pick(4), "lifo": p.pick(2) == 1}}, nil)
		}, ours: func(p *program) error {
			return p.refused(nil, p.q.ChangePriority(p.w.ctx, p.anyID(), p.pick(4), p.pick(2) == 1))
		}},
		{name: "change-delay", node: func(p *program) error {
			return p.ask("changeDelay", args{"jobId": p.anyID(), "delay": one(p, 0, 20, hour)}, nil)
		}, ours: func(p *program) error {
			return p.refused(nil, p.q.ChangeDelay(p.w.ctx, p.anyID(), one(p, 0, 20*time.Millisecond, time.Hour)))
		}},
		{name: "report", node: func(p *program) error {
			id := p.anyID()
			return errors.Join(
				p.ask("updateProgress", args{"jobId": id, "progress": 5}, nil), p.ask("log", args{"jobId": id, "row": "x"}, nil),
				p.ask("updateData", args{"jobId": id, "data": args{"new": true}}, nil), p.ask("clearLogs", args{"jobId": id, "keep": 2}, nil),
			)
		}, ours: func(p *program) error {
			id := p.anyID()
			_, err := p.q.AppendLogs(p.w.ctx, id, []string{"x", "y"}, 3)
			return p.refused([]error{
				err, p.q.UpdateProgress(p.w.ctx, id, json.RawMessage(`{"x":1}`)),
				p.q.UpdateData(p.w.ctx, id, json.RawMessage(`{"new":[]}`)), p.q.ClearLogs(p.w.ctx, id, 2),
			}, nil)
		}},
		{name: "detach", breaks: removals, node: func(p *program) error {
			return p.ask("removeChildDependency", args{"jobId": p.anyID()}, nil)
		}},
		{name: "remove-unprocessed", breaks: removals, node: func(p *program) error {
			return p.ask("removeUnprocessedChildren", args{"jobId": p.anyID()}, nil)
		}},
	}
}

func queueOperations() []operation {
	cleanable := []string{"completed", "failed", "delayed", "prioritized", "waiting", "active"}
	return []operation{
		{name: "retry-all", breaks: []known{priorityInWait}, node: func(p *program) error {
			return p.ask("retryJobs", args{"opts": args{"state": one(p, "failed", "failed", "completed")}}, nil)
		}, ours: func(p *program) error {
			return p.q.Scan(p.w.ctx, queue.ScanRequest{State: queue.StateFailed}, func(ids []string) ([]string, error) {
				return nil, p.refused(p.q.Retry(p.w.ctx, queue.StateFailed, ids, queue.RetryOptions{}))
			})
		}},
		{name: "promote-all", breaks: []known{priorityInWait, delayKept}, node: func(p *program) error { return p.ask("promoteJobs", nil, nil) }, ours: func(p *program) error {
			return p.q.Scan(p.w.ctx, queue.ScanRequest{State: queue.StateDelayed}, func(ids []string) ([]string, error) {
				return nil, p.refused(p.q.Promote(p.w.ctx, ids))
			})
		}},
		{name: "clean", breaks: removals, node: func(p *program) error {
			state := strings.Replace(one(p, cleanable...), "waiting", "wait", 1)
			return p.ask("clean", args{"grace": 0, "limit": p.pick(4), "type": state}, nil)
		}, ours: func(p *program) error {
			_, err := p.q.Clean(p.w.ctx, queue.CleanOptions{State: queue.State(one(p, cleanable...)), Limit: p.pick(4), Keep: p.pick(2)})
			return p.refused(nil, err)
		}},
		{name: "drain", breaks: append(removals, ghost, lost), node: func(p *program) error {
			return p.ask("drain", args{"delayed": p.pick(2) == 1}, nil)
		}, ours: func(p *program) error {
			_, err := p.q.Drain(p.w.ctx, queue.DrainOptions{Delayed: p.pick(2) == 1})
			return p.refused(nil, err)
		}},
		{name: "pause", node: func(p *program) error { return p.paused(p.pauser().try("pause", p.with(nil), nil)) }, ours: func(p *program) error {
			return p.paused(p.refused(nil, p.q.Pause(p.w.ctx)))
		}},
		{name: "resume", weight: 2, node: nodeResumes, ours: func(p *program) error {
			return p.resumed(p.refused(nil, p.q.Resume(p.w.ctx)))
		}},
		{name: "limit", node: nodeLimits, ours: weLimit},
		{name: "obliterate", breaks: removals, node: nodeObliterates, ours: weObliterate},
	}
}

// pauser is the peer that may pause and resume: with version 6 around, version 5 would lose jobs.
func (p *program) pauser() *peer { return p.peers[0] }

// paused holds what is true right after a pause: nothing wakes a worker.
func (p *program) paused(err error) error {
	p.ok(err)
	if p.idle() && p.w.rdb.Exists(p.w.ctx, p.key("marker")).Val() == 1 {
		p.fail("%s was paused and has a marker", p.base)
	}
	return nil
}

// nodeResumes: version 5 looks for jobs to wake a worker for in its list of paused jobs and among the prioritized ones,
// not in wait, where version 6 and an engine that follows it may have left them (wire section 0.2).
func nodeResumes(p *program) error {
	looked := p.pauser().major != 5 ||
		p.w.rdb.Exists(p.w.ctx, p.key("paused"), p.key("prioritized")).Val() > 0
	err := p.pauser().try("resume", p.with(nil), nil)
	if !looked {
		p.ok(err)
		return nil
	}
	return p.resumed(err)
}

// resumed holds what is true right after a resume: waiting jobs wake a worker.
func (p *program) resumed(err error) error {
	p.ok(err)
	if !p.idle() {
		return nil
	}
	waiting := p.w.rdb.LLen(p.w.ctx, p.key("wait")).Val() + p.w.rdb.ZCard(p.w.ctx, p.key("prioritized")).Val()
	if waiting > 0 && p.w.rdb.ZScore(p.w.ctx, p.key("marker"), "0").Err() != nil {
		p.fail("%s was resumed with %d jobs and has no marker", p.base, waiting)
	}
	return nil
}

// Limits are of a size that programs reach.
func nodeLimits(p *program) error {
	p.boundNow()
	switch p.pick(5) {
	case 0:
		return p.ask("setGlobalConcurrency", args{"concurrency": 1 + p.pick(3)}, nil)
	case 1:
		return p.ask("removeGlobalConcurrency", nil, nil)
	case 2:
		return p.ask("setGlobalRateLimit", args{"max": 1 + p.pick(3), "duration": 30}, nil)
	case 3:
		return p.ask("removeGlobalRateLimit", nil, nil)
	}
	return p.ask("rateLimit", args{"ms": 5 + p.pick(30)}, nil)
}

func weLimit(p *program) error {
	p.boundNow()
	switch p.pick(4) {
	case 0:
		n := 1 + p.pick(3)
		return p.refused(nil, p.q.SetConcurrency(p.w.ctx, &n))
	case 1:
		return p.refused(nil, p.q.SetConcurrency(p.w.ctx, nil))
	case 2:
		return p.refused(nil, p.q.SetRate(p.w.ctx, &queue.Limiter{Max: 1 + p.pick(3), Duration: 30 * time.Millisecond}))
	}
	return p.refused(nil, p.q.SetRate(p.w.ctx, nil))
}

// boundNow notes how many jobs are active before there is a limit.
func (p *program) boundNow() { p.bound = int(p.w.rdb.LLen(p.w.ctx, p.key("active")).Val()) }

func nodeObliterates(p *program) error {
	p.rest() // with the version gone from meta, nobody must write until the queue is opened again
	p.since["obliterate"] = true
	return p.obliterated(p.pauser().try("obliterate", p.with(args{"opts": args{"force": p.pick(2) == 1}}), nil), true)
}

func weObliterate(p *program) error {
	p.rest()
	_, err := p.q.Obliterate(p.w.ctx, queue.ObliterateOptions{Force: p.pick(2) == 1})
	return p.obliterated(err, false)
}

// obliterated looks at what is left, and starts again. BullMQ leaves parents that wait, deduplication keys and the
// limiter; nobody finds a job that a drain of Node's lost. The queue is opened again, as a service would do that goes on
// with it: BullMQ deletes the version in meta too, and writes it only when a queue is opened.
func (p *program) obliterated(err error, byNode bool) error {
	if err != nil || !p.idle() {
		return err
	}
	c, err := readContentsAfter(p.w.ctx, p.w.rdb, p.base.String(), nil)
	p.ok(err)
	parents := c.ids("waiting-children")
	_, err = p.q.Remove(p.w.ctx, parents, queue.RemoveOptions{}) // parents of theirs elsewhere wait no longer
	p.ok(err)
	for suffix := range c.ttls {
		id, _, _ := strings.Cut(suffix, ":")
		switch {
		case p.belongsToLost(suffix):
		case !byNode:
			p.fail("%s was obliterated and has still %s", p.base, suffix)
		case suffix == "waiting-children", suffix == "limiter", id == "de", id == "dn", strings.HasSuffix(suffix, ":lock"):
		case !slices.Contains(parents, id):
			p.fail("%s was obliterated by Node and has still %s", p.base, suffix)
		}
		p.w.rdb.Del(p.w.ctx, p.key(suffix))
	}
	p.ids, p.held, p.bound = nil, nil, 0
	clear(p.excused)
	p.streamReset()
	p.open()
	return nil
}

// belongsToLost reports whether a key is one of a job that a drain of Node's lost.
func (p *program) belongsToLost(suffix string) bool {
	for id := range p.excused[lost] {
		if suffix == id || strings.HasPrefix(suffix, id+":") {
			return true
		}
	}
	return false
}
