package demo

import (
	"fmt"
	"time"
)

// script is what happens in one queue.
type script struct {
	alias string
	names []string // of its jobs; the more often a name is listed, the more frequent it is
	// every is how long it is from one job to the next, on average.
	every time.Duration
	// tide is how far the rate goes up and down within tideTime, from 0 to 1.
	tide float64
	// runs is how long a job takes.
	runs     span
	troubles []trouble
	payload  func(c chance, name string) any
	result   func(c chance) any
	steps    []string // what a job logs on its way

	// Odds of the priorities that are not the queue's default.
	urgent, background float64
	// later is how many of the jobs are for later, and by how much.
	later   float64
	laterBy span

	// backlog is how many jobs wait at the start, the oldest for waited.
	backlog int
	waited  time.Duration
	// perMinute is how many jobs a minute were done before the start; 0 is all.
	perMinute int
	// silent is for how long nothing has been done at the start.
	silent time.Duration
	paused bool
	// workers is how many there are; 0 is one. absent is how long it is until the first worker comes.
	workers int
	absent  time.Duration
	// crashes is how often a worker dies with a job in its hands.
	crashes time.Duration
}

// trouble is a way in which jobs fail.
type trouble struct {
	odds float64 // of a job to have it
	// lasts is the odds of the next attempt to have it again.
	lasts float64
	// since is how long before the start it began; 0 is always.
	since  time.Duration
	reason func(c chance) string
	where  string // of the stack trace
	takes  span   // until it shows; the zero value is as long as the job
	// final fails the job for good: another attempt would not help.
	final bool
}

const tideTime = 9 * time.Minute

// always is a reason without variations.
func always(reason string) func(chance) string {
	return func(chance) string { return reason }
}

// scripts is one script for each of the built-in queues. Together they show
// every status that the overview knows of a healthy store: one queue has no
// workers for a while, one fails, one falls behind, one is paused, some are busy
// and some idle.
func scripts() []script {
	return append(synthstack(), append(agents(), around()...)...)
}

// synthstack is the queues of an API that sends mail and runs agents.
func synthstack() []script {
	return []script{
		{
			alias: "email", names: []string{"welcome", "password-reset", "invoice", "invoice", "newsletter"},
			every: 1400 * time.Millisecond, tide: 0.4, runs: span{500 * time.Millisecond, 5 * time.Second},
			payload: emailPayload, result: emailResult, workers: 2, urgent: 0.1, background: 0.2,
			backlog: 4, waited: 2 * time.Second,
			later: 0.06, laterBy: span{time.Minute, 40 * time.Minute},
			troubles: []trouble{
				{
					odds: 0.08, lasts: 0.2, where: "SMTPConnection._onReply (smtp.js:312:19)",
					reason: func(c chance) string {
						return fmt.Sprintf("Data command failed: 421 4.7.0 too many connections from 10.20.0.%d", 10+c.IntN(3))
					},
				},
				{
					odds: 0.012, lasts: 1, final: true, where: "SMTPConnection._onReply (smtp.js:298:15)",
					reason: func(c chance) string {
						return fmt.Sprintf("all recipients were rejected: 550 5.1.1 <user-%d@example.com> user unknown", 1000+c.IntN(9000))
					},
				},
			},
		},
		{
			// The queue's own limit of five a minute is what it falls behind for.
			alias: "orchestration", names: []string{"run-agent", "run-agent", "analyze-repo", "nightly-batch", "rerun"},
			every: 8 * time.Second, tide: 0.3, runs: span{3 * time.Second, 9 * time.Second},
			payload: orchestrationPayload, result: orchestrationResult, urgent: 0.05, background: 0.1,
			backlog: 22, waited: 8 * time.Minute, perMinute: 5,
			steps: []string{"loaded project", "asked 3 agents", "created tasks"},
			troubles: []trouble{{
				odds: 0.05, lasts: 0.5, where: "Anthropic.request (client.ts:88:11)",
				reason: func(c chance) string {
					return fmt.Sprintf("429 rate limited: retry after %ds", 5+c.IntN(50))
				},
			}},
		},
	}
}

