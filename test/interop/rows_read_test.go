package interop

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"github.com/qctl/qctl/internal/queue"
)

// reads is a question that both sides answer, and that changes nothing.
func (q place) reads(name, request string, with args, theirs func(s *stage, raw json.RawMessage) any, ours func(s *stage, q *queue.Queue) any) op {
	return op{
		fmt.Sprint("read ", name, " ", with),
		func(s *stage) any {
			var raw json.RawMessage
			if refused := s.ask(request, on(string(q), with), &raw); refused != nil {
				return plainRefusal(refused)
			}
			return theirs(s, raw)
		},
		func(s *stage) any { return ours(s, s.q(string(q))) },
	}
}

// decoded reads an answer of the peer.
func decoded[T any](s *stage, raw json.RawMessage) (v T) {
	s.t.Helper()
	s.must(json.Unmarshal(raw, &v))
	return v
}

// readsCounts compares the numbers per state. BullMQ 5 counts the waiting jobs of a paused queue apart.
func (q place) readsCounts() op {
	return q.reads("counts", "getJobCounts", nil, func(s *stage, raw json.RawMessage) any {
		all := decoded[map[string]int64](s, raw)
		all["waiting"] += all["paused"]
		delete(all, "paused")
		return all
	}, func(s *stage, q *queue.Queue) any {
		c, err := q.Counts(s.ctx)
		if err != nil {
			return told(err)
		}
		return map[string]int64{
			"active": c.Active, "completed": c.Completed, "delayed": c.Delayed, "failed": c.Failed, "prioritized": c.Prioritized,
			"waiting": c.Waiting, "waiting-children": c.WaitingChildren,
		}
	})
}

func (q place) readsState(id string) op {
	return q.reads("state", "getState", args{"jobId": id}, func(s *stage, raw json.RawMessage) any {
		return decoded[string](s, raw)
	}, func(s *stage, q *queue.Queue) any {
		states, err := q.StateOf(s.ctx, []string{id})
		if err != nil {
			return told(err)
		}
		if states[0] == "" {
			return "unknown"
		}
		return states[0]
	})
}

// readsJobs lists the ids of a state from start to end, both included; -1 is the last.
func (q place) readsJobs(state string, start, end int, asc bool) op {
	types := []string{state}
	if state == "waiting" {
		types = []string{"wait", "paused"} // one of them is empty
	}
	return q.reads("jobs", "getJobs", args{"types": types, "start": start, "end": end, "asc": asc}, func(s *stage, raw json.RawMessage) any {
		return append([]string{}, ids(decoded[[]jobJSON](s, raw))...)
	}, func(s *stage, q *queue.Queue) any {
		count := end - start + 1
		if end < 0 {
			count = queue.MaxList
		}
		listed, err := q.List(s.ctx, queue.ListRequest{State: queue.State(state), Start: start, Count: count, Newest: !asc, Fields: queue.FieldsRow})
		if err != nil {
			return told(err)
		}
		all := []string{}
		for _, job := range listed.Jobs {
			all = append(all, job.ID)
		}
		return all
	})
}

// readsJob compares what both read of one job.
func (q place) readsJob(id string) op {
	return q.reads("job", "getJob", args{"jobId": id}, func(s *stage, raw json.RawMessage) any {
		job := decoded[*jobJSON](s, raw)
		if job == nil {
			return "code -1"
		}
		return []any{
			job.Name, job.State, job.Data, job.Priority, job.Delay, job.Timestamp, job.ProcessedOn, job.FinishedOn, job.ProcessedBy,
			job.AttemptsMade, job.AttemptsStarted, job.StalledCounter, job.FailedReason, job.ReturnValue,
		}
	}, func(s *stage, q *queue.Queue) any {
		job, err := q.Get(s.ctx, id, queue.FieldsAll, 0)
		if err != nil {
			return told(err)
		}
		ms := func(unix int64) int64 { return max(0, unix) }
		var value any = job.ReturnValue
		if len(job.ReturnValue) == 0 {
			value = nil
		}
		return []any{
			job.Name, job.State, job.Data, job.Priority, job.Delay.Milliseconds(), ms(job.Timestamp.UnixMilli()), ms(job.ProcessedOn.UnixMilli()),
			ms(job.FinishedOn.UnixMilli()), job.ProcessedBy, job.AttemptsMade, job.AttemptsStarted, job.StalledCounter, job.FailedReason, value,
		}
	})
}

