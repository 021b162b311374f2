package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// ErrLeaseLost says that the lease has run out, or that somebody else holds it.
var ErrLeaseLost = errors.New("leader lease lost")

var (
	scriptLead = &script{name: "lead"}
	// The same to a client that must not write.
	scriptLook = &script{name: "lead", readOnly: true}
)

// LeadRequest asks to lead, or to go on leading.
type LeadRequest struct {
	// Name is what is led; those who ask for the same name are rivals. Empty
	// means scheduler.
	Name string
	// Owner tells rivals apart: one process, one owner.
	Owner string
	// TTL is how long the lease lasts without being renewed. Redis counts it,
	// so no client's clock matters.
	TTL time.Duration
	// Above is the highest fence that queues were seen with, 0 for none: a new
	// term gets a higher one, even if the counter of terms was lost.
	Above Fence
	// Info is shown to those who ask who leads.
	Info LeaderInfo
}

// LeaderInfo describes a leader to people.
type LeaderInfo struct {
	Host string
	PID  int
}

// Lease is who leads.
type Lease struct {
	// Held says that the owner who asked leads.
	Held bool
	// Fence is the number of the leader's term. It grows with every leader, and
	// is handed to [Queue.Fenced].
	Fence Fence
	// Leader is the owner who leads, "" when nobody does.
	Leader string
	// Left is how long the lease lasts unless it is renewed.
	Left time.Duration
	// Since is when the term began, by the leader's clock.
	Since time.Time
	Info  LeaderInfo
}

// Lead takes the lead if nobody has it, and tells who leads. For the owner who
// leads already it renews the lease and keeps the term.
func (c *Client) Lead(ctx context.Context, r LeadRequest) (Lease, error) {
	if r.Owner == "" || r.TTL < time.Millisecond {
		return Lease{}, fmt.Errorf("%w: a leader needs an owner and a time to live", ErrInvalidOption)
	}
	return c.lease(ctx, scriptLead, "lead", r, r.Above)
}

// Renew prolongs the owner's lease to a full TTL from now, and never takes a new
// one. It returns ErrLeaseLost, with the lease of whoever leads, when the owner
// does not, or leads in another term than fence.
func (c *Client) Renew(ctx context.Context, r LeadRequest, fence Fence) (Lease, error) {
	if r.TTL < time.Millisecond {
		return Lease{}, fmt.Errorf("%w: a leader needs a time to live", ErrInvalidOption)
	}
	lease, err := c.lease(ctx, scriptLead, "renew", r, fence)
	if err == nil && !lease.Held {
		return lease, fmt.Errorf("%s: %w", r.Owner, ErrLeaseLost)
	}
	return lease, err
}

// Resign gives the lead up, so that another need not wait for the lease to run
// out. It reports whether the owner led in that term.
func (c *Client) Resign(ctx context.Context, r LeadRequest, fence Fence) (bool, error) {
	lease, err := c.lease(ctx, scriptLead, "resign", r, fence)
	return lease.Held, err
}

// Leader tells who leads and changes nothing. name is that of [LeadRequest].
func (c *Client) Leader(ctx context.Context, name string) (Lease, error) {
	return c.lease(ctx, scriptLook, "look", LeadRequest{Name: name}, 0)
}

// leaderBase is where the lease of a name lies. The braces give it a slot of its
// own in Redis Cluster, whatever queues there are.
func leaderBase(name string) KeyBase {
	if name == "" {
		name = "scheduler"
	}
	return KeyBase{Prefix: "qctl", Name: "{" + name + "}"}
}

func (c *Client) lease(ctx context.Context, s *script, mode string, r LeadRequest, fence Fence) (Lease, error) {
	reply, err := s.run(ctx, c, c.rdb, leaderBase(r.Name), mode, r.Owner, r.TTL.Milliseconds(), int64(fence),
		r.Info.Host, r.Info.PID, c.now().UnixMilli())
	if err != nil {
		return Lease{}, err
	}
	answer := replyList(reply)
	text := func(i int) string { return replyText(at(answer, i)) }
	lease := Lease{
		Held: text(0) == "1", Leader: text(2), Left: time.Duration(replyInt(at(answer, 3))) * time.Millisecond,
		Info: LeaderInfo{Host: text(4)}, Since: timeOf(millisOf(at(answer, 6))),
	}
	number, err := strconv.ParseInt(text(1), 10, 64)
	if err != nil {
		return Lease{}, fmt.Errorf("leader of %s: %w: fence %.40q", leaderBase(r.Name), ErrCorrupt, text(1))
	}
	lease.Fence = Fence(number)
	lease.Info.PID, _ = strconv.Atoi(text(5)) // for people only
	return lease, nil
}
