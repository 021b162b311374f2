package embedded

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// Names of the files beside the log.
const (
	lockName    = "lock"
	addressName = "server.json"
	failureName = "failure.json"
	serverLog   = "server.log"
)

// DefaultDir is the folder of the store: $QCTL_EMBEDDED_DIR, or qctl/embedded
// in the user's folder for state. getenv is [os.LookupEnv] or a stand-in.
func DefaultDir(getenv func(string) (string, bool)) (string, error) {
	if dir, set := getenv("QCTL_EMBEDDED_DIR"); set {
		if dir == "" {
			return "", errors.New("QCTL_EMBEDDED_DIR is set but empty")
		}
		return filepath.Abs(dir)
	}
	if runtime.GOOS != "windows" && runtime.GOOS != "darwin" {
		// The specification of that variable has relative paths ignored.
		if state, set := getenv("XDG_STATE_HOME"); set && filepath.IsAbs(state) {
			return filepath.Join(state, "qctl", "embedded"), nil
		}
		if home, set := getenv("HOME"); set && filepath.IsAbs(home) {
			return filepath.Join(home, ".local", "state", "qctl", "embedded"), nil
		}
		return "", errors.New("no folder for the embedded store: neither QCTL_EMBEDDED_DIR nor HOME is set")
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("no folder for the embedded store: %w", err)
	}
	return filepath.Join(dir, "qctl", "embedded"), nil
}

// address is how clients find the server; the file has it as JSON.
type address struct {
	Addr     string    `json:"addr"`
	Password string    `json:"password"`
	PID      int       `json:"pid"`
	Version  string    `json:"version"`
	Started  time.Time `json:"started"`
	Fsync    Fsync     `json:"fsync"`
	// Cut and CutAt are the bytes that were lost with a torn tail.
	Cut   int64 `json:"cut,omitempty"`
	CutAt int64 `json:"cutAt,omitempty"`
}

// wasKilled reports whether the last server had no time to remove its address,
// unless there is one still.
func wasKilled(dir string) (bool, error) {
	_, err := os.Stat(filepath.Join(dir, addressName))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// failure is why a server did not come up, for whoever started it.
type failure struct {
	PID     int    `json:"pid"`
	Kind    string `json:"kind"`
	Message string `json:"message"`
	Path    string `json:"path,omitempty"`
	Offset  int64  `json:"offset,omitempty"`
	Problem string `json:"problem,omitempty"`
}

const (
	kindCorrupt = "corrupt"
	kindVersion = "version"
)

func newFailure(err error) failure {
	f := failure{PID: os.Getpid(), Message: err.Error()}
	var damaged *LogError
	if errors.As(err, &damaged) {
		f.Kind, f.Path, f.Offset, f.Problem = kindCorrupt, damaged.Path, damaged.Offset, damaged.Problem
		if errors.Is(err, ErrLogVersion) {
			f.Kind = kindVersion
		}
	}
	return f
}

// err is the error that the server had.
func (f failure) err() error {
	switch f.Kind {
	case kindCorrupt:
		return &LogError{Path: f.Path, Offset: f.Offset, Problem: f.Problem, kind: ErrCorruptLog}
	case kindVersion:
		return &LogError{Path: f.Path, Offset: f.Offset, Problem: f.Problem, kind: ErrLogVersion}
	}
	return fmt.Errorf("%w: %s", ErrStart, f.Message)
}

// writeJSON puts a private file in place, whole or not at all.
func writeJSON(dir, name string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, name+".*") // private by itself
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, name))
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// readJSON reads a file; one that is not there, or not whole, is not found.
func readJSON(dir, name string, v any) (found bool, err error) {
	text, err := os.ReadFile(filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return json.Unmarshal(text, v) == nil, nil
}

func removeFile(dir, name string) error {
	if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
