package interop

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/redistest"
)

// stage is two databases of one Redis that begin alike, byte for byte: Node acts on the first, our engine on the
// second, by the same standing clock. What differs afterwards is a difference between them.
type stage struct {
	t      *testing.T
	ctx    context.Context
	peer   *peer
	a, b   *redis.Client // Node's database and ours
	client *queue.Client
	now    atomic.Int64 // ms

	version string            // of BullMQ
	meta    map[string]string // of a queue that Node has just opened
	opened  map[string]bool
	hands   atomic.Int64

	// Of one row.
	began time.Time // by the machine's clock
	ourQ  map[string]*queue.Queue
	held  map[string]*queue.Job // what our claims have brought, by queue and id
	hand  map[string]string     // the peer's hands, by queue and settings
}

// stageTime is when every row begins: twenty seconds after a full minute, on a day in spring.
const stageTime = 1_773_144_020_000

// luck is what both sides draw instead of a random number.
const luck = 0.25

func newStage(t *testing.T, p *peer) *stage {
	t.Helper()
	options, err := redis.ParseURL(p.url)
	if err != nil {
		t.Fatal(err)
	}
	second := *options
	second.DB = 1
	conn, err := openRedis(strings.TrimSuffix(p.url, "/0") + "/1")
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{
		t: t, ctx: t.Context(), peer: p, a: redis.NewClient(options), b: redis.NewClient(&second), opened: map[string]bool{},
	}
	s.client = queue.NewClient(conn, queue.ClientOptions{Now: func() time.Time { return time.UnixMilli(s.now.Load()) }})
	t.Cleanup(func() { _ = conn.Close(); _ = s.a.Close(); _ = s.b.Close() })
	var hello struct {
		BullMQ string `json:"bullmq"`
	}
	p.call("hello", nil, &hello)
	s.version = hello.BullMQ
	s.open("q")
	s.open("p")
	s.meta = s.a.HGetAll(s.ctx, "bull:q:meta").Val()
	return s
}

// must fails the test when something that is no subject of it does.
func (s *stage) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// open lets the peer open a queue, which writes to Redis once and behind its back, and waits until it has.
func (s *stage) open(name string) {
	s.t.Helper()
	if s.opened[name] {
		return
	}
	s.opened[name] = true
	s.peer.call("getMeta", args{"queue": name}, nil)
	redistest.WaitFor(s.t, soon, "the version of "+name, func() bool {
		return s.a.HExists(s.ctx, "bull:"+name+":meta", "version").Val()
	})
}

// begin empties both databases, as far as a fresh queue is empty, and sets the clock.
func (s *stage) begin() {
	s.t.Helper()
	s.end()
	s.must(s.a.FlushAll(s.ctx).Err())
	for name := range s.opened {
		s.must(s.a.HSet(s.ctx, "bull:"+name+":meta", s.meta).Err())
	}
	s.began = time.Now()
	s.ourQ, s.held, s.hand = map[string]*queue.Queue{}, map[string]*queue.Job{}, map[string]string{}
	s.setClock(stageTime)
}

// end closes what the row has opened in the peer.
func (s *stage) end() {
	for _, id := range s.hand {
		s.peer.call("closeHand", args{"hand": id}, nil)
	}
	if s.hand != nil {
		s.peer.call("forgetJobs", nil, nil)
	}
	s.hand = nil
}

func (s *stage) setClock(ms int64) {
	s.t.Helper()
	s.now.Store(ms)
	s.peer.call("clock", args{"at": ms, "random": luck}, nil)
}

// copyOver makes our database like Node's.
func (s *stage) copyOver() {
	s.t.Helper()
	keys, err := s.a.Keys(s.ctx, "*").Result()
	s.must(err)
	pipe := s.a.Pipeline()
	for _, key := range keys {
		pipe.Copy(s.ctx, key, key, 1, true)
	}
	_, err = pipe.Exec(s.ctx)
	s.must(err)
}

// q is a queue as our engine has it.
func (s *stage) q(name string) *queue.Queue {
	if s.ourQ[name] == nil {
		s.ourQ[name] = s.client.Queue(queue.KeyBase{Prefix: "bull", Name: name})
	}
	return s.ourQ[name]
}

// handFor returns the peer's worker with these settings, opened in this row.
func (s *stage) handFor(name string, opts args) string {
	s.t.Helper()
	key := fmt.Sprint(name, opts)
	if s.hand[key] == "" {
		id := fmt.Sprintf("hand%d", s.hands.Add(1))
		orders := args{"hand": id, "queue": name, "opts": opts}
		if backoffs, ok := opts["backoffs"]; ok {
			orders["backoffs"] = backoffs
		}
		s.peer.call("openHand", orders, nil)
		s.hand[key] = id
	}
	return s.hand[key]
}

// ask sends a request to the peer. A refusal is an answer like another: its code where BullMQ gives one.
func (s *stage) ask(op string, with args, out any) any {
	s.t.Helper()
	err := s.peer.try(op, with, out)
	var refused *failure
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &refused):
		s.t.Fatalf("bullmq %s: %s %v: %v", s.version, op, with, err)
	case refused.Code != nil:
		return codeText(refused.Code)
	}
	return "refused: " + refused.Message
}

// codeText makes one of the two codes for a lock that is not ours.
func codeText(code any) string {
	text := fmt.Sprint(code)
	if text == "-6" {
		text = "-2"
	}
	return "code " + text
}

// refusals are our engine's errors by BullMQ's code (wire section 13).
var refusals = []struct {
	err  error
	text string
}{
	{queue.ErrJobNotFound, "code -1"},
	{queue.ErrLockLost, "code -2"},
	{queue.ErrJobNotInState, "code -3"},
	{queue.ErrPendingChildren, "code -4"},
	{queue.ErrParentMissing, "code -5"},
	{queue.ErrOtherParent, "code -7"},
	{queue.ErrSchedulerJob, "code -8"},
	{queue.ErrFailedChildren, "code -9"},
	{queue.ErrJobLocked, "locked"},
	{queue.ErrActiveJobs, "refused: active jobs"},
	{queue.ErrInvalidOption, "refused"},
	{queue.ErrInvalidName, "refused"},
	{queue.ErrTooLarge, "refused"},
}

// told makes an answer of our engine's error; nil of none.
func told(err error) any {
	if err == nil {
		return nil
	}
	for _, r := range refusals {
		if errors.Is(err, r.err) {
			return r.text
		}
	}
	return "error: " + err.Error()
}

// first is told of the first error of many.
func first(errs []error, err error) any {
	if err != nil {
		return told(err)
	}
	for _, err := range errs {
		if err != nil {
			return told(err)
		}
	}
	return nil
}

// on completes a request about a queue.
func on(name string, more args) args {
	with := args{"queue": name}
	maps.Copy(with, more)
	return with
}

// plainRefusal forgets in what words BullMQ refuses.
func plainRefusal(answer any) any {
	if text, ok := answer.(string); ok && strings.HasPrefix(text, "refused: ") {
		return "refused"
	}
	return answer
}
