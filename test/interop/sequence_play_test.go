package interop

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/qctl/qctl/internal/queue"
)

// program is a sequence of operations at work.
type program struct {
	*arena
	steps []step
	rng   *rand.Rand // draws the steps; nil when they are given
	at    int        // the step at work
	made  int        // choices that it has made
	// strict looks at the queues after every step, to find the one that broke them.
	strict bool

	queues [2]*site
	*site  // of the step at work
	peer   *peer
	major  int // of the peer at work
	named  int // names given so far
	tokens int
	kinds  []operation     // of which steps are drawn
	since  map[string]bool // operations of Node since the queues were last seen in order
	nodeAt bool            // a worker of Node's was at work since then
}

// site is one of the program's two queues.
type site struct {
	*line
	ids    []string // of jobs that were added, also if they are gone by now
	held   []grip
	hands  map[string]*hand // workers at work, by who they are
	events []redis.XMessage // as far as they were read
	// sureFrom is the newest event by when a worker had left that takes markers.
	sureFrom string
	excused  map[known]map[string]bool
	bound    int // the most jobs that may be active, where a limit was set when they were more
}

// grip is a job that was taken by hand.
type grip struct {
	id, token string
	job       *queue.Job // as our engine gave it out, else nil
}

// operation is a kind of step. Its errors say only that nothing could be done. Where one side is nil the other does it.
type operation struct {
	name       string
	node, ours func(p *program) error
	weight     int // how often it is drawn; 0 means once
	// breaks are the defects of BullMQ that it brings about.
	breaks []known
}

// broken ends a program.
type broken struct{ text string }

func (p *program) fail(format string, with ...any) { panic(broken{fmt.Sprintf(format, with...)}) }

func (p *program) ok(err error) {
	if err != nil {
		p.fail("%v", err)
	}
}

// program prepares a program on fresh queues.
func (a *arena) program(steps []step, rng *rand.Rand) *program {
	p := &program{arena: a, steps: steps, rng: rng, since: map[string]bool{}}
	n := a.names.Add(1)
	for i := range p.queues {
		base := queue.KeyBase{Prefix: "bull", Name: fmt.Sprintf("q%d-%d", n, i)}
		p.queues[i] = &site{
			line:  &line{w: a.world, base: base, q: a.client.Queue(base)},
			hands: map[string]*hand{}, sureFrom: "0-0", excused: map[known]map[string]bool{},
		}
	}
	p.site = p.queues[0]
	return p
}

// play does all the steps, and then works the queues dry.
func (p *program) play() (err error) {
	defer p.leave()
	defer func() {
		if r := recover(); r != nil {
			b, ok := r.(broken)
			if !ok {
				panic(r)
			}
			var recent []string
			for i := max(0, p.at-8); i <= p.at && i < len(p.steps); i++ {
				recent = append(recent, p.steps[i].String())
			}
			err = fmt.Errorf("%s\nafter\n\t%s", b.text, strings.Join(recent, "\n\t"))
		}
	}()
	for _, p.site = range p.queues {
		p.open()
	}
	if p.rng != nil {
		p.drawKinds()
		for range length(p.rng) {
			p.steps = append(p.steps, p.drawStep())
			p.do()
			p.at++
		}
	} else {
		for p.at = range p.steps {
			p.do()
		}
		p.at = len(p.steps)
	}
	p.finish()
	return nil
}

// open lets every peer write its version to the queue, the one last that pauses it: our engine pauses by that version.
func (p *program) open() {
	for _, one := range slices.Backward(p.peers) {
		p.ok(one.try("closeQueue", p.with(nil), nil))
		p.ok(one.try("getMeta", p.with(nil), nil))
		p.await("the version of BullMQ", func() bool {
			version := p.w.rdb.HGet(p.w.ctx, p.key("meta"), "version").Val()
			return strings.HasPrefix(version, fmt.Sprintf("bullmq:%d.", one.major))
		})
	}
}

// await is waitUntil for a program, whose failure is to be reported with its steps.
func (p *program) await(what string, ok func() bool) {
	again, late := time.NewTicker(2*time.Millisecond), time.After(soon)
	defer again.Stop()
	for !ok() {
		select {
		case <-again.C:
		case <-late:
			p.fail("waited %v for %s", soon, what)
		}
	}
}

