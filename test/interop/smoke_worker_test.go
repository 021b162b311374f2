package interop

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/qctl/qctl/internal/redistest"
)

func TestPeerWorkerFollowsItsOrders(t *testing.T) {
	eachMajor(t, func(t *testing.T, p *peer) {
		add := func(name string, data, opts args) (job jobJSON) {
			p.call("add", args{"queue": "mail", "name": name, "data": data, "opts": opts}, &job)
			return job
		}
		p.call("startWorker", args{
			"worker": "w", "queue": "mail", "backoffs": []int{10},
			"opts": args{
				"name": "ann", "concurrency": 4, "lockDuration": 20_000, "stalledInterval": 20_000, "maxStalledCount": 2,
				"metrics": args{"maxDataPoints": 60}, "limiter": args{"max": 100, "duration": 1000},
			},
			"behaviors": args{
				"value":    args{"return": args{"n": 1}, "log": []string{"a", "b"}, "progress": []int{10, 20}, "sleep": 5},
				"flaky":    args{"fail": 2, "reason": "not yet", "return": "done"},
				"fatal":    args{"unrecoverable": "never"},
				"later":    args{"postpone": 20, "return": "then"},
				"throttle": args{"rateLimit": 20, "return": "went"},
				"*":        args{"return": "default"},
			},
		}, nil)

		value := add("value", nil, nil)
		started := p.waitForJob("started", value.ID, soon)
		diff(t, "started by", []string{"w", "value", "ann"}, []string{started.Worker, started.Name, started.Job.ProcessedBy})
		done := p.waitForJob("completed", value.ID, soon)
		diff(t, "value", any(map[string]any{"n": 1.0}), done.ReturnValue)
		diff(t, "progress", any(20.0), done.Job.Progress)
		diff(t, "time went on", true, done.At-started.At >= 4)

		flaky := add("flaky", nil, args{"attempts": 3, "backoff": args{"type": "custom"}})
		for made := 1; made <= 2; made++ {
			failed := p.waitForJob("failed", flaky.ID, soon)
			diff(t, "reason", "not yet", failed.Reason)
			diff(t, "attempts made", made, failed.Job.AttemptsMade)
		}
		diff(t, "third attempt", any("done"), p.waitForJob("completed", flaky.ID, soon).ReturnValue)

		fatal := add("fatal", nil, args{"attempts": 5})
		failed := p.waitForJob("failed", fatal.ID, soon)
		diff(t, "unrecoverable", []any{"never", 1}, []any{failed.Reason, failed.Job.AttemptsMade})

		diff(t, "postponed", any("then"), p.waitForJob("completed", add("later", nil, nil).ID, soon).ReturnValue)
		diff(t, "throttled", any("went"), p.waitForJob("completed", add("throttle", nil, nil).ID, soon).ReturnValue)
		other := add("other", nil, nil)
		diff(t, "any name", any("default"), p.waitForJob("completed", other.ID, soon).ReturnValue)
		own := add("value", args{"do": args{"return": "own"}}, nil)
		diff(t, "the job's own orders", any("own"), p.waitForJob("completed", own.ID, soon).ReturnValue)

		var workers []struct {
			Name string `json:"name"`
		}
		p.call("getWorkers", args{"queue": "mail"}, &workers)
		diff(t, "workers", 1, len(workers))
		var metrics struct {
			Meta struct {
				Count int `json:"count"`
			} `json:"meta"`
		}
		p.call("getMetrics", args{"queue": "mail", "type": "completed"}, &metrics)
		diff(t, "completed by metrics", 6, metrics.Meta.Count)
		p.call("stopWorker", args{"worker": "w"}, nil)

		// Without the worker, what is retried stays.
		p.call("retry", args{"queue": "mail", "jobId": fatal.ID, "state": "failed"}, nil)
		var state string
		p.call("getState", args{"queue": "mail", "jobId": fatal.ID}, &state)
		diff(t, "retried", "waiting", state)
		p.call("retryJobs", args{"queue": "mail", "opts": args{"state": "completed"}}, nil)
		diff(t, "all retried", map[string]int{"waiting": 7, "completed": 0},
			counts(p, args{"queue": "mail"}, "waiting", "completed"))
	})
}

