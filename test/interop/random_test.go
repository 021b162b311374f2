package interop

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/qctl/qctl/internal/queue"
)

// programSteps is how many operations a random program has.
const programSteps = 50

// program is a random sequence of operations, each by Node or by our engine, on one queue that workers of both kinds
// come to and leave.
type program struct {
	*line
	rt    *rapid.T
	ids   []string // of jobs that were added, also if they are gone by now
	named int
	hands map[bool]*hand // at work; true is ours
	lost  bool           // a job was taken by a worker that is no more
	// nodeCame: a worker of Node's has been at work.
	nodeCame bool
	done     []string // what was done so far, for the report of a failure
}

// operation is one step. Its error says only that nothing could be done.
type operation struct {
	name string
	node func(p *program) error
	ours func(p *program) error
}

// try asks the peer for something that may be refused: the job may be gone or elsewhere.
func (p *program) try(op string, more args) error {
	return p.w.peer.try(op, p.with(more), nil)
}

func (p *program) anyID() string {
	if len(p.ids) == 0 {
		return "none"
	}
	return rapid.SampledFrom(p.ids).Draw(p.rt, "id")
}

// job draws a job to add, for Node and for our engine.
func (p *program) job() (args, queue.NewJob) {
	rt := p.rt
	s := steps{Return: rapid.IntRange(0, 9).Draw(rt, "return"), Fail: rapid.IntRange(0, 2).Draw(rt, "fail")}
	o := queue.JobOptions{
		Priority: rapid.SampledFrom([]int{0, 0, 1, 7}).Draw(rt, "priority"),
		Delay:    rapid.SampledFrom([]time.Duration{0, 0, 20 * time.Millisecond, time.Hour}).Draw(rt, "delay"),
		Attempts: rapid.IntRange(0, 3).Draw(rt, "attempts"),
		LIFO:     rapid.Bool().Draw(rt, "lifo"),
		ID:       rapid.SampledFrom([]string{"", "", "own-1", "own-2", "own-3"}).Draw(rt, "jobId"),
	}
	if rapid.Bool().Draw(rt, "backoff") {
		o.Backoff = &queue.Backoff{Type: "fixed", Delay: 10 * time.Millisecond}
	}
	if rapid.IntRange(0, 5).Draw(rt, "forget") == 0 {
		o.KeepCompleted = queue.KeepNewest(2, 0)
	}
	text, err := json.Marshal(o)
	p.w.must(err)
	var opts args
	p.w.must(json.Unmarshal(text, &opts))
	data, err := json.Marshal(args{"do": s})
	p.w.must(err)
	return do("job", s, opts), queue.NewJob{Name: "job", Data: data, Opts: o}
}

func addOperations() []operation {
	// Another client may have added a job of the same id: both return it.
	remember := func(p *program, ids ...string) {
		for _, id := range ids {
			if !slices.Contains(p.ids, id) {
				p.ids = append(p.ids, id)
			}
		}
	}
	bulk := func(p *program) (node []args, ours []queue.NewJob) {
		for range rapid.IntRange(1, 4).Draw(p.rt, "jobs") {
			a, b := p.job()
			node, ours = append(node, a), append(ours, b)
		}
		return node, ours
	}
	add := operation{"add", func(p *program) error {
		jobs, _ := bulk(p)
		remember(p, p.nodeAdds(jobs...)...)
		return nil
	}, func(p *program) error {
		_, jobs := bulk(p)
		remember(p, p.weAdd(jobs...)...)
		return nil
	}}
	flow := func(p *program) error {
		p.named++
		id := func(name string) string { return fmt.Sprintf("%s-%d", name, p.named) }
		leaf := func(name string, option string) args {
			opts := args{"jobId": id(name)}
			if option != "" {
				opts[option] = true
			}
			return args{
				"name": name, "queueName": p.base.Name, "prefix": p.base.Prefix, "opts": opts,
				"data": args{"do": steps{Fail: rapid.Bool().Draw(p.rt, "child fails")}},
			}
		}
		option := rapid.SampledFrom([]string{"", "failParentOnFailure", "ignoreDependencyOnFailure", "removeDependencyOnFailure"})
		p.w.peer.call("addFlow", args{"flow": args{
			"name": "parent", "queueName": p.base.Name, "prefix": p.base.Prefix, "opts": args{"jobId": id("parent")},
			"children": []args{leaf("left", option.Draw(p.rt, "left")), leaf("right", option.Draw(p.rt, "right"))},
		}}, nil)
		remember(p, id("parent"), id("left"), id("right"))
		return nil
	}
	once := func(p *program) error {
		opts := args{"deduplication": args{"id": rapid.SampledFrom([]string{"d1", "d2"}).Draw(p.rt, "deduplication")}}
		remember(p, p.nodeAdds(args{"name": "once", "opts": opts})...)
		return nil
	}
	return []operation{add, add, add, {"add a flow", flow, flow}, {"deduplicate", once, once}}
}