// drawKinds chooses some of all operations: a program that does few things does them in more ways.
func (p *program) drawKinds() {
	for i, o := range operations() {
		if i == 0 || p.rng.IntN(5) < 3 {
			p.kinds = append(p.kinds, slices.Repeat([]operation{o}, max(1, o.weight))...)
		}
	}
}

func (p *program) drawStep() step {
	by := []string{"ours", "node"}[p.rng.IntN(2)]
	if by == "node" && len(p.peers) > 1 && p.rng.IntN(2) == 0 {
		by = "other"
	}
	return step{by: by, op: p.kinds[p.rng.IntN(len(p.kinds))].name}
}

// pick chooses one of n.
func (p *program) pick(n int) int {
	s := &p.steps[p.at]
	c := 0
	switch {
	case p.rng != nil:
		c = p.rng.IntN(n)
		s.choices = append(s.choices, c)
	case p.made < len(s.choices):
		c = s.choices[p.made] % n
	}
	p.made++
	return c
}

// one chooses among values.
func one[T any](p *program, values ...T) T { return values[p.pick(len(values))] }

// do does the step at work.
func (p *program) do() {
	s := &p.steps[p.at]
	at := slices.IndexFunc(operations(), func(o operation) bool { return o.name == s.op })
	if at < 0 || !slices.Contains([]string{"ours", "node", "other"}, s.by) {
		p.fail("nobody knows how to do %q", s.op)
	}
	o := operations()[at]
	p.made = 0
	p.site = p.queues[max(0, p.pick(6)-4)]
	p.peer = p.peers[0]
	if s.by == "other" {
		p.peer = p.peers[len(p.peers)-1]
	}
	p.major = p.peer.major
	play, node := o.ours, s.by != "ours"
	if node && o.node != nil || o.ours == nil {
		play, node = o.node, true
	}
	breaks := node && len(o.breaks) > 0 && p.idle()
	if breaks {
		p.look()
	}
	if node {
		p.since[o.name] = true
	}
	_ = play(p) // refused: the job may be elsewhere
	if p.idle() && (breaks || p.strict || p.at%10 == 9) {
		p.look()
	}
}

// ask asks the peer for something that it may refuse.
func (p *program) ask(op string, more args, out any) error {
	err := p.peer.try(op, p.with(more), out)
	var refusal *failure
	var shape *json.UnmarshalTypeError // BullMQ gives out a script's code as the id of a job that it could not add
	if err != nil && !errors.As(err, &refusal) && !errors.As(err, &shape) {
		p.fail("%s: %v", op, err)
	}
	return err
}

// refused lets through what our engine says about one job, or about what it was asked for.
func (p *program) refused(errs []error, err error) error {
	for _, each := range append(errs, err) {
		var job *queue.JobError
		if each != nil && !errors.As(each, &job) && !errors.Is(each, queue.ErrInvalidOption) {
			p.fail("%s: %v", p.base, each)
		}
	}
	return err
}

func (p *program) remember(ids ...string) {
	for _, id := range ids {
		if !slices.Contains(p.ids, id) {
			p.ids = append(p.ids, id)
		}
	}
}

// anyID chooses one of the jobs added last.
func (p *program) anyID() string {
	if len(p.ids) == 0 {
		return "none"
	}
	return p.ids[len(p.ids)-1-p.pick(min(24, len(p.ids)))]
}

// idle reports whether no worker is at work that acts on its own.
func (p *program) idle() bool {
	return len(p.queues[0].hands)+len(p.queues[1].hands) == 0
}

// leave ends what the program began, and deletes its queues.
func (p *program) leave() {
	for _, l := range p.queues {
		for _, h := range l.hands {
			h.stop()
		}
		for _, one := range p.peers {
			_ = one.try("closeHands", l.with(nil), nil)
			_ = one.try("closeQueue", l.with(nil), nil)
		}
		keys := slices.Collect(maps.Keys(p.keysOf(l)))
		if len(keys) > 0 {
			p.w.rdb.Del(p.w.ctx, keys...)
		}
	}
	for _, one := range p.peers {
		one.forgetNotices()
	}
}

func (p *program) keysOf(l *site) map[string]bool {
	keys := map[string]bool{}
	for _, key := range p.w.rdb.Keys(p.w.ctx, l.base.String()+":*").Val() {
		keys[key] = true
	}
	return keys
}
