package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// FileError is one thing that is wrong with a configuration file.
type FileError struct {
	File         string
	Line, Column int    // from 1; 0 where the file as a whole is meant
	Key          string // the key's path, such as queues.email.concurrency; may be empty
	Rule         string // what is wrong and what is wanted
}

// Error begins with the place, as compilers do.
func (e *FileError) Error() string {
	text := e.File
	if e.Line > 0 {
		text += fmt.Sprintf(":%d:%d", e.Line, e.Column)
	}
	if e.Key != "" {
		text += ": " + shortened(e.Key)
	}
	return text + ": " + e.Rule
}

// Is reports whether target is ErrInvalid.
func (e *FileError) Is(target error) bool { return target == ErrInvalid }

// shortened cuts a key that is no key but pasted text.
func shortened(key string) string {
	if len(key) > 2*shownBytes {
		return quote(key)
	}
	return key
}

// problems collects everything that is wrong with one file.
type problems struct {
	file string
	list []*FileError
}

// add appends a problem.
func (p *problems) add(at position, key, rule string) {
	p.list = append(p.list, &FileError{File: p.file, Line: at.line, Column: at.column, Key: key, Rule: rule})
}

// err joins the problems in the order of the file, or is nil.
func (p *problems) err() error {
	slices.SortStableFunc(p.list, func(a, b *FileError) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	errs := make([]error, len(p.list))
	for i, problem := range p.list {
		errs[i] = problem
	}
	return errors.Join(errs...)
}
