package queue

import (
	"context"
	"errors"
	"time"
)

// ErrLeaseLost: the lease has run out, or somebody else holds it.
var ErrLeaseLost = errors.New("leader lease lost")

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
// leads already it renews the lease.
func (c *Client) Lead(ctx context.Context, r LeadRequest) (Lease, error) {
	return Lease{}, errNotYet
}

// Renew prolongs the owner's lease to a full TTL from now, and never takes a new
// one. It returns ErrLeaseLost, with the lease of whoever leads, when the owner
// does not, or leads in another term than fence.
func (c *Client) Renew(ctx context.Context, r LeadRequest, fence Fence) (Lease, error) {
	return Lease{}, errNotYet
}

// Resign gives the lead up, so that another need not wait for the lease to run
// out. It reports whether the owner led in that term.
func (c *Client) Resign(ctx context.Context, r LeadRequest, fence Fence) (bool, error) {
	return false, errNotYet
}

// Leader tells who leads and changes nothing. name is that of [LeadRequest].
func (c *Client) Leader(ctx context.Context, name string) (Lease, error) {
	return Lease{}, errNotYet
}
