package interop

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/qctl/qctl/internal/redistest"
)

// These tests use the Node peers alone: they prove the driver, not our engine.

const soon = 30 * time.Second

// eachMajor runs a test against Node BullMQ 5 and 6, each with a Redis of its own.
func eachMajor(t *testing.T, test func(t *testing.T, p *peer)) {
	t.Parallel()
	for _, major := range []int{5, 6} {
		t.Run(fmt.Sprintf("bullmq%d", major), func(t *testing.T) {
			t.Parallel()
			requireNode(t)
			test(t, startPeer(t, major, redistest.Start(t).URL()))
		})
	}
}

func diff(t *testing.T, what string, want, got any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func TestPeerSurvivesBadRequests(t *testing.T) {
	eachMajor(t, func(t *testing.T, p *peer) {
		for _, line := range []string{"nonsense", "[]", "null", `"text"`, "{}"} {
			if err := p.write([]byte(line)); err != nil {
				t.Fatal(err)
			}
			p.waitFor("the refusal of "+line, soon, func(n notice) bool { return n.Event == "refused" })
		}
		cases := []struct {
			op   string
			with args
			want string
		}{
			{"fly", nil, `unknown op "fly"`},
			{"constructor", nil, `unknown op "constructor"`},
			{"add", nil, `a request on a queue needs "queue"`},
			{"add", args{"queue": "a:b", "name": "n"}, "Queue name cannot contain :"},
			{"promote", args{"queue": "mail", "jobId": "7"}, "job 7 not found"},
			{"stopWorker", args{"worker": "ghost"}, `no worker "ghost"`},
			{"bullBoardCall", args{"queue": "mail", "method": "get", "route": "/x"}, "bull-board has no route get /x"},
		}
		for _, c := range cases {
			var refused *failure
			if err := p.try(c.op, c.with, nil); !errors.As(err, &refused) {
				t.Fatalf("%s %v: got %v, want a failure", c.op, c.with, err)
			}
			diff(t, c.op, c.want, refused.Message)
		}
		var hello struct {
			BullMQ string `json:"bullmq"`
			PID    int    `json:"pid"`
		}
		p.call("hello", nil, &hello)
		diff(t, "pid", p.pid, hello.PID)
		if !strings.HasPrefix(hello.BullMQ, fmt.Sprintf("%d.", p.major)) {
			t.Errorf("bullmq %s, want major %d", hello.BullMQ, p.major)
		}
	})
}

func TestPeerAddsAndReadsJobs(t *testing.T) {
	eachMajor(t, func(t *testing.T, p *peer) {
		mail := func(more args) args {
			with := args{"queue": "mail", "prefix": "{p}"}
			maps.Copy(with, more)
			return with
		}
		var first jobJSON
		p.call("add", mail(args{"name": "send", "data": args{"to": "ann"}, "opts": args{"attempts": 3}}), &first)
		var rest []jobJSON
		p.call("addBulk", mail(args{"jobs": []args{
			{"name": "send", "data": 2},
			{"name": "send", "data": 3, "opts": args{"delay": 3_600_000}},
			{"name": "send", "data": 4, "opts": args{"priority": 5}},
		}}), &rest)

		diff(t, "counts", map[string]int{"waiting": 2, "delayed": 1, "prioritized": 1, "active": 0},
			counts(p, mail(nil), "waiting", "delayed", "prioritized", "active"))

		var read jobJSON
		p.call("getJob", mail(args{"jobId": first.ID}), &read)
		diff(t, "job", jobJSON{
			ID: "1", QueueName: "mail", Name: "send", State: "waiting",
			Data: map[string]any{"to": "ann"}, Opts: map[string]any{"attempts": 3.0},
			Progress: 0.0, Timestamp: first.Timestamp, Stacktrace: []string{},
		}, read)

		var missing *jobJSON
		p.call("getJob", mail(args{"jobId": "99"}), &missing)
		if missing != nil {
			t.Errorf("job 99 is there: %+v", missing)
		}

		var waiting []jobJSON
		p.call("getJobs", mail(args{"types": []string{"waiting"}, "start": 0, "end": -1, "asc": true}), &waiting)
		diff(t, "waiting ids", []string{"1", "2"}, ids(waiting))

		for id, want := range map[string]string{"1": "waiting", "3": "delayed", "4": "prioritized", "99": "unknown"} {
			var state string
			p.call("getState", mail(args{"jobId": id}), &state)
			diff(t, "state of "+id, want, state)
		}

		// The prefix is part of every key: the default one has no such queue.
		diff(t, "under bull", map[string]int{"waiting": 0}, counts(p, args{"queue": "mail"}, "waiting"))
	})
}

// counts asks for the number of jobs in these states alone; for waiting, BullMQ 5 answers with paused as well.
func counts(p *peer, queue args, states ...string) map[string]int {
	p.t.Helper()
	with := args{"types": states}
	maps.Copy(with, queue)
	var all map[string]int
	p.call("getJobCounts", with, &all)
	maps.DeleteFunc(all, func(state string, _ int) bool { return !slices.Contains(states, state) })
	return all
}

func ids(jobs []jobJSON) []string {
	all := make([]string, len(jobs))
	for i, job := range jobs {
		all[i] = job.ID
	}
	return all
}

func TestPeerChangesJobsAndQueues(t *testing.T) {
	eachMajor(t, func(t *testing.T, p *peer) {
		q := args{"queue": "mail"}
		with := func(more args) args {
			more["queue"] = "mail"
			return more
		}
		state := func(id string) (got string) {
			p.call("getState", with(args{"jobId": id}), &got)
			return got
		}
		late := args{"delay": 3_600_000}
		p.call("addBulk", with(args{"jobs": []args{
			{"name": "a", "opts": late}, {"name": "b", "opts": late}, {"name": "c"}, {"name": "d"},
		}}), nil)

		p.call("promote", with(args{"jobId": "1"}), nil)
		diff(t, "promoted", "waiting", state("1"))
		p.call("changeDelay", with(args{"jobId": "2", "delay": 7_200_000}), nil)
		p.call("changePriority", with(args{"jobId": "3", "opts": args{"priority": 9}}), nil)
		diff(t, "with a priority", "prioritized", state("3"))
		p.call("updateData", with(args{"jobId": "3", "data": args{"x": 1}}), nil)
		p.call("updateProgress", with(args{"jobId": "3", "progress": args{"done": 1}}), nil)
		p.call("log", with(args{"jobId": "3", "row": "one"}), nil)
		p.call("log", with(args{"jobId": "3", "row": "two"}), nil)
		var logs struct {
			Logs  []string `json:"logs"`
			Count int      `json:"count"`
		}
		p.call("getJobLogs", with(args{"jobId": "3"}), &logs)
		diff(t, "logs", []string{"one", "two"}, logs.Logs)
		var changed jobJSON
		p.call("getJob", with(args{"jobId": "3"}), &changed)
		diff(t, "data", any(map[string]any{"x": 1.0}), changed.Data)
		diff(t, "progress", any(map[string]any{"done": 1.0}), changed.Progress)
		p.call("remove", with(args{"jobId": "4"}), nil)
		diff(t, "removed", "unknown", state("4"))

		var paused bool
		p.call("pause", q, nil)
		p.call("isPaused", q, &paused)
		diff(t, "paused", true, paused)
		p.call("resume", q, nil)
		p.call("isPaused", q, &paused)
		diff(t, "paused after resume", false, paused)

		p.call("setGlobalConcurrency", with(args{"concurrency": 7}), nil)
		p.call("setGlobalRateLimit", with(args{"max": 10, "duration": 1000}), nil)
		var meta struct {
			Concurrency int `json:"concurrency"`
			Max         int `json:"max"`
			Duration    int `json:"duration"`
		}
		p.call("getMeta", q, &meta)
		diff(t, "concurrency", 7, meta.Concurrency)
		var limit struct {
			Max      int `json:"max"`
			Duration int `json:"duration"`
		}
		p.call("getGlobalRateLimit", q, &limit)
		diff(t, "limit", []int{10, 1000}, []int{limit.Max, limit.Duration})

		var cleaned []string
		p.call("clean", with(args{"grace": 0, "limit": 10, "type": "delayed"}), &cleaned)
		diff(t, "cleaned", []string{"2"}, cleaned)
		p.call("drain", with(args{"delayed": true}), nil)
		diff(t, "drained", map[string]int{"waiting": 0, "prioritized": 0, "delayed": 0},
			counts(p, q, "waiting", "prioritized", "delayed"))
		p.call("add", with(args{"name": "e"}), nil)
		p.call("obliterate", with(args{"opts": args{"force": true}}), nil)
		diff(t, "obliterated", map[string]int{"waiting": 0}, counts(p, q, "waiting"))
	})
}

func TestPeerAddsFlows(t *testing.T) {
	eachMajor(t, func(t *testing.T, p *peer) {
		type tree struct {
			Job      jobJSON `json:"job"`
			Children []tree  `json:"children"`
		}
		flow := args{"name": "ship", "queueName": "orders", "opts": args{"jobId": "parent"}, "children": []args{
			{"name": "pack", "queueName": "parcels", "opts": args{"jobId": "left"}},
			{"name": "pack", "queueName": "parcels", "opts": args{"jobId": "right"}},
		}}
		var added tree
		p.call("addFlow", args{"flow": flow}, &added)
		diff(t, "children", 2, len(added.Children))
		diff(t, "parent key", "bull:orders:parent", added.Children[0].Job.ParentKey)
		var read tree
		p.call("getFlow", args{"queue": "orders", "jobId": "parent"}, &read)
		children := []string{read.Children[0].Job.ID, read.Children[1].Job.ID}
		slices.Sort(children)
		diff(t, "children read", []string{"left", "right"}, children)

		p.call("startWorker", args{"worker": "packer", "queue": "parcels", "behaviors": args{"pack": args{"return": "ok"}}}, nil)
		p.call("startWorker", args{"worker": "shipper", "queue": "orders", "behaviors": args{"*": args{"childrenValues": true}}}, nil)
		shipped := p.waitForJob("completed", "parent", soon)
		diff(t, "values of the children", any(map[string]any{
			"bull:parcels:left": "ok", "bull:parcels:right": "ok",
		}), shipped.ReturnValue)
	})
}

func TestPeerKeepsSchedulers(t *testing.T) {
	eachMajor(t, func(t *testing.T, p *peer) {
		var next jobJSON
		p.call("upsertJobScheduler", args{
			"queue": "mail", "schedulerId": "nightly", "repeat": args{"pattern": "0 3 * * *", "tz": "Europe/Berlin"},
			"template": args{"name": "report", "data": args{"x": 1}},
		}, &next)
		diff(t, "first iteration", true, strings.HasPrefix(next.ID, "repeat:nightly:"))
		type scheduler struct {
			Key     string `json:"key"`
			Name    string `json:"name"`
			Pattern string `json:"pattern"`
			TZ      string `json:"tz"`
		}
		want := scheduler{Key: "nightly", Name: "report", Pattern: "0 3 * * *", TZ: "Europe/Berlin"}
		var one scheduler
		p.call("getJobScheduler", args{"queue": "mail", "schedulerId": "nightly"}, &one)
		diff(t, "scheduler", want, one)
		var all []scheduler
		p.call("getJobSchedulers", args{"queue": "mail"}, &all)
		diff(t, "schedulers", []scheduler{want}, all)
		var removed bool
		p.call("removeJobScheduler", args{"queue": "mail", "schedulerId": "nightly"}, &removed)
		diff(t, "removed", true, removed)
	})
}