// agents is the roles that work on tickets.
func agents() []script {
	return []script{
		{
			alias: "chief_of_staff", names: []string{"triage", "triage", "assign", "escalate"},
			every: 9 * time.Second, tide: 0.5, runs: span{900 * time.Millisecond, 4 * time.Second},
			payload: rolePayload("chief_of_staff", "triage", "planning"), result: roleResult, urgent: 0.2,
			backlog: 1, waited: time.Second,
		},
		{
			alias: "ba", names: []string{"refine", "split-story", "estimate"},
			every: 7 * time.Second, tide: 0.5, runs: span{time.Second, 6 * time.Second},
			payload: rolePayload("ba", "requirements", "gherkin"), result: roleResult,
			troubles: []trouble{{
				odds: 0.03, lasts: 1, final: true, where: "validateStory (ba/story.ts:41:11)",
				reason: func(c chance) string {
					return fmt.Sprintf("validation error: field \"acceptanceCriteria\" of WF-%d must not be empty", 2000+c.IntN(3000))
				},
			}},
		},
		{
			alias: "architect", names: []string{"design-review", "write-adr", "threat-model"},
			every: 5 * time.Second, tide: 0.4, runs: span{7 * time.Second, 22 * time.Second},
			payload: rolePayload("architect", "system-design", "security"), result: roleResult, urgent: 0.1,
			backlog: 3, waited: 6 * time.Second,
			steps: []string{"read 14 files", "drafted decision record"},
			troubles: []trouble{{
				odds: 0.05, lasts: 0.9, where: "Planner.prompt (architect/planner.ts:120:9)",
				reason: func(c chance) string {
					return fmt.Sprintf("context length exceeded: %d tokens, at most 200000", 200100+c.IntN(80000))
				},
			}},
		},
		{
			alias: "dev", names: []string{"implement", "implement", "fix-bug", "refactor"},
			every: 4 * time.Second, tide: 0.4, runs: span{6 * time.Second, 22 * time.Second},
			payload: rolePayload("dev", "go", "typescript", "redis"), result: roleResult, workers: 2,
			urgent: 0.15, background: 0.1, backlog: 9, waited: 20 * time.Second, crashes: 20 * time.Second,
			steps: []string{"cloned repository", "wrote patch", "running tests"},
			troubles: []trouble{
				{odds: 0.07, lasts: 0.6, where: "runTests (dev/sandbox.ts:77:13)", reason: func(c chance) string {
					return fmt.Sprintf("exit status 1: npm test: %d of %d tests failed", 1+c.IntN(4), 120+c.IntN(80))
				}},
				{
					odds: 0.02, lasts: 0.3, where: "git (dev/git.ts:19:7)",
					reason: always("fatal: unable to access 'https://git.example/': Could not resolve host"),
				},
			},
		},
		{
			// Its workers have gone with a deployment, and come back.
			alias: "qa", names: []string{"regression", "smoke", "review-diff"},
			every: 6 * time.Second, tide: 0.3, runs: span{2 * time.Second, 7 * time.Second},
			payload: rolePayload("qa", "playwright", "api-tests"), result: roleResult, urgent: 0.1,
			backlog: 17, waited: 3 * time.Minute, silent: 3 * time.Minute, absent: 40 * time.Second,
			troubles: []trouble{{
				odds: 0.06, lasts: 0.7, where: "expect (qa/checkout.spec.ts:63:22)",
				reason: func(c chance) string {
					return fmt.Sprintf("TimeoutError: locator(\"#pay\") not visible after %dms", 30000+c.IntN(40))
				},
			}},
		},
		{
			alias: "memory", names: []string{"embed", "embed", "embed", "summarize", "forget"},
			every: 1500 * time.Millisecond, tide: 0.6, runs: span{time.Second, 7 * time.Second},
			payload: rolePayload("memory", "pgvector"), result: roleResult, background: 0.2,
			backlog: 3, waited: 2 * time.Second,
			troubles: []trouble{{
				odds: 0.02, lasts: 0.4, where: "Client._handleError (pg/client.js:371:12)",
				reason: always("deadlock detected: insert into \"memories\""),
			}},
		},
	}
}

// around is what leaves the house.
func around() []script {
	return []script{
		{
			// One customer's endpoint has stopped answering.
			alias: "webhook-outbound", names: []string{"ticket.updated", "ticket.updated", "ticket.created", "run.finished"},
			every: 1600 * time.Millisecond, tide: 0.3, runs: span{80 * time.Millisecond, 900 * time.Millisecond},
			payload: webhookPayload, result: webhookResult, workers: 2, urgent: 0.05,
			troubles: []trouble{
				{
					odds: 0.42, lasts: 0.95, since: 14 * time.Minute, takes: span{3 * time.Second, 5 * time.Second},
					where: "TCPConnectWrap.afterConnect (node:net:1634:16)",
					reason: func(c chance) string {
						return "connect ETIMEDOUT 10.0.9." + pick(c, "14:443", "14:443", "15:443")
					},
				},
				{odds: 0.04, lasts: 0.5, where: "post (webhook/send.ts:52:11)", reason: func(c chance) string {
					return "HTTP 429 Too Many Requests: hooks." + pick(c, tenants...) + ".example"
				}},
			},
		},
		{
			alias: "digest", names: []string{"daily-digest"},
			every: 30 * time.Second, tide: 0.8, runs: span{600 * time.Millisecond, 3 * time.Second},
			payload: digestPayload, result: roleResult, later: 0.6, laterBy: span{time.Hour, 11 * time.Hour},
			backlog: 12, waited: 17 * time.Minute, silent: 18 * time.Minute, paused: true,
		},
	}
}
