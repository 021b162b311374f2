package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// concurrencyVariable starts every variable that overrides a queue's
// concurrency; the queue's alias follows.
const concurrencyVariable = "BULLMQ_CONCURRENCY_"

// cronVariable restricts which instance owns the clock.
const cronVariable = "WORKFORCE0_CRON_ENABLED"

const (
	wantConcurrency = "want an integer from 1 to 10000"
	wantBool        = "want true, yes, on, 1 or false, no, off, 0"
)

// Warning is something odd in the environment or about the file that stops
// nothing.
type Warning struct {
	Variable   string // or the file
	Message    string
	Suggestion string // the alias that was probably meant; may be empty
}

// String returns the warning as one line.
func (w Warning) String() string {
	text := w.Variable + ": " + w.Message
	if w.Suggestion != "" {
		text += ", did you mean " + w.Suggestion + "?"
	}
	return text
}

// Load builds the configuration from the built-in tables and the environment
// alone. env looks up one variable as os.LookupEnv does; environ lists all as
// os.Environ does and serves to find misspelled ones. For errors and warnings
// see [LoadFrom].
func Load(env func(string) (string, bool), environ []string) (*Config, []Warning, error) {
	return LoadFrom(Sources{Env: env, Environ: environ, NoFile: true})
}

// loadEnv applies the environment.
func (c *Config) loadEnv(env func(string) (string, bool), environ []string) ([]Warning, error) {
	var errs []error
	warnings, err := c.loadPrefix(env)
	errs = append(errs, err, c.loadReadOnly(env), c.loadOutput(env), c.loadDigestHour(env))
	c.loadRedis(env)
	c.CronOwner, c.CronOwnerSet = env(cronVariable)

	variables, err := c.concurrencyVariables()
	errs = append(errs, err, c.loadConcurrency(env, variables))
	return append(warnings, c.unmatched(environ, variables)...), errors.Join(errs...)
}

// loadRedis notes the variables that say where Redis is. Whether they are right
// is for the one who connects to say. A context that was chosen by flag is not
// moved to another server by a variable.
func (c *Config) loadRedis(env func(string) (string, bool)) {
	if c.Origin("context").Source == Flag && c.Origin("redis.url").Source == File {
		return
	}
	note := func(variable, path string, set func(value string)) {
		if value, ok := env(variable); ok && value != "" {
			c.origins[path] = Origin{Env, variable}
			set(value)
		}
	}
	if url, ok := env("REDIS_URL"); ok && url != "" {
		c.SetRedisURL(url, Origin{Env, "REDIS_URL"})
	}
	note("REDIS_SENTINEL_NAME", "redis.sentinel.name", func(v string) { c.Redis.SentinelName = v })
	note("REDIS_SENTINEL_PASSWORD", "redis.sentinel.password", func(v string) {
		c.Redis.SentinelPassword, c.Redis.SentinelPasswordFile = NewSecret(v), ""
	})
	note("REDIS_PASSWORD_FILE", "redis.passwordFile", func(v string) { c.Redis.Password, c.Redis.PasswordFile = Secret{}, v })
	note("REDIS_CLUSTER_MODE", "redis.cluster", func(v string) { c.Redis.Cluster, _ = ParseBool(v) })
}

