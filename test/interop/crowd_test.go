package interop

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/qctl/qctl/internal/queue"
)

// One worker of Node and one of ours share a queue: each job runs once, and both take their part.
func TestMixedWorkersHandleEachJobOnce(t *testing.T) {
	eachWorld(t, func(w *world) {
		const jobs = 2000
		l := w.fresh()
		batch := make([]queue.NewJob, jobs)
		for i := range batch {
			batch[i] = queue.NewJob{Name: "n", Data: json.RawMessage(fmt.Sprint(i)), Opts: queue.JobOptions{Priority: i % 3}}
		}
		l.weAdd(batch...)
		node := l.nodeWorks(setup{Name: "node", Concurrency: 8})
		ours := l.weWork(setup{Name: "ours", Concurrency: 8, Behaviors: behaviors{"*": {Sleep: 1}}})
		l.waitFinished(jobs, 0)
		node.stop()
		ours.stop()
		starts, by := map[string]int{}, map[string]int{}
		for _, e := range rawEvents(l) {
			if e.kind == "active" {
				starts[e.jobID]++
			}
		}
		for id, hash := range readContents(w.t, w.rdb, l.base.String()).hashes {
			if hash["ats"] != "" {
				by[hash["pb"]]++
			}
			if hash["ats"] != "" && (hash["ats"] != "1" || hash["atm"] != "1" || starts[id] != 1) {
				w.t.Errorf("job %s started %s times, %d by the stream", id, hash["ats"], starts[id])
			}
		}
		if by["node"]+by["ours"] != jobs || by["node"] == 0 || by["ours"] == 0 {
			w.t.Errorf("jobs by worker: %v, want %d, some by each", by, jobs)
		}
		checkInvariants(w.t, w.rdb, l.base.String())
	})
}

// often makes the heirs of a dead worker look for its jobs soon. The interval is the queue's: whoever checks last
// decides when the next check may run.
var often = setup{LockDuration: 1000, StalledInterval: 300, MaxStalledCount: 3}

func withBehaviors(s setup, b behaviors) setup {
	s.Behaviors = b
	return s
}

// A killed worker of the one kind leaves its job to one of the other.
func TestTheJobsOfAKilledWorkerAreRecovered(t *testing.T) {
	eachWorld(t, func(w *world) {
		byNode, byUs := w.line("bull", "node-dies"), w.line("bull", "we-die")
		byNode.nodeAdds(args{"name": "n"}, args{"name": "n", "opts": args{"priority": 2}})
		byUs.nodeAdds(args{"name": "n"}, args{"name": "n", "opts": args{"priority": 2}})
		held := withBehaviors(often, behaviors{"*": {Hold: true}})
		held.Concurrency = 2

		// Ours first: the peer is the one that goes on.
		kill := byUs.weWorkApart(held)
		byUs.waitActive(2)
		kill()
		heir := byUs.nodeWorks(often)
		byUs.waitFinished(2, 0)
		heir.stop()
		byUs.recovered()

		byNode.nodeWorks(held)
		byNode.waitActive(2)
		w.peer.kill()
		ours := byNode.weWork(often)
		byNode.waitFinished(2, 0)
		ours.stop()
		byNode.recovered()
	})
}

func (l *line) waitActive(n int64) {
	l.w.t.Helper()
	l.w.waitUntil(fmt.Sprintf("%d active jobs in %s", n, l.base), func() bool {
		c, err := l.q.Counts(l.w.ctx)
		l.w.must(err)
		return c.Active == n
	})
}

// recovered checks that both jobs stalled once and then completed.
func (l *line) recovered() {
	l.w.t.Helper()
	want := []string{"active prev=waiting", "waiting prev=active", "stalled", "active prev=waiting", "completed prev=active returnvalue=null"}
	for _, id := range []string{"1", "2"} {
		diff(l.w.t, "events of job "+id+" of "+l.base.String(), want, l.eventsOf()[id][2:])
		job := l.w.rdb.HGetAll(l.w.ctx, l.key(id)).Val()
		diff(l.w.t, "counters of job "+id, []string{"1", "2", "1"}, []string{job["stc"], job["ats"], job["atm"]})
	}
	checkInvariants(l.w.t, l.w.rdb, l.base.String(), priorityInWait)
}

// A job that stalls too often fails, whoever notices it and whoever runs it, with the words of BullMQ.
func TestAJobThatStallsTooOftenFails(t *testing.T) {
	eachWorld(t, func(w *world) {
		play := func(l *line, mine bool) map[string]any {
			l.nodeAdds(args{"name": "n", "opts": args{"attempts": 4}})
			l.loseWorker("1")
			w.must(w.rdb.HSet(w.ctx, l.key("1"), "stc", 1).Err())
			hand := l.works(mine, setup{StalledInterval: 300})
			l.waitFinished(0, 1)
			hand.stop()
			checkInvariants(w.t, w.rdb, l.base.String())
			return l.snapshot(false)
		}
		node, ours := w.line("node", "stalls"), w.line("ours", "stalls")
		diff(w.t, "Redis after Node and after ours", play(node, false), play(ours, true))
		diff(w.t, "events", node.eventsOf(), ours.eventsOf())
	})
}

// loseWorker leaves the next job active without a lock, as a worker does that died some time ago.
func (l *line) loseWorker(id string) {
	l.w.t.Helper()
	claimed, err := l.q.Claim(l.w.ctx, queue.ClaimRequest{N: 1, Token: "lost", Lock: soon})
	l.w.must(err)
	if len(claimed.Jobs) != 1 || claimed.Jobs[0].ID != id {
		l.w.t.Fatalf("claimed %+v", claimed.Jobs)
	}
	l.w.must(l.w.rdb.Del(l.w.ctx, l.key(id+":lock")).Err())
}
