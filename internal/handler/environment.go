package handler

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/qctl/qctl/internal/worker"
)

// deadlineLayout is RFC 3339 with milliseconds, as JavaScript prints dates.
const deadlineLayout = "2006-01-02T15:04:05.000Z07:00"

// environment holds what all runs of a program share, as NAME=VALUE, without
// the variables of a job.
type environment []string

func newEnvironment(cfg ProgramConfig) (environment, error) {
	from := cfg.Environ
	if from == nil {
		from = os.Environ()
	}
	var env environment
	if cfg.InheritEnv {
		for _, entry := range from {
			name, _, ok := cutEntry(entry)
			if ok && !isSecret(name) && !isJobVariable(name) && !slices.Contains(cfg.SecretEnv, name) {
				env = append(env, entry)
			}
		}
	} else {
		env = append(env, neededBySystem(from)...)
	}
	for _, entry := range cfg.Env {
		name, value, ok := cutEntry(entry)
		if !ok {
			if name = entry; name == "" || strings.HasPrefix(name, "=") {
				return nil, fmt.Errorf("variable %q has no name", entry)
			}
			if value, ok = lookup(from, name); !ok {
				continue
			}
		}
		if isJobVariable(name) {
			return nil, fmt.Errorf("variable %s is set by the job", name)
		}
		if strings.ContainsRune(entry, 0) {
			return nil, fmt.Errorf("variable %s holds a NUL byte", name)
		}
		env = env.with(name, value)
	}
	return env, nil
}

// forJob adds the variables of a job. Nothing of its data gets in. It fails
// when a value cannot be one: no environment can carry a NUL byte.
func (e environment) forJob(job worker.Job, more ...jobVariable) ([]string, error) {
	env := slices.Clone(e)
	for _, v := range append(jobVariables(job), more...) {
		if strings.ContainsRune(v.value, 0) {
			return nil, fmt.Errorf("%s holds a NUL byte, which %s cannot carry", v.what, v.name)
		}
		env = append(env, v.name+"="+v.value)
	}
	return env, nil
}

type jobVariable struct{ name, what, value string }

func jobVariables(job worker.Job) []jobVariable {
	vars := []jobVariable{
		{"QCTL_QUEUE", "queue name", job.Queue},
		{"QCTL_ALIAS", "queue alias", job.Alias},
		{"QCTL_JOB_ID", "job id", job.ID},
		{"QCTL_JOB_NAME", "job name", job.Name},
		{"QCTL_ATTEMPT", "attempt", strconv.Itoa(job.Attempt)},
		{"QCTL_MAX_ATTEMPTS", "attempts", strconv.Itoa(job.MaxAttempts)},
		{"QCTL_FENCE", "fence", strconv.FormatInt(job.Fence, 10)},
	}
	if !job.Deadline.IsZero() {
		vars = append(vars, jobVariable{"QCTL_DEADLINE", "deadline", job.Deadline.In(time.UTC).Format(deadlineLayout)})
	}
	return vars
}

// isJobVariable reports whether a name is reserved for the job, so that a
// value from the operator's environment never passes for one.
func isJobVariable(name string) bool {
	name = strings.ToUpper(name)
	all := jobVariables(worker.Job{Deadline: time.Unix(0, 0)})
	return name == "QCTL_RECORD" || name == childrenVariable || name == childrenFailedVariable || slices.ContainsFunc(all, func(v jobVariable) bool { return v.name == name })
}

// isSecret reports whether a variable is one of qctl's own that may hold a
// secret or say where one lies: REDIS_URL, REDIS_PASSWORD_FILE,
// QCTL_JWT_SECRET, QCTL_ADMIN_TOKEN, REDISCLI_AUTH and their like. It goes by
// words, so that one added later is held back before anybody thinks of it.
func isSecret(name string) bool {
	name = strings.ToUpper(name)
	if !strings.HasPrefix(name, "QCTL_") && !strings.HasPrefix(name, "REDIS") {
		return false
	}
	for _, word := range []string{"URL", "PASS", "SECRET", "TOKEN", "KEY", "AUTH", "CREDENTIAL"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

// with sets a variable, once: of two entries a program may take either.
func (e environment) with(name, value string) environment {
	e = slices.DeleteFunc(e, func(entry string) bool {
		have, _, _ := cutEntry(entry)
		return have == name
	})
	return append(e, name+"="+value)
}

func lookup(environ []string, name string) (string, bool) {
	for _, entry := range environ {
		if have, value, ok := cutEntry(entry); ok && have == name {
			return value, true
		}
	}
	return "", false
}

// cutEntry splits NAME=VALUE. Windows has names that begin with an equals sign.
func cutEntry(entry string) (name, value string, ok bool) {
	if entry == "" {
		return "", "", false
	}
	i := strings.IndexByte(entry[1:], '=')
	if i < 0 {
		return entry, "", false
	}
	return entry[:i+1], entry[i+2:], true
}