// loadPrefix reads QCTL_PREFIX, which wins, and BULLMQ_PREFIX.
func (c *Config) loadPrefix(env func(string) (string, bool)) ([]Warning, error) {
	var errs []error
	// The winner comes last: among equal sources the later call decides.
	for _, variable := range []string{"BULLMQ_PREFIX", "QCTL_PREFIX"} {
		value, set, err := lookup(env, variable, "want a key prefix such as bull")
		if err == nil && set {
			err = c.SetPrefix(value, Origin{Env, variable})
		}
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if theirs, set := env("BULLMQ_PREFIX"); set && theirs != c.Prefix {
		return []Warning{{Variable: "BULLMQ_PREFIX", Message: "ignored, QCTL_PREFIX differs and wins"}}, nil
	}
	return nil, nil
}

// loadReadOnly reads QCTL_READ_ONLY.
func (c *Config) loadReadOnly(env func(string) (string, bool)) error {
	const variable = "QCTL_READ_ONLY"
	value, set, err := lookup(env, variable, wantBool)
	if err != nil || !set {
		return err
	}
	readOnly, err := ParseBool(value)
	if err != nil {
		return &ValueError{What: variable, Value: value, Want: wantBool}
	}
	c.SetReadOnly(readOnly, Origin{Env, variable})
	return nil
}

// loadOutput reads QCTL_OUTPUT.
func (c *Config) loadOutput(env func(string) (string, bool)) error {
	const variable = "QCTL_OUTPUT"
	want := "want " + strings.Join(OutputFormats(), ", ")
	value, set, err := lookup(env, variable, want)
	if err != nil || !set {
		return err
	}
	if !slices.Contains(OutputFormats(), value) {
		near := Suggest(value, OutputFormats())
		return &ValueError{What: variable, Value: value, Want: want + suggested(near), Near: near}
	}
	c.SetOutput(value, Origin{Env, variable})
	return nil
}

// loadDigestHour reads the hour of the daily digest.
func (c *Config) loadDigestHour(env func(string) (string, bool)) error {
	const variable, want = "DIGEST_CRON_HOUR", "want an hour from 0 to 23"
	value, set, err := lookup(env, variable, want)
	if err != nil || !set {
		return err
	}
	hour, err := strconv.Atoi(value)
	if err != nil || !isDigits(value) || hour > 23 {
		return &ValueError{What: variable, Value: value, Want: want}
	}
	c.DigestHour = hour
	c.origins["digestHour"] = Origin{Env, variable}
	return nil
}

// MayOwnClock reports whether this process may make the jobs of schedules fall
// due for the whole fleet. Of many instances one is told to, by a variable; any
// value but a plain yes means no, so that a slip never makes a second owner.
func (c *Config) MayOwnClock() error {
	switch strings.ToLower(c.CronOwner) {
	case "1", "true":
		return nil
	}
	if !c.CronOwnerSet {
		return nil
	}
	return fmt.Errorf("%w: %s is %s", ErrNotClockOwner, cronVariable, quote(c.CronOwner))
}

// loadConcurrency reads the concurrency of every configured queue.
func (c *Config) loadConcurrency(env func(string) (string, bool), variables map[string]string) error {
	var errs []error
	for _, q := range c.Queues {
		variable := concurrencyVariable + variableWord(q.Alias)
		if variables[variable] != q.Alias {
			continue
		}
		value, set, err := lookup(env, variable, wantConcurrency)
		if err == nil && set {
			n, convErr := strconv.Atoi(value)
			if convErr != nil || value[0] == '+' || n < MinConcurrency || n > MaxConcurrency {
				err = &ValueError{What: variable, Value: value, Want: wantConcurrency}
			} else {
				err = c.SetConcurrency(q.Alias, n, Origin{Env, variable})
			}
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// concurrencyVariables maps each variable to the alias it belongs to. Two
// aliases with one variable could not be told apart, so they are refused.
func (c *Config) concurrencyVariables() (map[string]string, error) {
	aliases := make(map[string]string, len(c.Queues))
	var errs []error
	for _, q := range c.Queues {
		variable := concurrencyVariable + variableWord(q.Alias)
		if other, taken := aliases[variable]; taken {
			errs = append(errs, &ValueError{
				What: c.placeOf(q.Alias) + "alias", Value: q.Alias,
				Want: fmt.Sprintf("shares the variable %s with alias %s, rename one", variable, quote(other)),
			})
			continue
		}
		aliases[variable] = q.Alias
	}
	return aliases, errors.Join(errs...)
}

// placeOf says where the file has a queue, as the beginning of an error.
func (c *Config) placeOf(alias string) string {
	if from := c.Origin(join("queues", alias)); from.Source == File {
		return from.Detail + ": "
	}
	return ""
}

// unmatched warns of variables that look like a queue's concurrency but belong
// to no queue, in the order of their names.
func (c *Config) unmatched(environ []string, variables map[string]string) []Warning {
	meant := map[string]string{} // a word after the prefix -> the alias it stands for
	for _, q := range c.Queues {
		meant[variableWord(q.Name)] = q.Alias
	}
	for variable, alias := range variables {
		meant[strings.TrimPrefix(variable, concurrencyVariable)] = alias
	}
	words := make([]string, 0, len(meant))
	for word := range meant {
		words = append(words, word)
	}

	var warnings []Warning
	for _, entry := range environ {
		variable, _, _ := strings.Cut(entry, "=")
		word, ours := strings.CutPrefix(variable, concurrencyVariable)
		if _, known := variables[variable]; !ours || known {
			continue
		}
		warnings = append(warnings, Warning{
			Variable:   variable,
			Message:    "no configured queue has this name",
			Suggestion: meant[Suggest(variableWord(word), words)],
		})
	}
	slices.SortFunc(warnings, func(a, b Warning) int { return strings.Compare(a.Variable, b.Variable) })
	return slices.Compact(warnings)
}

// variableWord spells an alias as environment variables do: upper case, every
// other character an underscore.
func variableWord(alias string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z':
			return r - 'a' + 'A'
		case 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
			return r
		default:
			return '_'
		}
	}, alias)
}

// lookup reads one variable. Set but empty is an error and never the default:
// it is mostly a template that was not filled in.
func lookup(env func(string) (string, bool), variable, want string) (value string, set bool, err error) {
	value, set = env(variable)
	if set && value == "" {
		return "", true, &ValueError{What: variable, Want: "set but empty, " + want}
	}
	return value, set, nil
}

// ParseBool reads true, yes, on, 1 and false, no, off, 0 in any case.
func ParseBool(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "true", "yes", "on", "1":
		return true, nil
	case "false", "no", "off", "0":
		return false, nil
	}
	return false, &ValueError{What: "switch", Value: text, Want: wantBool}
}
