package config

import (
	"slices"
	"strings"
)

// chooseContext applies the context that --context, QCTL_CONTEXT or the file
// itself names. layer is nil where there is no file.
func (c *Config) chooseContext(s Sources, layer *fileLayer) error {
	name, from, err := c.contextName(s, layer)
	if err != nil || name == "" {
		return err
	}
	if layer == nil {
		return &ValueError{What: "context", Value: name, Want: "there is no configuration file that could define it"}
	}
	chosen := layer.root.get("contexts").get(name)
	if chosen == nil {
		if slices.Contains(c.Contexts, name) {
			return nil // it is there, and what is wrong with it has been reported
		}
		want, near := "the configuration file has no such context", Suggest(name, c.Contexts)
		if near != "" {
			want += ", did you mean " + near + "?"
		} else if len(c.Contexts) > 0 {
			want += ", only " + strings.Join(c.Contexts, ", ")
		}
		return &ValueError{What: "context", Value: name, Want: want, Near: near}
	}
	c.claim("context", from)
	c.Context = name
	// A context replaces the connection as a whole: half of one server's settings
	// must not be used on another.
	if chosen.get("redis") != nil {
		c.Redis = Redis{}
		layer.forget("redis")
	}
	layer.connection(chosen, "")
	layer.prefix(chosen.get("prefix"))
	return nil
}

// contextName returns the context that was chosen, and who chose it.
func (c *Config) contextName(s Sources, layer *fileLayer) (string, Origin, error) {
	if s.ContextSet {
		if s.Context == "" {
			return "", Origin{}, &ValueError{What: "--context", Want: "set but empty, want the name of a context"}
		}
		return s.Context, Origin{Flag, "--context"}, nil
	}
	name, set, err := lookup(s.Env, contextVariable, "want the name of a context")
	if err != nil || set {
		return name, Origin{Env, contextVariable}, err
	}
	if layer == nil {
		return "", Origin{}, nil
	}
	if n := layer.root.get("context"); n != nil {
		return n.text, layer.origin(n), nil
	}
	return "", Origin{}, nil
}
