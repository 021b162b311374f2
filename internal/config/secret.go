package config

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"strings"
)

// ErrSecretExposed means that a configuration file holds a password and can be
// read by every user of the machine.
var ErrSecretExposed = errors.New("holds a secret and can be read by others: remove that right with chmod o-rwx, or write env:NAME instead of the secret")

// envPrefix begins a value that stands for an environment variable.
const envPrefix = "env:"

const masked = "***"

// Secret is a value that may hold a password: a text, or the name of the
// environment variable that holds it. However it is printed or encoded, a
// password stays masked. The zero value is empty.
type Secret struct {
	// A pointer, because fmt does not call the methods of unexported fields.
	text *string
}

// NewSecret makes a secret of text as the file spells it: `env:NAME` stands for
// the variable NAME.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{&text}
}

// IsZero reports whether the secret is empty.
func (s Secret) IsZero() bool { return s.text == nil }

// Equal reports whether both hide the same text.
func (s Secret) Equal(other Secret) bool { return s.raw() == other.raw() }

func (s Secret) raw() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// Variable returns the name of the environment variable that holds the value;
// ok is false when the value stands in the file itself.
func (s Secret) Variable() (name string, ok bool) { return strings.CutPrefix(s.raw(), envPrefix) }

// Reveal returns the value. env looks up a variable as os.LookupEnv does; one
// that is missing or empty is a ValueError.
func (s Secret) Reveal(env func(string) (string, bool)) (string, error) {
	name, ok := s.Variable()
	if !ok {
		return s.raw(), nil
	}
	value, set := env(name)
	switch {
	case !set:
		return "", &ValueError{What: "environment variable", Value: name, Want: "not set, but the configuration file needs it"}
	case value == "":
		return "", &ValueError{What: "environment variable", Value: name, Want: "set but empty, and the configuration file needs it"}
	}
	return value, nil
}

var passwordWord = regexp.MustCompile(`(?i)\bpassword\s*=`)

// exposes reports whether the text itself holds a password, given that it is
// one (always) or may contain one, as addresses do.
func (s Secret) exposes(always bool) bool {
	if _, ok := s.Variable(); ok || s.IsZero() {
		return false
	}
	if always || passwordWord.MatchString(s.raw()) {
		return true
	}
	for address := range strings.SplitSeq(s.raw(), ",") {
		parsed, err := url.Parse(strings.TrimSpace(address))
		if err != nil {
			return strings.Contains(address, "@")
		}
		if _, has := parsed.User.Password(); has || parsed.Query().Has("password") {
			return true
		}
	}
	return false
}

// address returns the text for people: as it is when it holds no password, and
// else with the password masked.
func (s Secret) address() string {
	if !s.exposes(false) {
		return s.raw()
	}
	parsed, err := url.Parse(s.raw())
	if err != nil || passwordWord.MatchString(s.raw()) || parsed.Query().Has("password") || strings.Contains(s.raw(), ",") {
		return masked
	}
	name := ""
	if parsed.User.Username() != "" {
		name = url.User(parsed.User.Username()).String()
	}
	parsed.User = nil
	return strings.Replace(parsed.String(), "://", "://"+name+":"+masked+"@", 1)
}

// String returns "***", or the variable as the file spells it.
func (s Secret) String() string {
	if _, ok := s.Variable(); ok || s.IsZero() {
		return s.raw()
	}
	return masked
}

// GoString is String.
func (s Secret) GoString() string { return s.String() }

// Format writes String whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText encodes String.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
