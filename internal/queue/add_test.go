package queue_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/qctl/qctl/internal/queue"
)

func TestAddClaimSettleSmoke(t *testing.T) {
	onEach(t, func(e *env) {
		e.add(queue.NewJob{Name: "a", Data: []byte(`{"n":9007199254740993}`)},
			queue.NewJob{Name: "b", Opts: queue.JobOptions{Priority: 2}},
			queue.NewJob{Name: "c", Opts: queue.JobOptions{Delay: time.Second}},
			queue.NewJob{Name: "d", Opts: queue.JobOptions{LIFO: true, ID: "own"}})
		jobs := e.claim(10, "tok")
		var names []string
		for _, j := range jobs {
			names = append(names, j.Name)
		}
		if diff := cmp.Diff([]string{"d", "a", "b"}, names); diff != "" {
			t.Error(diff)
		}
		e.settle(queue.Outcome{Kind: queue.Complete, ID: jobs[0].ID, Token: "tok", ReturnValue: []byte(`{"ok":true}`)})
		e.settle(queue.Outcome{Kind: queue.Fail, ID: jobs[1].ID, Token: "tok", FailedReason: "boom", Keep: queue.KeepNewest(10, 0)})
		e.settle(queue.Outcome{Kind: queue.RetryLater, ID: jobs[2].ID, Token: "tok", FailedReason: "boom", Delay: time.Minute})
		for k, v := range e.dump() {
			t.Log(k, "=", v)
		}
		for _, ev := range e.events() {
			t.Log(ev)
		}
	})
}
