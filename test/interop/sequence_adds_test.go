package interop

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// operations are all that programs are made of. The first is in every program.
func operations() []operation {
	return slices.Concat(addOperations(), changeOperations(), queueOperations(), scheduleOperations(), handOperations())
}

// job draws a job to add, for Node and for our engine.
func (p *program) job() (args, queue.NewJob) {
	s := steps{Return: p.pick(10), Fail: p.pick(3)}
	o := queue.JobOptions{
		Priority: one(p, 0, 0, 1, 7),
		Delay:    one(p, 0, 0, 20*time.Millisecond, time.Hour),
		Attempts: p.pick(4),
		LIFO:     p.pick(2) == 1,
		ID:       one(p, "", "", "own-1", "own-2", "own-3"),
	}
	if o.ID != "" && p.isGhost(o.ID) {
		o.ID = "" // the id would be listed twice
	}
	if p.pick(2) == 1 {
		o.Backoff = &queue.Backoff{Type: "fixed", Delay: 10 * time.Millisecond}
	}
	switch p.pick(12) {
	case 0:
		o.KeepCompleted, o.KeepFailed = queue.KeepNewest(2, 0), queue.KeepNewest(0, 0)
	case 1:
		o.KeepCompleted, o.KeepFailed = queue.KeepNewest(0, 0), queue.KeepNewest(1, time.Hour)
	case 2:
		o.StackTraceLimit, o.KeepLogs = new(int), 2
	case 3:
		o.Timestamp = time.Now().Add(-time.Minute)
	}
	data, err := json.Marshal(args{"do": s})
	p.ok(err)
	return do("job", s, p.optsOf(o)), queue.NewJob{Name: "job", Data: data, Opts: o}
}

// isGhost reports whether a drain of Node's left the id without a job among the waiting ones.
func (p *program) isGhost(id string) bool {
	rdb, ctx := p.w.rdb, p.w.ctx
	if rdb.Exists(ctx, p.key(id)).Val() == 1 {
		return false
	}
	return slices.Contains(append(rdb.LRange(ctx, p.key("wait"), 0, -1).Val(), rdb.LRange(ctx, p.key("paused"), 0, -1).Val()...), id)
}

// optsOf are our options as Node takes them.
func (p *program) optsOf(o queue.JobOptions) (opts args) {
	text, err := json.Marshal(o)
	p.ok(err)
	p.ok(json.Unmarshal(text, &opts))
	if kept, ok := opts["kl"]; ok {
		delete(opts, "kl")
		opts["keepLogs"] = kept
	}
	return opts
}

func (p *program) nodeAddsAll(jobs ...args) error {
	var added []jobJSON
	err := p.ask("addBulk", args{"jobs": jobs}, &added)
	if err == nil {
		p.remember(ids(added)...)
	}
	return err
}

func (p *program) weAddAll(jobs ...queue.NewJob) error {
	added, err := p.q.AddBulk(p.w.ctx, jobs)
	for _, a := range added {
		p.remember(a.ID)
	}
	return p.refused(nil, err)
}

