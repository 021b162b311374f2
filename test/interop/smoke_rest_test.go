package interop

import "testing"

func TestPeerSetsLimits(t *testing.T) {
	eachMajor(t, func(t *testing.T, p *peer) {
		q := args{"queue": "mail"}
		p.call("setGlobalConcurrency", args{"queue": "mail", "concurrency": 3}, nil)
		var concurrency *int
		p.call("getGlobalConcurrency", q, &concurrency)
		diff(t, "concurrency", 3, *concurrency)
		p.call("removeGlobalConcurrency", q, nil)
		p.call("getGlobalConcurrency", q, &concurrency)
		diff(t, "concurrency removed", (*int)(nil), concurrency)

		p.call("setGlobalRateLimit", args{"queue": "mail", "max": 1, "duration": 1000}, nil)
		p.call("removeGlobalRateLimit", q, nil)
		var limit *struct{}
		p.call("getGlobalRateLimit", q, &limit)
		diff(t, "limit removed", true, limit == nil)

		p.call("rateLimit", args{"queue": "mail", "ms": 60_000}, nil)
		var ttl int
		p.call("getRateLimitTtl", q, &ttl)
		diff(t, "limited for up to a minute", true, ttl > 30_000 && ttl <= 60_000)
		var maxed bool
		p.call("isMaxed", q, &maxed)
		diff(t, "maxed", false, maxed)
	})
}

func TestPeerKeepsOrder(t *testing.T) {
	eachMajor(t, func(t *testing.T, p *peer) {
		q := args{"queue": "mail"}
		once := args{"deduplication": args{"id": "d"}}
		late := args{"delay": 3_600_000}
		p.call("addBulk", args{"queue": "mail", "jobs": []args{
			{"name": "a", "opts": late},
			{"name": "b", "opts": late},
			{"name": "c", "opts": args{"priority": 4}},
			{"name": "d", "opts": once},
		}}, nil)
		var dropped jobJSON
		p.call("add", args{"queue": "mail", "name": "d", "opts": once}, &dropped)
		diff(t, "deduplicated", "4", dropped.ID)
		var owner *string
		p.call("getDeduplicationJobId", args{"queue": "mail", "deduplicationId": "d"}, &owner)
		diff(t, "owner", "4", *owner)
		p.call("removeDeduplicationKey", args{"queue": "mail", "deduplicationId": "d"}, nil)
		p.call("getDeduplicationJobId", args{"queue": "mail", "deduplicationId": "d"}, &owner)
		diff(t, "owner removed", (*string)(nil), owner)

		var perPriority map[string]int
		p.call("getCountsPerPriority", args{"queue": "mail", "priorities": []int{1, 4}}, &perPriority)
		diff(t, "per priority", map[string]int{"1": 0, "4": 1}, perPriority)
		p.call("promoteJobs", q, nil)
		diff(t, "promoted", map[string]int{"delayed": 0, "waiting": 3}, counts(p, q, "delayed", "waiting"))

		p.call("log", args{"queue": "mail", "jobId": "4", "row": "one"}, nil)
		p.call("clearLogs", args{"queue": "mail", "jobId": "4"}, nil)
		var logs struct {
			Count int `json:"count"`
		}
		p.call("getJobLogs", args{"queue": "mail", "jobId": "4"}, &logs)
		diff(t, "logs", 0, logs.Count)
		var orphans int
		p.call("removeOrphanedJobs", q, &orphans)
		diff(t, "orphans", 0, orphans)
		p.call("trimEvents", args{"queue": "mail", "maxLength": 0}, nil)
	})
}

func TestPeerWaitsForChildren(t *testing.T) {
	eachMajor(t, func(t *testing.T, p *peer) {
		flow := func(id string) args {
			return args{"name": "ship", "queueName": "orders", "opts": args{"jobId": id}, "children": []args{
				{"name": "good", "queueName": "parcels", "opts": args{"jobId": id + "-good"}},
				{"name": "bad", "queueName": "parcels", "opts": args{"jobId": id + "-bad", "ignoreDependencyOnFailure": true}},
			}}
		}
		p.call("addFlowBulk", args{"flows": []args{flow("one"), flow("two")}}, nil)
		p.call("removeChildDependency", args{"queue": "parcels", "jobId": "two-good"}, nil)
		p.call("removeChildDependency", args{"queue": "parcels", "jobId": "two-bad"}, nil)
		var state string
		p.call("getState", args{"queue": "orders", "jobId": "two"}, &state)
		diff(t, "freed parent", "waiting", state)
		var dependencies struct {
			Unprocessed []string `json:"unprocessed"`
		}
		p.call("getDependencies", args{"queue": "orders", "jobId": "one"}, &dependencies)
		diff(t, "dependencies", 2, len(dependencies.Unprocessed))

		p.call("startWorker", args{"worker": "packer", "queue": "parcels", "behaviors": args{
			"good": args{"return": 1}, "bad": args{"fail": true, "reason": "lost"},
		}}, nil)
		p.call("startWorker", args{"worker": "shipper", "queue": "orders", "behaviors": args{
			"ship": args{"waitForChildren": true, "updateData": args{"seen": true}, "return": "shipped"},
		}}, nil)
		done := p.waitForJob("completed", "one", soon)
		diff(t, "parent", []any{"shipped", map[string]any{"seen": true}}, []any{done.ReturnValue, done.Job.Data})
		var values, ignored map[string]any
		p.call("getChildrenValues", args{"queue": "orders", "jobId": "one"}, &values)
		diff(t, "values", map[string]any{"bull:parcels:one-good": 1.0}, values)
		p.call("getIgnoredChildrenFailures", args{"queue": "orders", "jobId": "one"}, &ignored)
		diff(t, "ignored", map[string]any{"bull:parcels:one-bad": "lost"}, ignored)

		p.waitForJob("completed", "two", soon)
		p.call("pauseWorker", args{"worker": "shipper"}, nil)
		p.call("add", args{"queue": "orders", "name": "ship", "opts": args{"jobId": "three"}}, nil)
		p.call("getState", args{"queue": "orders", "jobId": "three"}, &state)
		diff(t, "with a paused worker", "waiting", state)
		p.call("resumeWorker", args{"worker": "shipper"}, nil)
		p.waitForJob("completed", "three", soon)
	})
}
