package interop

import (
	"slices"
	"testing"

	"github.com/qctl/qctl/internal/queue"
)

// order works the queue dry and returns the jobs in the order in which they ran.
func (l *line) order(ours bool, completed int64) []string {
	l.w.t.Helper()
	hand := l.works(ours, setup{})
	l.waitFinished(completed, 0)
	hand.stop()
	var order []string
	for _, e := range rawEvents(l) {
		if e.kind == "active" {
			order = append(order, e.jobID)
		}
	}
	return order
}

// A pause by the one and a resume by the other lose no job and keep the order, whoever adds meanwhile.
func TestPausesAreShared(t *testing.T) {
	eachWorld(t, func(w *world) {
		pause := map[bool]func(l *line){
			false: func(l *line) { l.call("pause", nil, nil) },
			true:  func(l *line) { w.must(l.q.Pause(w.ctx)) },
		}
		resume := map[bool]func(l *line){
			false: func(l *line) { l.call("resume", nil, nil) },
			true:  func(l *line) { w.must(l.q.Resume(w.ctx)) },
		}
		for _, wePause := range []bool{false, true} {
			for _, weResume := range []bool{false, true} {
				for _, weWork := range []bool{false, true} {
					l := w.fresh()
					l.nodeAdds(args{"name": "n"}, args{"name": "n", "opts": args{"delay": 1}})
					pause[wePause](l)
					pause[!wePause](l)
					l.weAdd(queue.NewJob{Name: "n"}, queue.NewJob{Name: "n", Opts: queue.JobOptions{Priority: 2}})
					l.nodeAdds(args{"name": "n"}, args{"name": "n", "opts": args{"priority": 1}}, args{"name": "n", "opts": args{"lifo": true}})
					l.weAdd(queue.NewJob{Name: "n", Opts: queue.JobOptions{LIFO: true}})
					checkInvariants(w.t, w.rdb, l.base.String())
					l.sameCounts()
					l.pausedIsRead()
					resume[weResume](l)
					checkInvariants(w.t, w.rdb, l.base.String())
					l.sameCounts()
					// Job 2 is due and comes last of those without a priority.
					diff(w.t, "order", []string{"8", "7", "1", "3", "5", "2", "6", "4"}, l.order(weWork, 8))
					checkInvariants(w.t, w.rdb, l.base.String())
				}
			}
		}
	})
}

// pausedIsRead looks for the waiting jobs of a paused queue, wherever they are.
func (l *line) pausedIsRead() {
	l.w.t.Helper()
	var paused bool
	l.call("isPaused", nil, &paused)
	ours, err := l.q.IsPaused(l.w.ctx)
	l.w.must(err)
	diff(l.w.t, "paused, by Node and by ours", []bool{true, true}, []bool{paused, ours})
	listed, err := l.q.List(l.w.ctx, queue.ListRequest{State: queue.StateWaiting, Count: 100, Fields: queue.FieldsRow})
	l.w.must(err)
	var waiting []string
	for _, job := range listed.Jobs {
		waiting = append(waiting, job.ID)
		read, err := l.q.Get(l.w.ctx, job.ID, queue.FieldName, 0)
		l.w.must(err)
		diff(l.w.t, "state of "+job.ID+", by Node and by ours", l.state(job.ID), string(read.State))
	}
	var jobs []jobJSON
	l.call("getJobs", args{"types": []string{"waiting"}, "start": 0, "end": -1, "asc": true}, &jobs)
	diff(l.w.t, "waiting jobs, by Node and by ours", ids(jobs), waiting)
	diff(l.w.t, "waiting jobs", []string{"8", "7", "1", "3", "5"}, waiting)
}

// A queue that BullMQ 5 paused and version 6 took over holds jobs in paused. Ours adds to them, reads them and
// merges them; with jobs in both lists, which version 6 itself brings about, none is lost either.
func TestWeResumeWhatBothVersionsPaused(t *testing.T) {
	eachWorld(t, func(w *world) {
		other := startPeer(w.t, 11-w.peer.major, w.url)
		five, six := w.peer, other
		if w.peer.major == 6 {
			five, six = other, w.peer
		}
		l := w.line("bull", "both")
		on := func(p *peer, op string, more args) { p.call(op, l.with(more), nil) }
		on(five, "add", args{"name": "n", "opts": args{"jobId": "a"}})
		on(five, "pause", nil)
		on(five, "add", args{"name": "n", "opts": args{"jobId": "b"}})
		// Whoever is asked for meta opens the queue and writes its version.
		w.must(w.rdb.HSet(w.ctx, l.key("meta"), "version", "bullmq:6.7.0").Err())
		l.weAdd(queue.NewJob{Name: "n", Opts: queue.JobOptions{ID: "c"}})
		diff(w.t, "paused", []string{"c", "b", "a"}, w.rdb.LRange(w.ctx, l.key("paused"), 0, -1).Val())
		if w.peer.major == 6 {
			on(six, "add", args{"name": "n", "opts": args{"jobId": "d"}})
			diff(w.t, "wait", []string{"d"}, w.rdb.LRange(w.ctx, l.key("wait"), 0, -1).Val())
		}
		counts, err := l.q.Counts(w.ctx)
		w.must(err)
		want := []string{"a", "b", "c"}
		if w.peer.major == 6 {
			want = append(want, "d")
		}
		diff(w.t, "waiting", int64(len(want)), counts.Waiting)
		listed, err := l.q.List(w.ctx, queue.ListRequest{State: queue.StateWaiting, Count: 100})
		w.must(err)
		var waiting []string
		for _, job := range listed.Jobs {
			waiting = append(waiting, job.ID)
		}
		slices.Sort(waiting)
		diff(w.t, "listed", want, waiting)
		w.must(l.q.Resume(w.ctx))
		diff(w.t, "order", want, l.order(true, int64(len(want))))
		checkInvariants(w.t, w.rdb, l.base.String())
	})
}