func (q place) readsLogs(id string, start, end int, asc bool) op {
	type page struct {
		Logs  []string `json:"logs"`
		Count int64    `json:"count"`
	}
	return q.reads("logs", "getJobLogs", args{"jobId": id, "start": start, "end": end, "asc": asc}, func(s *stage, raw json.RawMessage) any {
		p := decoded[page](s, raw)
		return fmt.Sprintf("%d %q", p.Count, p.Logs)
	}, func(s *stage, q *queue.Queue) any {
		count := int64(end - start + 1)
		if end < 0 {
			count = math.MaxInt32
		}
		lines, total, err := q.Logs(s.ctx, id, int64(start), count, asc)
		if err != nil {
			return told(err)
		}
		return fmt.Sprintf("%d %q", total, lines)
	})
}

func (q place) readsMetrics(which string) op {
	type metrics struct {
		Meta struct {
			Count     int64 `json:"count"`
			PrevTS    int64 `json:"prevTS"`
			PrevCount int64 `json:"prevCount"`
		} `json:"meta"`
		Data []any `json:"data"`
	}
	form := func(count, since, before int64, data string) any { return fmt.Sprint(count, since, before, data) }
	return q.reads("metrics", "getMetrics", args{"type": which}, func(s *stage, raw json.RawMessage) any {
		m := decoded[metrics](s, raw)
		return form(m.Meta.Count, m.Meta.PrevTS, m.Meta.PrevCount, strings.Trim(fmt.Sprint(m.Data), "[]"))
	}, func(s *stage, q *queue.Queue) any {
		m, err := q.Metrics(s.ctx, queue.State(which))
		if err != nil {
			return told(err)
		}
		since := int64(0)
		if !m.Since.IsZero() {
			since = m.Since.UnixMilli()
		}
		return form(m.Count, since, m.PrevCount, strings.Trim(fmt.Sprint(m.Minutes), "[]"))
	})
}

func (q place) readsPaused() op {
	return q.reads("paused", "isPaused", nil, func(s *stage, raw json.RawMessage) any { return decoded[bool](s, raw) }, func(s *stage, q *queue.Queue) any {
		paused, err := q.IsPaused(s.ctx)
		s.must(err)
		return paused
	})
}

// readsLimits compares the limits of the whole queue.
func (q place) readsLimits() op {
	return op{
		"read limits",
		func(s *stage) any {
			var concurrency, rate any
			s.ask("getGlobalConcurrency", on(string(q), nil), &concurrency)
			s.ask("getGlobalRateLimit", on(string(q), nil), &rate)
			return []any{concurrency, rate}
		},
		func(s *stage) any {
			l, err := s.q(string(q)).Limits(s.ctx)
			s.must(err)
			var rate any
			if l.Max != nil {
				rate = args{"max": *l.Max, "duration": l.Duration.Milliseconds()}
			}
			return []any{l.Concurrency, rate}
		},
	}
}

