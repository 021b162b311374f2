package config

import "time"

// DefaultPrefix is BullMQ's: the prefix of every queue that has none of its own.
const DefaultPrefix = "bull"

// Defaults that hold for every queue, configured or not.
const (
	defaultLockDuration    = 30 * time.Second
	defaultStalledInterval = 30 * time.Second
	defaultMaxStalledCount = 2
)

const day = 24 * time.Hour

// builtinQueues returns a fresh copy of the queues that work without any
// configuration file, in the order in which they are shown.
func builtinQueues() []Queue {
	email := Queue{
		Alias: "email", Name: "email-queue", Concurrency: 5,
		Limiter: &Limiter{Max: 10, Duration: time.Second},
		Backoff: Backoff{Type: BackoffExponential, Delay: time.Minute},
		Schema:  "builtin:email",
	}
	orchestration := Queue{
		Alias: "orchestration", Name: "orchestration-queue", Concurrency: 3,
		Limiter: &Limiter{Max: 5, Duration: time.Minute},
		Backoff: Backoff{Type: BackoffExponential, Delay: 30 * time.Second},
		Timeout: 10 * time.Minute,
		Schema:  "builtin:orchestration",
	}
	queues := []Queue{synthstackQueue(email), synthstackQueue(orchestration)}
	for _, role := range []struct {
		alias           string
		concurrency     int
		defaultPriority int
	}{
		{"chief_of_staff", 2, 5},
		{"ba", 5, 5},
		{"architect", 5, 5},
		{"dev", 3, 5},
		{"qa", 5, 5},
		{"memory", 5, 5},
		{"webhook-outbound", 5, 5},
		{"digest", 5, 10},
	} {
		queues = append(queues, workforce0Queue(role.alias, role.concurrency, role.defaultPriority))
	}
	return queues
}

// synthstackQueue completes a queue of the SynthStack API.
func synthstackQueue(q Queue) Queue {
	q.Prefix = DefaultPrefix
	q.Role = "synthstack"
	q.Priority = Scale{Order: HigherFirst, Min: 0, Max: 10, Default: 0}
	return withSharedPolicy(q)
}

// workforce0Queue is one queue per agent role, named like the role.
func workforce0Queue(alias string, concurrency, defaultPriority int) Queue {
	return withSharedPolicy(Queue{
		Alias: alias, Name: alias, Prefix: "queue", Role: "workforce0",
		Concurrency: concurrency,
		Backoff:     Backoff{Type: BackoffExponential, Delay: 5 * time.Second},
		Priority:    Scale{Order: LowerFirst, Min: 1, Max: 10, Default: defaultPriority},
		Schema:      "builtin:role",
	})
}

// withSharedPolicy sets what all built-in queues have in common.
func withSharedPolicy(q Queue) Queue {
	q.Attempts = 3
	q.LockDuration = defaultLockDuration
	q.StalledInterval = defaultStalledInterval
	q.MaxStalledCount = defaultMaxStalledCount
	q.Keep = Keep{
		Completed: Retention{Age: day, Count: 1000},
		Failed:    Retention{Age: 7 * day},
	}
	return q
}

// plainQueue is the policy of a queue that nobody configured: one job at a
// time, one attempt, everything kept, priorities as BullMQ has them.
func plainQueue(prefix, name string) Queue {
	return Queue{
		Name: name, Prefix: prefix,
		Concurrency:     1,
		Attempts:        1,
		LockDuration:    defaultLockDuration,
		StalledInterval: defaultStalledInterval,
		MaxStalledCount: defaultMaxStalledCount,
		Priority:        Scale{Order: LowerFirst, Min: 0, Max: MaxWirePriority, Default: 0},
	}
}