func TestPeerHoldsJobsUntilReleased(t *testing.T) {
	eachMajor(t, func(t *testing.T, p *peer) {
		p.call("startWorker", args{"worker": "w", "queue": "mail", "opts": args{"concurrency": 2}, "behaviors": args{"*": args{"hold": true}}}, nil)
		p.call("addBulk", args{"queue": "mail", "jobs": []args{{"name": "a"}, {"name": "b"}, {"name": "c"}}}, nil)
		p.waitForJob("started", "1", soon)
		p.waitForJob("started", "2", soon)
		diff(t, "held", map[string]int{"waiting": 1, "active": 2}, counts(p, args{"queue": "mail"}, "waiting", "active"))
		p.call("release", args{"worker": "w"}, nil)
		for _, id := range []string{"1", "2", "3"} {
			p.waitForJob("completed", id, soon)
		}
	})
}

func TestPeerFollowsEvents(t *testing.T) {
	eachMajor(t, func(t *testing.T, p *peer) {
		p.call("add", args{"queue": "mail", "name": "before"}, nil)
		p.call("startQueueEvents", args{"queue": "mail", "events": "e"}, nil)
		p.call("startQueueEvents", args{"queue": "mail", "events": "all", "opts": args{"lastEventId": "0-0"}}, nil)
		p.call("startWorker", args{"worker": "w", "queue": "mail", "behaviors": args{
			"held": args{"hold": true, "return": 5}, "bad": args{"fail": true, "reason": "broken"},
		}}, nil)
		p.waitForEvent("completed", "1", soon)

		p.call("add", args{"queue": "mail", "name": "held"}, nil)
		p.waitForEvent("active", "2", soon)
		p.call("release", args{"worker": "w"}, nil)
		var five int
		p.call("waitUntilFinished", args{"queue": "mail", "jobId": "2", "ttl": 20_000}, &five)
		diff(t, "waited for", 5, five)

		p.call("add", args{"queue": "mail", "name": "bad"}, nil)
		var refused *failure
		err := p.try("waitUntilFinished", args{"queue": "mail", "jobId": "3", "ttl": 20_000}, nil)
		if !errors.As(err, &refused) {
			t.Fatalf("waited for a failing job: %v", err)
		}
		diff(t, "failed reason", "broken", refused.Message)
		for _, id := range []string{"e", "all"} {
			p.waitFor("the end in "+id, soon, func(n notice) bool {
				return n.Events == id && n.Type == "failed" && n.JobID == "3"
			})
		}
		p.call("stopQueueEvents", args{"events": "e"}, nil)
		p.call("stopQueueEvents", args{"events": "all"}, nil)

		added := map[string][]string{}
		for _, n := range p.notices() {
			if n.Event == "queueEvent" && n.Type == "added" {
				added[n.Events] = append(added[n.Events], n.JobID)
			}
		}
		diff(t, "added, as seen", map[string][]string{"e": {"2", "3"}, "all": {"1", "2", "3"}}, added)
	})
}

