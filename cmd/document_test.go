package cmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// checkOneDocument says what is wrong with an answer under -o json: standard
// output is one document, or empty after an error, which is one on standard
// error.
func checkOneDocument(got answer) error {
	if got.out != "" || got.code == exitDone {
		if err := oneDocument(got.out); err != nil {
			return fmt.Errorf("stdout: %w", err)
		}
	}
	if got.code == exitDone {
		return nil
	}
	return checkErrorDocument(got.err, got.code)
}

func oneDocument(text string) error {
	decoder := json.NewDecoder(strings.NewReader(text))
	var value any
	if err := decoder.Decode(&value); err != nil {
		return err
	}
	if err := decoder.Decode(&value); !errors.Is(err, io.EOF) {
		return errors.New("more than one document")
	}
	return nil
}

// checkErrorDocument looks at the last line of standard error; warnings may
// stand before it.
func checkErrorDocument(text string, code int) error {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	decoder := json.NewDecoder(strings.NewReader(lines[len(lines)-1]))
	decoder.DisallowUnknownFields()
	var document struct {
		Error struct {
			Code       string   `json:"code"`
			Exit       int      `json:"exit"`
			Message    string   `json:"message"`
			Hint       string   `json:"hint"`
			DidYouMean []string `json:"didYouMean"`
			Docs       string   `json:"docs"`
		} `json:"error"`
	}
	if err := decoder.Decode(&document); err != nil {
		return fmt.Errorf("stderr: %w", err)
	}
	e := document.Error
	if e.Exit != code || e.Message == "" {
		return fmt.Errorf("error %+v", e)
	}
	for _, row := range exitCodes {
		if row.code == code && row.name == e.Code {
			return nil
		}
	}
	return fmt.Errorf("the exit code is %d, its name %q", code, e.Code)
}
