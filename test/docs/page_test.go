//go:build linux

// Package docs runs what the documentation shows: every command of README.md and
// of the pages in docs/, with the built binary, comparing what it prints with what
// the page says.
//
// In a page,
//
//   - a ```console block holds commands behind "$ " (a backslash at the end
//     continues them) and what they print, results first. "…" stands for any text
//     within a line, and alone on a line for any number of lines; how many blanks
//     stand between two words does not matter. A command that ends with an error
//     must show it, or be followed by `echo $?`.
//   - a ```sh block is run as a whole and must succeed.
//   - a ```yaml block is a configuration file and must be valid.
//
// Hidden comments before a block say how it is run. The commands of a page share
// a folder, a home and an embedded store of their own.
//
//	<!-- run: skip, WHY -->      not at all
//	<!-- run: any numbers -->    numbers, times and ages may differ
//	<!-- run: file NAME -->      the block is written to a file instead
//	<!-- run: needs PROGRAM -->  only where there is that program
//	<!-- run: redis -->          a redis-server of its own stands in for redis://127.0.0.1:6379
//	<!-- run: workers drain -->  qctl worker ends when there is no more work
//	<!-- run: setup              shell commands that run here and now
//	…
//	-->
package docs

import (
	"fmt"
	"strings"
)

// step is one thing to run, in the order of the page.
type step struct {
	line     int    // of the page, for messages
	language string // of the block; "setup" for a hidden one
	text     string
	skip     string // why it is not run
	numbers  bool   // any will do
	file     string // where to write the text instead of running it
	needs    string
	redis    bool
	drain    bool // add --drain to workers, which would run for ever
}

// steps reads a page.
func steps(page string) ([]step, error) {
	var found []step
	var next step // what the comments say of the next block
	lines := strings.Split(page, "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		switch {
		case strings.HasPrefix(line, "<!-- run: "):
			begun := i
			for !strings.HasSuffix(lines[i], "-->") {
				if i++; i == len(lines) {
					return nil, fmt.Errorf("line %d: the comment does not end", begun+1)
				}
			}
			text := strings.Join(lines[begun:i+1], "\n")
			text = strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(text, "<!-- run: "), "-->"))
			if script, ok := strings.CutPrefix(text, "setup\n"); ok {
				found = append(found, step{line: begun + 1, language: "setup", text: script + "\n"})
			} else if err := next.direct(text); err != nil {
				return nil, fmt.Errorf("line %d: %w", begun+1, err)
			}
		case strings.HasPrefix(line, "```"):
			begun := i
			for i++; i < len(lines) && lines[i] != "```"; i++ {
			}
			if i == len(lines) {
				return nil, fmt.Errorf("line %d: the block does not end", begun+1)
			}
			next.line, next.language = begun+1, strings.TrimPrefix(line, "```")
			next.text = strings.Join(lines[begun+1:i], "\n") + "\n"
			if next.drain {
				next.text = strings.ReplaceAll(next.text, "qctl worker ", "qctl worker --drain ")
			}
			found, next = append(found, next), step{}
		}
	}
	if next != (step{}) {
		return nil, fmt.Errorf("the last comment has no block behind it")
	}
	return found, nil
}

// direct takes what a comment says.
func (s *step) direct(text string) error {
	word, rest, _ := strings.Cut(text, " ")
	switch {
	case text == "any numbers":
		s.numbers = true
	case word == "skip," && rest != "":
		s.skip = rest
	case word == "file" && rest != "":
		s.file = rest
	case text == "redis":
		s.redis = true
	case text == "workers drain":
		s.drain = true
	case word == "needs" && rest != "":
		s.needs = rest
	default:
		return fmt.Errorf("nobody knows how to run: %s", text)
	}
	return nil
}

// command is one command of a console block, and what it prints.
type command struct {
	line  int
	text  string
	shown []string
}

// commands reads a console block.
func commands(s step) ([]command, error) {
	var found []command
	lines := strings.Split(strings.TrimRight(s.text, "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		text, isCommand := strings.CutPrefix(lines[i], "$ ")
		if !isCommand {
			if len(found) == 0 {
				return nil, fmt.Errorf("line %d: output without a command", s.line+1+i)
			}
			last := &found[len(found)-1]
			last.shown = append(last.shown, lines[i])
			continue
		}
		c := command{line: s.line + 1 + i, text: text}
		for strings.HasSuffix(c.text, `\`) && i+1 < len(lines) {
			i++
			c.text += "\n" + lines[i]
		}
		found = append(found, c)
	}
	return found, nil
}
