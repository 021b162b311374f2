package cmd_test

import (
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// exampleSetup is what an example needs besides the world that all have.
type exampleSetup struct {
	// instead is pairs of a part of the example and what is typed for it.
	instead []string
	// before is typed before it, after when it has ended, however.
	before, after string
	// redis is for those that need what only a redis-server has.
	redis bool
	// code is its exit code, 0 unless there is a reason.
	code int
	// silent is for those that print nothing: they write a file, or tell what is
	// wrong and nothing is.
	silent bool
	// shows makes it run on a terminal, where keys are typed when this is shown.
	shows, keys string
}

// asked is the setup of an example that asks, and is answered.
func asked(question, answer string) exampleSetup {
	return exampleSetup{shows: question, keys: answer + "\r"}
}

// ownStore is the setup of an example about the embedded store: one that runs,
// with a job in it.
var ownStore = exampleSetup{before: "env -u REDIS_URL qctl enqueue email queueId=1", after: "qctl embedded stop"}

// exampleSetups is what the examples need that do not work in the world alone.
var exampleSetups = map[string]exampleSetup{
	// What is watched is looked at, and ended.
	"qctl top": {shows: "billing", keys: "q"},
	"qctl top email orchestration --refresh 1s":   {shows: "email", keys: "q"},
	"qctl top @workforce0 --read-only":            {shows: "read-only", keys: "q"},
	"qctl top --ascii":                            {shows: "billing", keys: "q"},
	"qctl demo":                                   {shows: "[demo: simulated jobs]", keys: "q"},
	"qctl demo --for 1m":                          {instead: []string{"1m", "1s"}},
	"qctl stats --watch --interval 5s":            {instead: []string{"--watch", "--watch --timeout 1s"}},
	"qctl events --follow --event failed,stalled": {instead: []string{"--follow", "--follow --timeout 1s"}, silent: true},

	// What the condition names is so.
	`qctl stats @workforce0 --fail-if 'errorRate > 20 || oldest > duration("10m")'`: {code: 1},

	// Workers that would wait for more end with the last job.
	"qctl worker --queue email -- ./send.sh":                                      {instead: []string{"qctl worker", "qctl worker --drain"}},
	"qctl worker --queue dev --concurrency 20 --log-format json -- node agent.js": {instead: []string{"qctl worker", "qctl worker --drain"}},
	"qctl worker --queue dev --handler sleep=200ms,fail=0.1":                      {instead: []string{"qctl worker", "qctl worker --drain"}},

	// A scheduler that would go on for ever looks once.
	"qctl scheduler": {instead: []string{"qctl scheduler", "qctl scheduler --once"}},
	"qctl scheduler --lock 5s --every 2s --log-format json": {instead: []string{"qctl scheduler", "qctl scheduler --once"}},

	// Those that ask are answered.
	"qctl clean email --state completed --older-than 24h": asked("[y/N]", "y"),
	"qctl drain email":                                            asked("[y/N]", "y"),
	"qctl obliterate old-imports":                                 asked("Type old-imports to go on:", "old-imports"),
	"qctl remove billing --state failed --older-than 30d":         asked("[y/N]", "y"),
	"qctl embedded reset":                                         {before: ownStore.before, after: ownStore.after, shows: "[y/N]", keys: "y\r"},
	"qctl completion bash > /etc/bash_completion.d/qctl":          {instead: []string{"/etc/", "etc/"}, silent: true},
	`qctl completion zsh > "${fpath[1]}/_qctl"`:                   {instead: []string{"qctl comp", "fpath=([1]=.); qctl comp"}, silent: true},
	"qctl completion fish > ~/.config/fish/completions/qctl.fish": {silent: true},
	// The rest of it is PowerShell.
	"qctl completion powershell | Out-String | Invoke-Expression": {instead: []string{" | Out-String | Invoke-Expression", ""}},

	// Those that are about the embedded store.
	"qctl embedded status":                          ownStore,
	"qctl embedded status -o json":                  ownStore,
	"qctl embedded status -o json | jq -r .running": ownStore,
	"qctl embedded stop":                            ownStore,
	"qctl embedded stop --timeout 10s":              ownStore,
	"qctl embedded reset --yes":                     ownStore,
	"qctl config schema > qctl.schema.json":         {silent: true},
	"qctl show email 42 --raw > payload.json":       {silent: true},
	"qctl init":           {before: "rm qctl.yaml"},
	"qctl init --dry-run": {before: "rm qctl.yaml"},
	"qctl config validate deploy/qctl.yaml -o json | jq -r '.problems[].key'": {before: "echo 'contexts: {a: {colour: red}}' >> deploy/qctl.yaml", code: 2}, // it tells of a mistake

	"source <(qctl completion bash)":                                     {silent: true},
	"qctl demo --for 10s -o json | jq '.queues[] | select(.failed > 0)'": {instead: []string{"10s", "1s"}, silent: true}, // luck decides whether a job fails

	// Schedules that exist, or that are well.
	"qctl schedule add digest daily --pattern '0 7 * * *' --tz Europe/Berlin": {before: "qctl schedule remove digest daily"},
	"qctl schedule list @workforce0 --unhealthy":                              {silent: true},

	// A worker is a connection with a name.
	"qctl workers":                     {redis: true},
	"qctl workers @workforce0 -o wide": {redis: true},
	"qctl workers email orchestration": {redis: true},
	`qctl workers -o json | jq -r 'group_by(.queue)[] | "\(.[0].queue) \(length)"'`: {redis: true},

	// The id depends on the reason.
	"qctl failed orchestration --cause 3f9a1c --limit 0 -o ndjson | jq -r .id": {
		instead: []string{"3f9a1c", `"$(qctl failed orchestration --by cause --jq '.[0].cause')"`},
	},
}

// exampleFiles are the files that examples name.
var exampleFiles = map[string]string{
	"qctl.yaml": "version: 1\ncontexts:\n  prod: {prefix: bull}\n" +
		"schedules:\n  - {queue: digest, id: daily, pattern: '30 7 * * *', tz: Europe/Berlin}\n",
	"deploy/qctl.yaml":                     "version: 1\n",
	"send.sh":                              "#!/bin/sh\ncat > /dev/null\n",
	"run.sh":                               "#!/bin/sh\ncat > /dev/null\n",
	"agent.js":                             "process.stdin.resume()\n",
	"jobs.json":                            `[{"ticketId": "T-1", "skills": []}, {"ticketId": "T-2", "skills": ["go"]}]`,
	"etc/bash_completion.d/README":         "",
	".config/fish/completions/README.fish": "",
}

// exampleJobs are the jobs that examples speak of, and others.
var exampleJobs = []exampleJob{
	{queue: "email-queue", state: queue.StateFailed, name: "digest-daily", id: 42},
	{queue: "email-queue", state: queue.StateCompleted, name: "send"},
	{queue: "email-queue", state: queue.StateCompleted, name: "send", now: true},
	{queue: "email-queue", state: queue.StateActive, name: "send", now: true},
	{queue: "email-queue", state: queue.StateWaiting, name: "send", now: true},
	{queue: "email-queue", state: queue.StatePrioritized, name: "send", now: true},
	{queue: "email-queue", state: queue.StateDelayed, name: "reminder", now: true},
	{queue: "email-queue", state: queue.StateDelayed, name: "reminder", now: true, id: 90452},
	{queue: "orchestration-queue", state: queue.StateFailed, name: "batch-plan"},
	{queue: "orchestration-queue", state: queue.StateCompleted, name: "batch-plan", id: 7, now: true},
	{queue: "orchestration-queue", state: queue.StateWaiting, name: "batch-plan", now: true},
	{queue: "billing", state: queue.StateCompleted, name: "charge-card"},
	{queue: "billing", state: queue.StateFailed, name: "charge-card"},
	{queue: "billing", state: queue.StateFailed, name: "charge-card", id: 90452, now: true},
	{queue: "billing", state: queue.StateFailed, name: "charge-card", now: true},
	{queue: "billing", state: queue.StateDelayed, name: "charge-card", now: true},
	{queue: "dev", state: queue.StateFailed, name: "plan", now: true},
	{queue: "dev", state: queue.StateFailed, name: "plan"}, // the last: jobs of so long ago go when others fail
	{queue: "dev", state: queue.StateWaiting, name: "plan", now: true},
	{queue: "old-imports", state: queue.StateCompleted, name: "import"},
	{queue: "old-imports", state: queue.StateWaiting, name: "import"},
}

// exampleSchedules are the schedules that examples speak of. One is paused, and
// one has lost its next job.
var exampleSchedules = []exampleSchedule{
	{queue: "digest", spec: queue.SchedulerSpec{ID: "daily", Pattern: "0 7 * * *", TZ: "Europe/Berlin"}},
	{queue: "digest", spec: queue.SchedulerSpec{ID: "weekly", Pattern: "0 9 * * 1", TZ: "Europe/Berlin"}},
	{queue: "digest", spec: queue.SchedulerSpec{ID: "nightly", Pattern: "0 2 * * *", TZ: "UTC"}, paused: true},
	{queue: "email-queue", spec: queue.SchedulerSpec{ID: "cleanup", Every: time.Hour, Data: []byte(`{"queueId":"cleanup"}`)}, stopped: true},
	{queue: "email-queue", spec: queue.SchedulerSpec{ID: "hourly-check", Pattern: "0 * * * *", TZ: "UTC", Data: []byte(`{"queueId":"check"}`)}},
}

type exampleSchedule struct {
	queue           string
	spec            queue.SchedulerSpec
	paused, stopped bool
}

// exampleLegacy is a repeatable job of BullMQ 5, of the queue billing.
var exampleLegacy = [][]any{
	{"ZADD", "bull:billing:repeat", "1895312800000", "4b2c5f0e8d1a7c93b6e4f2a1d0c9b8a7"},
	{"HSET", "bull:billing:repeat:4b2c5f0e8d1a7c93b6e4f2a1d0c9b8a7", "name", "report", "pattern", "0 7 * * *"},
	{
		"HSET", "bull:billing:repeat:4b2c5f0e8d1a7c93b6e4f2a1d0c9b8a7:1895312800000", "name", "report", "data", "{}",
		"opts", `{"repeat":{"pattern":"0 7 * * *","count":1}}`, "rjk", "4b2c5f0e8d1a7c93b6e4f2a1d0c9b8a7", "timestamp", "1767323000000",
	},
	{"ZADD", "bull:billing:delayed", "7763201228800000000", "repeat:4b2c5f0e8d1a7c93b6e4f2a1d0c9b8a7:1895312800000"},
}

type exampleJob struct {
	queue string
	state queue.State
	name  string
	id    int // zero means the next
	now   bool
}

// examplePrefix is that of the built-in roles, or else the usual one.
func examplePrefix(name string) string {
	if name == "dev" || name == "digest" {
		return "queue"
	}
	return "bull"
}
