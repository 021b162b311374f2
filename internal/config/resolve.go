package config

import "strings"

// Target is where a QUEUE argument points, and the policy that holds there.
type Target struct {
	Alias      string // empty when the queue is not configured
	Prefix     string
	Name       string // as it lies in Redis, with its hash tag if it has one
	Queue      *Queue // never nil; a copy, with Prefix and Name as above
	Configured bool   // false: Queue holds the defaults of a plain queue
}

// String returns the queue's key base.
func (t Target) String() string { return t.Prefix + ":" + t.Name }

// CheckCreate refuses a target that may be read but not brought into being, for
// example one whose name holds a colon.
func (t Target) CheckCreate() error { return ValidateName(t.Name) }

// Resolve finds the queue that arg means: an alias, else a queue name under the
// active prefix, else a whole key base such as `queue:dev`. A name or key base
// that belongs to a configured queue has that queue's policy.
//
// In a Redis Cluster a queue without a hash tag gets one around its name, so
// that `email` and `bull:email-queue` both mean `bull:{email-queue}` there.
//
// Only malformed arguments are errors; whether the queue exists is not asked.
func (c *Config) Resolve(arg string) (Target, error) {
	if err := checkText("queue", arg); err != nil {
		return Target{}, err
	}
	if i := c.index(arg); i >= 0 {
		return c.target(c.Queues[i]), nil
	}
	prefix, name := c.splitKeyBase(arg)
	if err := checkPart("queue name", name); err != nil {
		return Target{}, err
	}
	if err := checkPrefix(prefix); err != nil {
		return Target{}, err
	}
	plain := c.target(plainQueue(prefix, name))
	for _, q := range c.Queues {
		if t := c.target(q); t.String() == plain.String() {
			return t, nil
		}
	}
	return plain, nil
}

// Targets returns the configured queues of role, in the order in which they are
// shown; an empty role means all of them.
func (c *Config) Targets(role string) []Target {
	var targets []Target
	for _, q := range c.Queues {
		if role == "" || q.Role == role {
			targets = append(targets, c.target(q))
		}
	}
	return targets
}

// target places q on the server at hand.
func (c *Config) target(q Queue) Target {
	q = q.clone()
	if c.Cluster && !hasHashTag(q.Prefix+":"+q.Name) {
		q.Name = "{" + q.Name + "}"
	}
	return Target{Alias: q.Alias, Prefix: q.Prefix, Name: q.Name, Queue: &q, Configured: q.Alias != ""}
}

// splitKeyBase divides arg into prefix and name; without a colon it is a name
// under the active prefix. A known prefix decides where to cut, because names of
// old queues hold colons themselves (`bull:queue:dev`). Otherwise the last colon
// outside a hash tag does, because prefixes may hold colons and new names not.
func (c *Config) splitKeyBase(arg string) (prefix, name string) {
	cut := lastColon(arg)
	if cut < 0 {
		return c.Prefix, arg
	}
	known := []string{c.Prefix}
	for _, q := range c.Queues {
		known = append(known, q.Prefix)
	}
	for _, prefix := range known {
		if name, ok := strings.CutPrefix(arg, prefix+":"); ok {
			return prefix, name
		}
	}
	return arg[:cut], arg[cut+1:]
}

// lastColon returns the place of the last colon outside braces, or -1.
func lastColon(text string) int {
	for i := len(text) - 1; i >= 0; i-- {
		switch text[i] {
		case ':':
			return i
		case '}':
			if open := strings.LastIndexByte(text[:i], '{'); open >= 0 {
				i = open
			}
		}
	}
	return -1
}