// rowsOfReads are wire section 12.
func rowsOfReads() []row {
	states := []string{"waiting", "prioritized", "delayed", "active", "completed", "failed"}
	house := append(fullHouse(), mail.logs("3", "two", 0), mail.logs("3", "three", 0))
	var lists, single []op
	for _, state := range states {
		for _, asc := range []bool{true, false} {
			lists = append(lists, mail.readsJobs(state, 0, -1, asc), mail.readsJobs(state, 0, 0, asc), mail.readsJobs(state, 1, 2, asc), mail.readsJobs(state, 5, 9, asc))
		}
	}
	for _, id := range []string{"1", "2", "3", "4", "6", "7", "8", "9", "10", "99"} {
		single = append(single, mail.readsState(id), mail.readsJob(id))
	}
	logs := []op{
		mail.readsLogs("3", 0, -1, true), mail.readsLogs("3", 0, -1, false), mail.readsLogs("3", 0, 1, true), mail.readsLogs("3", 0, 1, false),
		mail.readsLogs("3", 1, 1, false), mail.readsLogs("3", 2, 7, true), mail.readsLogs("1", 0, -1, true),
	}
	counts := []op{mail.readsCounts(), mail.readsPaused(), mail.readsLimits()}
	paused := append(house[:len(house):len(house)], mail.pauses(), mail.limits(4), mail.rates(3, 5000))
	return []row{
		{name: "count", wire: "12.1", start: house, ops: counts},
		{name: "count in a paused queue", wire: "12.1 11", start: paused, ops: counts},
		{name: "count in a new queue", wire: "12.1", ops: counts},
		{name: "list", wire: "12.2", start: house, ops: lists},
		{name: "list in a paused queue", wire: "12.2 4.17", start: paused, ops: lists},
		{name: "look at jobs", wire: "12.3", start: house, ops: single},
		{name: "look at jobs of a paused queue", wire: "12.3", start: paused, ops: single},
		{name: "read logs", wire: "4.14", start: house, ops: logs},
	}
}

// rowsOfRefusals are wire section 13: nothing is written, and the caller is told why.
func rowsOfRefusals() []row {
	gone := []op{mail.add("a", args{"delay": hour}), mail.keepsHold("1"), mail.removes("1", true)}
	goneActive := []op{mail.add("a", args{"attempts": 3}), mail.take(), does("DEL", "bull:q:1")}
	active := []op{mail.adds(job("a", args{"attempts": 3}), job("b", nil)), mail.take()}
	noLock := append(active[:2:2], does("DEL", "bull:q:1:lock"))
	wrong := end{token: "u"}
	wrongFail := end{token: "u", fail: "boom"}
	waits := []op{mail.adds(job("a", nil), job("b", nil)), mail.keepsHold("1")}
	return []row{
		{name: "change what is gone", wire: "13 4.14", start: gone, ops: []op{
			mail.changesDelay("1", 5), mail.changesPriority("1", 5, false), mail.updatesData("1", 1), mail.updatesProgress("1", 1), mail.logs("1", "x", 0),
		}},
		{
			name: "promote what is gone", wire: "13 4.14", start: gone, ops: []op{mail.promotes("1")},
			kept: []kept{{id: "missing-is-missing", differs: []string{"answer"}}},
		},
		{name: "retry what is gone", wire: "13 4.18", start: []op{
			mail.add("a", nil), mail.take(), mail.failed("1"), mail.keepsHold("1"), mail.removes("1", true),
		}, ops: []op{mail.retries("1", "failed", false), mail.retries("1", "completed", false)}},
		{name: "change what is elsewhere", wire: "13 4.14 4.18", start: waits, ops: []op{
			mail.promotes("1"), mail.changesDelay("1", 5), mail.retries("1", "failed", false), mail.retries("1", "completed", false),
		}},
		{name: "retry from the other end", wire: "13 4.18", start: []op{mail.add("a", nil), mail.take(), mail.failed("1")}, ops: []op{mail.retries("1", "completed", false)}},
		{name: "finish what is gone", wire: "13 4.6", start: goneActive, ops: []op{mail.done("1"), mail.failed("1"), mail.postpones("1", 5), mail.givesBack("1")}},
		{name: "finish without a lock", wire: "13 4.6 4.9 4.10 4.11", start: noLock, ops: []op{mail.done("1"), mail.failed("1"), mail.postpones("1", 5), mail.givesBack("1")}},
		{name: "finish with the lock of another", wire: "13 4.6 4.10", start: active, ops: []op{mail.ends("1", wrong), mail.ends("1", wrongFail)}},
		{name: "finish what is not active", wire: "13 4.6", start: append(active[:2:2], does("LREM", "bull:q:active", 1, "1")), ops: []op{mail.done("1")}},
		{
			name: "fail what is not active", wire: "13 4.10", start: append(active[:2:2], does("LREM", "bull:q:active", 1, "1")), ops: []op{mail.failed("1")},
			kept: []kept{{id: "refusals-write-nothing", differs: []string{"q:1#failedReason", "q:1#stacktrace"}}},
		},
	}
}
