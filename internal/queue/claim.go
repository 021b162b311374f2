package queue

import (
	"context"
	"sync"
	"time"
)

// MaxClaim is the most jobs that one call claims or settles.
const MaxClaim = 500

// ClaimRequest says how many jobs a worker can take, and how.
type ClaimRequest struct {
	// N is the number of free slots, at most MaxClaim.
	N int
	// Token proves ownership of the claimed jobs. Every claim needs a token
	// of its own, so that a job which was lost and claimed again by the same
	// worker is not mistaken for the first one.
	Token string
	// Lock is how long the jobs stay locked unless renewed.
	Lock time.Duration
	// Limiter bounds how many jobs all workers of the queue start; nil means
	// no limit but the queue's own.
	Limiter *Limiter
	// Worker is stored with the job as the one that processed it.
	Worker string
}

// Limiter allows Max starts in each Duration, a fixed window.
type Limiter struct {
	Max      int
	Duration time.Duration
}

// Claimed is the answer to a [ClaimRequest].
type Claimed struct {
	Jobs []Job
	// Dropped are ids that stood in the queue without a job behind them, or
	// with a key that is no job. They are out of the queue now.
	Dropped []string
	Wait    Wait
}

// Wait says when asking again makes sense. The zero value: as soon as the
// queue's marker says so.
type Wait struct {
	// RateLimited is how long the rate limit holds.
	RateLimited time.Duration
	// NextDelayed is when the earliest delayed job is due.
	NextDelayed time.Time
	// Paused: the queue hands out no jobs. Maxed: its global concurrency
	// holds some back.
	Paused, Maxed bool
}

// Empty reports that the queue had no more waiting jobs, in an answer that
// brought fewer than were asked for.
func (w Wait) Empty() bool { return w.RateLimited == 0 && !w.Paused && !w.Maxed }

// Claim moves up to N waiting jobs to active and locks them; standard jobs
// before prioritized ones. It never waits: no job is no error.
func (q *Queue) Claim(ctx context.Context, r ClaimRequest) (Claimed, error) {
	args := append([]any{q.nowMS()}, r.args()...)
	reply, err := q.run(ctx, scriptClaim, args...)
	if err != nil {
		return Claimed{}, err
	}
	return q.decodeClaimed(reply, r.Token), nil
}

// args are the arguments that claim.lua and settle.lua share.
func (r *ClaimRequest) args() []any {
	limitMax, limitDuration := any(""), any("")
	if r.Limiter != nil {
		limitMax, limitDuration = r.Limiter.Max, r.Limiter.Duration.Milliseconds()
	}
	return []any{min(r.N, MaxClaim), r.Token, r.Lock.Milliseconds(), limitMax, limitDuration, r.Worker}
}

func (q *Queue) decodeClaimed(reply any, token string) Claimed {
	parts := replyList(reply)
	entries := replyList(at(parts, 0))
	claimed := Claimed{Dropped: replyTexts(at(parts, 4))}
	if len(entries) > 1 {
		claimed.Jobs = make([]Job, len(entries)/2)
	}
	for i := range claimed.Jobs {
		job := &claimed.Jobs[i]
		job.ID, job.State, job.Token = replyText(entries[2*i]), StateActive, token
		for f, value := range replyList(entries[2*i+1]) {
			if text, ok := value.(string); ok {
				decodeField(job, claimFields[f], text)
			}
		}
		job.Options = q.client.options.get(string(job.Opts))
		if job.Options != nil {
			job.Attempts = job.Options.Attempts
		}
		checkRunnable(job)
	}
	if ms := replyInt(at(parts, 1)); ms > 0 {
		claimed.Wait.RateLimited = time.Duration(ms) * time.Millisecond
	}
	if ms := replyInt(at(parts, 2)); ms > 0 {
		claimed.Wait.NextDelayed = time.UnixMilli(ms)
	}
	switch replyText(at(parts, 3)) {
	case "paused":
		claimed.Wait.Paused = true
	case "maxed":
		claimed.Wait.Maxed = true
	}
	return claimed
}

// optionsCache remembers the options that most jobs of a queue share, word for
// word. It is emptied when full: jobs whose options differ gain nothing.
type optionsCache struct {
	mu    sync.Mutex
	known map[string]*JobOptions
}

const optionsCacheSize = 256

// get returns nil for a text that is not a JSON object.
func (c *optionsCache) get(text string) *JobOptions {
	c.mu.Lock()
	defer c.mu.Unlock()
	if o, ok := c.known[text]; ok {
		return o
	}
	var decoded *JobOptions
	if o, err := DecodeOptions([]byte(text)); err == nil {
		decoded = &o
	}
	if len(c.known) >= optionsCacheSize {
		clear(c.known)
	}
	if len(text) < 1024 {
		c.known[text] = decoded
	}
	return decoded
}