func TestPeerShowsABoard(t *testing.T) {
	eachMajor(t, func(t *testing.T, p *peer) {
		p.call("startWorker", args{"worker": "w", "queue": "mail", "behaviors": args{
			"bad": args{"fail": true, "reason": "broken", "log": []string{"row"}},
		}}, nil)
		p.call("addBulk", args{"queue": "mail", "jobs": []args{{"name": "good"}, {"name": "bad"}, {"name": "late", "opts": args{"delay": 3_600_000}}}}, nil)
		p.waitForJob("completed", "1", soon)
		p.waitForJob("failed", "2", soon)
		p.call("stopWorker", args{"worker": "w"}, nil)

		type boardJob struct {
			ID           string `json:"id"`
			Name         string `json:"name"`
			FailedReason string `json:"failedReason"`
			IsFailed     bool   `json:"isFailed"`
		}
		var page struct {
			Queue struct {
				Name     string         `json:"name"`
				Counts   map[string]int `json:"counts"`
				Jobs     []boardJob     `json:"jobs"`
				IsPaused bool           `json:"isPaused"`
			} `json:"queue"`
			Job struct {
				Job    boardJob `json:"job"`
				Status string   `json:"status"`
			} `json:"job"`
			Logs []string `json:"logs"`
		}
		p.call("bullBoard", args{"queue": "mail", "status": "failed", "jobId": "2"}, &page)
		counts := map[string]int{
			"active": 0, "completed": 1, "delayed": 1, "failed": 1, "prioritized": 0, "waiting": 0, "waiting-children": 0,
		}
		if p.major == 5 {
			counts["paused"] = 0
		}
		diff(t, "counts", counts, page.Queue.Counts)
		bad := boardJob{ID: "2", Name: "bad", FailedReason: "broken", IsFailed: true}
		diff(t, "failed jobs", []boardJob{bad}, page.Queue.Jobs)
		diff(t, "page of the job", bad, page.Job.Job)
		diff(t, "state of the job", "failed", page.Job.Status)
		diff(t, "logs", []string{"row"}, page.Logs)

		p.call("bullBoardCall", args{"queue": "mail", "method": "put", "route": "/api/queues/:queueName/:jobId/retry", "jobId": "2"}, nil)
		var state string
		p.call("getState", args{"queue": "mail", "jobId": "2"}, &state)
		diff(t, "retried from the board", "waiting", state)
	})
}

// A killed peer leaves its job active and locked, and another one finds it stalled once the lock has expired.
func TestPeerDiesLikeACrash(t *testing.T) {
	t.Parallel()
	requireNode(t)
	redis := redistest.Start(t)
	victim := startPeer(t, 5, redis.URL())
	// The interval is the queue's, not the worker's: whoever checked last decides when the next check may run.
	often := args{"lockDuration": 500, "stalledInterval": 200}
	victim.call("startWorker", args{"worker": "w", "queue": "mail", "opts": often, "behaviors": args{"*": args{"hold": true}}}, nil)
	victim.call("add", args{"queue": "mail", "name": "n"}, nil)
	victim.waitForJob("started", "1", soon)
	victim.kill()
	if err := victim.try("hello", nil, nil); err == nil {
		t.Error("a killed peer answered")
	}

	heir := startPeer(t, 6, redis.URL())
	heir.call("startWorker", args{"worker": "w", "queue": "mail", "opts": often}, nil)
	heir.waitForJob("stalled", "1", soon)
	done := heir.waitForJob("completed", "1", soon)
	diff(t, "stalled counter", 1, done.Job.StalledCounter)
	diff(t, "starts", 2, done.Job.AttemptsStarted)
}

func TestPeerQuits(t *testing.T) {
	eachMajor(t, func(t *testing.T, p *peer) {
		p.call("startWorker", args{"worker": "w", "queue": "mail", "behaviors": args{"*": args{"hold": true}}}, nil)
		p.call("startQueueEvents", args{"queue": "mail", "events": "e"}, nil)
		p.call("add", args{"queue": "mail", "name": "n"}, nil)
		p.waitForJob("started", "1", soon)
		p.call("quit", nil, nil)
		select {
		case <-p.gone:
		case <-time.After(soon):
			t.Fatal("the peer is still there after quit")
		}
		for _, n := range p.notices() {
			if strings.HasSuffix(n.Event, "Error") {
				t.Errorf("trouble on the way out: %+v", n)
			}
		}
	})
}
