package cmd

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/qctl/qctl/internal/config"
	"github.com/qctl/qctl/internal/queue"
)

// target is a queue that a command works on.
type target struct {
	config.Target
	q *queue.Queue
}

// label is what the queue is called in results: its alias, else its name.
func (t target) label() string {
	if t.Alias != "" {
		return t.Alias
	}
	return t.Name
}

// argument is a name that every command takes for the queue, whatever the prefix.
func (t target) argument() string {
	if t.Alias != "" {
		return t.Alias
	}
	return t.base().String()
}

// base is the queue's key base.
func (t target) base() queue.KeyBase { return queue.KeyBase{Prefix: t.Prefix, Name: t.Name} }

// resolve finds a queue by name, whether it exists or not.
func (a *app) resolve(arg string) (target, error) {
	client, err := a.connect()
	if err != nil {
		return target{}, err
	}
	t, err := a.config.Resolve(arg)
	if err != nil {
		return target{}, err
	}
	return target{Target: t, q: client.Queue(queue.KeyBase{Prefix: t.Prefix, Name: t.Name})}, nil
}

// existing finds a queue that must exist. A configured queue without jobs
// exists as well: it is only empty.
func (a *app) existing(ctx context.Context, arg string) (target, error) {
	t, err := a.resolve(arg)
	if err != nil || t.Configured {
		return t, err
	}
	found, err := t.q.Exists(ctx)
	if err != nil {
		return target{}, err
	}
	if !found {
		return target{}, a.queueNotFound(ctx, arg)
	}
	return t, nil
}

// queueNotFound words the error with the nearest name that does exist.
func (a *app) queueNotFound(ctx context.Context, arg string) error {
	var names []string
	for _, t := range a.config.Targets("") {
		names = append(names, t.Alias)
	}
	if bases, err := a.client.Queues(ctx, ""); err == nil {
		for _, b := range bases {
			names = append(names, b.Name, b.String())
		}
	}
	suggestion := config.Suggest(arg, names)
	return &notFoundError{
		err:  fmt.Errorf("queue %q not found", arg),
		hint: didYouMean(suggestion, "qctl queues lists the queues"),
		near: suggestion,
	}
}

// roleNotFound words the error with the nearest role that a queue has.
func (a *app) roleNotFound(role string) error {
	var roles []string
	for _, t := range a.config.Targets("") {
		if t.Queue.Role != "" && !slices.Contains(roles, "@"+t.Queue.Role) {
			roles = append(roles, "@"+t.Queue.Role)
		}
	}
	hint := "no configured queue has a role"
	if len(roles) > 0 {
		hint = "the roles are " + strings.Join(roles, ", ")
	}
	near := config.Suggest("@"+role, roles)
	return &notFoundError{err: fmt.Errorf("no queue has the role %q", role), hint: didYouMean(near, hint), near: near}
}

// queues finds the queues that arguments mean: names, globs in quotes, @role.
// Without arguments it is every queue of this Redis, and with configured set
// the configured ones too.
func (a *app) queues(ctx context.Context, args []string) ([]target, error) {
	client, err := a.connect()
	if err != nil {
		return nil, err
	}
	var found []target
	matched := 0
	add := func(t config.Target) {
		matched++
		base := queue.KeyBase{Prefix: t.Prefix, Name: t.Name}
		if !slices.ContainsFunc(found, func(f target) bool { return f.base() == base }) {
			found = append(found, target{Target: t, q: client.Queue(base)})
		}
	}
	for _, arg := range args {
		switch role, isRole := strings.CutPrefix(arg, "@"); {
		case isRole:
			targets := a.config.Targets(role)
			if len(targets) == 0 || role == "" {
				return nil, a.roleNotFound(role)
			}
			for _, t := range targets {
				add(t)
			}
		case strings.ContainsAny(arg, "*?["):
			matched = 0
			if err := a.addGlob(ctx, arg, add); err != nil {
				return nil, err
			}
			if matched == 0 {
				return nil, &notFoundError{err: fmt.Errorf("no queue matches %q", arg)}
			}
		default:
			t, err := a.existing(ctx, arg)
			if err != nil {
				return nil, err
			}
			add(t.Target)
		}
	}
	if len(args) == 0 {
		return found, a.addGlob(ctx, "*", add)
	}
	return found, nil
}

// addGlob adds the queues of this Redis whose alias, name or key base matches.
func (a *app) addGlob(ctx context.Context, glob string, add func(config.Target)) error {
	pattern, err := compileGlob(glob)
	if err != nil {
		return &usageError{err: fmt.Errorf("pattern %q: %w", glob, err)}
	}
	bases, err := a.client.QueuesWithin(ctx, "", a.searchTime)
	if err != nil {
		return err
	}
	for _, b := range bases {
		t, err := a.config.Resolve(b.String())
		if err != nil {
			// A foreign name that qctl could not have made is still shown.
			t = config.Target{Prefix: b.Prefix, Name: b.Name, Queue: &config.Queue{}}
		}
		for _, name := range []string{t.Alias, b.Name, b.String()} {
			if name != "" && pattern.MatchString(name) {
				add(t)
				break
			}
		}
	}
	return nil
}