func addOperations() []operation {
	jobs := func(p *program) (node []args, ours []queue.NewJob) {
		for range 1 + p.pick(4) {
			a, b := p.job()
			node, ours = append(node, a), append(ours, b)
		}
		return node, ours
	}
	many := func(p *program) (node []args, ours []queue.NewJob) {
		priority := p.pick(3)
		for i := range 20 + p.pick(20) {
			node = append(node, args{"name": "many", "data": i, "opts": args{"priority": priority}})
			data := json.RawMessage(fmt.Sprint(i))
			ours = append(ours, queue.NewJob{Name: "many", Data: data, Opts: queue.JobOptions{Priority: priority}})
		}
		return node, ours
	}
	return []operation{
		{name: "add", weight: 6, node: func(p *program) error {
			all, _ := jobs(p)
			return p.nodeAddsAll(all...)
		}, ours: func(p *program) error {
			_, all := jobs(p)
			return p.weAddAll(all...)
		}},
		{name: "add-many", node: func(p *program) error {
			all, _ := many(p)
			return p.nodeAddsAll(all...)
		}, ours: func(p *program) error {
			_, all := many(p)
			return p.weAddAll(all...)
		}},
		{name: "deduplicate", weight: 2, node: nodeDeduplicates, breaks: []known{delayKept, priorityInWait}},
		{name: "free-deduplication", node: func(p *program) error {
			return p.ask("removeDeduplicationKey", args{"deduplicationId": one(p, "d1", "d2", "d3")}, nil)
		}},
		{name: "add-flow", weight: 2, node: func(p *program) error {
			return p.ask("addFlow", args{"flow": p.flow(0)}, nil)
		}},
		{name: "add-child", node: func(p *program) error {
			child, _ := p.job()
			opts, _ := child["opts"].(args)
			if option := p.childOption(); option != "" {
				opts[option] = true
			}
			parent := p.queues[p.pick(2)]
			opts["parent"] = args{"id": p.idOf(parent), "queue": parent.base.String()}
			return p.nodeAddsAll(child)
		}},
	}
}

// deduplication draws one of its forms.
func (p *program) deduplication() args {
	d := args{"id": one(p, "d1", "d2", "d3")}
	switch p.pick(6) {
	case 1:
		d["ttl"] = one(p, 30, hour)
	case 2:
		d["ttl"], d["extend"] = one(p, 30, hour), true
	case 3:
		d["replace"] = true
	case 4:
		d["ttl"], d["extend"], d["replace"] = hour, true, true
	case 5:
		d["keepLastIfActive"] = true
	}
	return d
}

func nodeDeduplicates(p *program) error {
	opts := args{"deduplication": p.deduplication(), "delay": one(p, 0, 0, 20, hour), "priority": one(p, 0, 0, 3)}
	if p.major == 6 && p.pick(4) == 0 {
		d, _ := opts["deduplication"].(args)
		d["reschedule"] = true
	}
	return p.nodeAddsAll(do("once", steps{Fail: p.pick(3)}, opts))
}

// idOf chooses a job of a queue, first of all one that is in hand.
func (p *program) idOf(l *site) string {
	if len(l.held) > 0 && p.pick(2) == 0 {
		return l.held[p.pick(len(l.held))].id
	}
	if len(l.ids) == 0 {
		return "none"
	}
	return l.ids[len(l.ids)-1-p.pick(min(24, len(l.ids)))]
}

func (p *program) childOption() string {
	return one(p, "", "failParentOnFailure", "ignoreDependencyOnFailure", "removeDependencyOnFailure", "continueParentOnFailure")
}

// flow draws a tree, over both queues.
func (p *program) flow(depth int) args {
	p.named++
	l := p.site
	if p.pick(3) == 0 {
		l = p.queues[p.pick(2)]
	}
	id := fmt.Sprintf("node-%d", p.named)
	opts := args{"jobId": id}
	switch p.pick(6) {
	case 0:
		opts["priority"] = 2
	case 1:
		opts["delay"] = one(p, 20, hour)
	case 2:
		opts["removeOnFail"], opts["removeOnComplete"] = true, true
	}
	if depth > 0 {
		if option := p.childOption(); option != "" {
			opts[option] = true
		}
	}
	node := args{
		"name": "node", "queueName": l.base.Name, "prefix": l.base.Prefix, "opts": opts,
		"data": args{"do": steps{Fail: p.pick(3)}},
	}
	if depth < 2 {
		var children []args
		for range p.pick(4 - depth) {
			children = append(children, p.flow(depth+1))
		}
		if len(children) > 0 {
			node["children"] = children
		}
	}
	if !slices.Contains(l.ids, id) {
		l.ids = append(l.ids, id)
	}
	return node
}
