package handler

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/qctl/qctl/internal/worker"
)

// The variables that name the files about a job's children.
const (
	childrenVariable       = "QCTL_CHILDREN"
	childrenFailedVariable = "QCTL_CHILDREN_FAILED"
)

// childFiles writes what became of a job's children to files that only this user
// can read, and returns the variables that name them: none for a job without
// children that have ended. remove takes the files away.
func (p *Program) childFiles(ctx context.Context, job worker.Job) (vars []jobVariable, remove func(), err error) {
	remove = func() {}
	if job.Children == nil {
		return nil, remove, nil
	}
	children, err := job.Children(ctx)
	if err != nil || len(children.Values) == 0 && len(children.Failures) == 0 {
		return nil, remove, err
	}
	dir, err := os.MkdirTemp(p.tempDir, "qctl-job-") // its mode is 0700
	if err != nil {
		return nil, remove, childrenTrouble(err)
	}
	remove = func() { _ = os.RemoveAll(dir) } // the system clears away what cannot be removed
	write := func(variable, name string, content any) error {
		path := filepath.Join(dir, name)
		var text bytes.Buffer
		enc := json.NewEncoder(&text)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(content); err != nil {
			return err
		}
		vars = append(vars, jobVariable{variable, "file of the children", path})
		return os.WriteFile(path, text.Bytes(), 0o600)
	}
	if len(children.Values) > 0 {
		err = write(childrenVariable, "children.json", asJSON(children.Values))
	}
	if err == nil && len(children.Failures) > 0 {
		err = write(childrenFailedVariable, "children-failed.json", children.Failures)
	}
	if err != nil {
		remove()
		return nil, func() {}, childrenTrouble(err)
	}
	return vars, remove, nil
}

// asJSON makes values that others stored and that are not JSON texts.
func asJSON(values map[string]json.RawMessage) map[string]json.RawMessage {
	all := make(map[string]json.RawMessage, len(values))
	for key, value := range values {
		if !json.Valid(value) {
			value, _ = json.Marshal(string(value)) // a text always encodes
		}
		all[key] = value
	}
	return all
}

// childrenTrouble is a trouble of this machine: the job keeps its attempt.
func childrenTrouble(err error) error {
	return &worker.Failure{
		Reason: fmt.Sprintf("values of children: %v", err), TryAgain: true, RetryAfter: shortageDelay,
	}
}
