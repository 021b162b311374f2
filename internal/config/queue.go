package config

import "time"

// Queue is the policy of one queue: where it lies and how its jobs are run.
type Queue struct {
	Alias           string // what people type; empty when the queue is not configured
	Name            string
	Prefix          string
	Role            string        // what @role selects
	Concurrency     int           // jobs run at once by one worker process
	Limiter         *Limiter      // nil: no rate limit
	Attempts        int           // runs before a job fails for good, at least 1
	Backoff         Backoff       // delay between attempts
	Timeout         time.Duration // of one run; 0: none
	LockDuration    time.Duration
	StalledInterval time.Duration
	MaxStalledCount int // stalls after which a job fails for good
	Keep            Keep
	Priority        Scale
	Schema          string // payload schema, see Validate; empty: any JSON
	Handler         *Handler
	Record          *Record
	OnFailed        *OnFailed
}

// KeyBase returns the two parts of the queue's key base, `<prefix>:<name>`, as
// configured. In a Redis Cluster the name may still need a hash tag, which
// Resolve adds.
func (q Queue) KeyBase() (prefix, name string) { return q.Prefix, q.Name }

// Limiter lets at most Max jobs of a queue start within Duration.
type Limiter struct {
	Max      int
	Duration time.Duration
}

// Backoff kinds that every worker understands.
const (
	BackoffFixed       = "fixed"
	BackoffExponential = "exponential"
)

// Backoff is the delay before a failed attempt is repeated. The zero value
// repeats at once.
type Backoff struct {
	Type   string
	Delay  time.Duration
	Jitter float64 // share of the delay that is random, 0 to 1
}

// Keep says which finished jobs stay in Redis.
type Keep struct {
	Completed Retention
	Failed    Retention
}

// Retention bounds finished jobs of one state. A zero field sets no bound, so
// the zero value keeps everything.
type Retention struct {
	Age   time.Duration
	Count int
}
