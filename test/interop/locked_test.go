package interop

import (
	"testing"

	"github.com/qctl/qctl/internal/queue"
)

func fourDelayed(l *line) {
	l.nodeAdds(
		args{"name": "a", "opts": args{"delay": 3 * hour}}, args{"name": "b", "opts": args{"delay": hour}},
		args{"name": "c", "opts": args{"delay": 2 * hour, "priority": 3}}, args{"name": "d", "opts": args{"delay": hour, "lifo": true}},
	)
}

func threeWaiting(l *line) {
	l.nodeAdds(
		args{"name": "a"}, args{"name": "b"}, args{"name": "c"}, args{"name": "d", "opts": args{"priority": 2}},
		args{"name": "e", "opts": args{"priority": 5}}, args{"name": "f", "opts": args{"priority": 5}},
	)
}

// Neither side takes a job away from the other's worker.
func TestLockedJobsStay(t *testing.T) {
	eachWorld(t, func(w *world) {
		for _, weWork := range []bool{false, true} {
			l := w.fresh()
			l.nodeAdds(args{"name": "n"})
			hand := l.works(weWork, setup{Behaviors: behaviors{"*": {Hold: true}}})
			l.waitActive(1)
			var removed int
			l.call("remove", args{"jobId": "1"}, &removed)
			diff(w.t, "removed by Node", 0, removed)
			errs, err := l.q.Remove(w.ctx, []string{"1"}, queue.RemoveOptions{})
			w.must(err)
			diff(w.t, "removed by ours", `job "1": job is locked by a worker`, errs[0].Error())
			_, err = l.q.Clean(w.ctx, queue.CleanOptions{State: queue.StateActive})
			w.must(err)
			if _, err := l.q.Obliterate(w.ctx, queue.ObliterateOptions{}); err == nil {
				w.t.Error("a queue at work was obliterated")
			}
			w.must(l.q.Resume(w.ctx))
			hand.release()
			l.waitFinished(1, 0)
			hand.stop()
			checkInvariants(w.t, w.rdb, l.base.String())
		}
	})
}
