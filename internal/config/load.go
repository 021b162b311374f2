package config

import (
	"errors"
	"fmt"
	"path/filepath"
)

// Sources is where a configuration is read from.
type Sources struct {
	Env     func(string) (string, bool) // as os.LookupEnv
	Environ []string                    // as os.Environ
	Dir     string                      // where qctl.yaml is looked for; empty: the working directory

	File       string // the value of --config
	FileSet    bool   // --config was given
	Context    string // the value of --context
	ContextSet bool   // --context was given
	NoFile     bool   // read the environment only
}

// LoadFrom builds the configuration from the built-in tables, the file and the
// environment. Everything that is wrong is reported in the one returned error,
// which joins FileErrors and ValueErrors; the Config is nil then, and the
// warnings are still valid. A file that holds a secret and can be read by
// others is ErrSecretExposed.
func LoadFrom(s Sources) (*Config, []Warning, error) {
	c := builtin()
	warnings, err := c.loadFile(s)
	errs := []error{err}
	more, err := c.loadEnv(s.Env, s.Environ)
	warnings = append(warnings, more...)
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, warnings, err
	}
	c.sources = s
	return c, warnings, nil
}

// Reload reads everything anew, from where c was read from, and returns the new
// configuration. With an error c remains what it was and is the one to go on
// with. Flags that were set on c are not set on the new one.
func (c *Config) Reload() (*Config, []Warning, error) {
	s := c.sources
	if s.Env == nil {
		return nil, nil, errors.New("a configuration that was not loaded cannot be loaded again")
	}
	// The same file, even if another one would be found first by now.
	if c.File != "" {
		s.File, s.FileSet = c.File, true
	}
	return LoadFrom(s)
}

// loadFile reads the file, if there is one, and applies it and its context.
func (c *Config) loadFile(s Sources) ([]Warning, error) {
	if s.NoFile {
		return nil, nil
	}
	name, err := s.find()
	if err != nil {
		return nil, err
	}
	if name == "" {
		return nil, c.chooseContext(s, nil)
	}
	c.File = name
	data, info, err := readFile(name)
	if err != nil {
		return nil, err
	}
	layer := &fileLayer{config: c, problems: &problems{file: name}, dir: filepath.Dir(name)}
	layer.load(data)
	err = c.chooseContext(s, layer)
	layer.workforce0(layer.root.get("workforce0"))
	layer.schedules(layer.root.get("schedules")) // a context may move their queues
	errs := []error{layer.problems.err(), err}

	var warnings []Warning
	readable, writable := access(info)
	switch {
	case readable && layer.holdsSecret != nil:
		errs = append(errs, fmt.Errorf("%s:%d:%d: %w", name, layer.holdsSecret.line, layer.holdsSecret.column, ErrSecretExposed))
	case readable:
		warnings = append(warnings, Warning{Variable: name, Message: "can be read by others; chmod o-rwx keeps it private"})
	}
	if writable {
		warnings = append(warnings, Warning{Variable: name, Message: "can be changed by others, who could have programs run; chmod go-w"})
	}
	return warnings, errors.Join(errs...)
}
