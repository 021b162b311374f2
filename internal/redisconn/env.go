package redisconn

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
)

// ErrSecretExposed means that a file with a secret can be read by every user of
// the machine.
var ErrSecretExposed = errors.New("file can be read by others; remove that right with chmod o-rwx")

const maxSecretBytes = 64 << 10

// FromEnv reads REDIS_URL (one address or a list with commas),
// REDIS_SENTINEL_NAME, REDIS_SENTINEL_PASSWORD, REDIS_CLUSTER_MODE and
// REDIS_PASSWORD_FILE, whose file it reads. Without REDIS_URL the result has no
// URLs, which is no error: they may come from elsewhere.
//
// getenv is [os.LookupEnv] or a stand-in. A variable that is set but empty is a
// *ConfigError, as is every value that cannot be used; a password file that
// others can read is [ErrSecretExposed].
func FromEnv(getenv func(string) (string, bool)) (Config, error) {
	var c Config
	env := environment{getenv: getenv}
	if text := env.text("REDIS_URL"); text != "" {
		c.URLs = []Secret{NewSecret(text)}
	}
	c.SentinelName = env.text("REDIS_SENTINEL_NAME")
	c.SentinelPassword = NewSecret(env.text("REDIS_SENTINEL_PASSWORD"))
	c.Cluster = env.boolean("REDIS_CLUSTER_MODE")
	file := env.text("REDIS_PASSWORD_FILE")
	if env.err != nil {
		return Config{}, env.err
	}
	if c.SentinelName != "" && c.Cluster {
		return Config{}, &ConfigError{Setting: "REDIS_CLUSTER_MODE", Problem: "excludes REDIS_SENTINEL_NAME"}
	}
	if len(c.URLs) > 0 {
		if _, err := readURLs(c.URLs, c.defaultPort()); err != nil {
			if config, ok := errors.AsType[*ConfigError](err); ok {
				config.Setting = "REDIS_URL"
			}
			return Config{}, err
		}
	}
	if file != "" {
		password, err := ReadSecretFile("REDIS_PASSWORD_FILE", file)
		if err != nil {
			return Config{}, err
		}
		c.Password = password
	}
	return c, nil
}

// environment reads variables and keeps the first error.
type environment struct {
	getenv func(string) (string, bool)
	err    error
}

func (e *environment) text(name string) string {
	value, set := e.getenv(name)
	if set && strings.TrimSpace(value) == "" {
		e.fail(name, "set but empty")
		return ""
	}
	return value
}

func (e *environment) boolean(name string) bool {
	switch strings.ToLower(e.text(name)) {
	case "", "false", "0", "no", "off":
		return false
	case "true", "1", "yes", "on":
		return true
	}
	e.fail(name, "write true, 1, yes or on, or false, 0, no or off")
	return false
}

func (e *environment) fail(name, problem string) {
	if e.err == nil {
		e.err = &ConfigError{Setting: name, Problem: problem}
	}
}

// ReadSecretFile returns the content of a file, less one line break at its end.
// It accepts regular files of at most 64 KiB that are not empty, and refuses
// those that every user can read with [ErrSecretExposed]. The setting is the
// name that errors give to what led here.
func ReadSecretFile(setting, file string) (Secret, error) {
	content, err := readPrivateFile(setting, file)
	if err != nil {
		return Secret{}, err
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r")
	if text == "" {
		return Secret{}, &ConfigError{Setting: setting, Problem: "the file is empty"}
	}
	return NewSecret(text), nil
}

func readPrivateFile(setting, file string) ([]byte, error) {
	// Looked at before it is opened: opening a named pipe blocks.
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return nil, &ConfigError{Setting: setting, Problem: "cannot be used", Err: err}
	case !info.Mode().IsRegular():
		return nil, &ConfigError{Setting: setting, Problem: "not a regular file"}
	case info.Size() > maxSecretBytes:
		return nil, &ConfigError{Setting: setting, Problem: fmt.Sprintf("larger than %d bytes", maxSecretBytes)}
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o004 != 0:
		return nil, fmt.Errorf("%s: %q: %w", setting, file, ErrSecretExposed)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, &ConfigError{Setting: setting, Problem: "cannot be used", Err: err}
	}
	return content, nil
}
