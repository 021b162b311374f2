package cmd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/qctl/qctl/internal/render"
)

// typedAbove is the number of jobs above which a yes is not enough: the name of
// the queue must be typed.
const typedAbove = 1000

// confirm asks whether to do what cannot be undone, or refuses where nobody
// can be asked. what is the whole of it, such as "remove 1,375 failed jobs of
// billing". With a name, that name must be typed.
func (a *app) confirm(ctx context.Context, yes bool, what, name string) error {
	if yes {
		return nil
	}
	if !a.streams.CanPrompt() {
		return &confirmError{what: "not confirmed: " + what}
	}
	want := "[y/N]"
	if name != "" {
		want = "Type " + render.ASCII(name) + " to go on:"
	}
	fmt.Fprintf(a.streams.Err, "%s? %s ", render.Text(what), want)
	answer, err := a.answer(ctx)
	if err != nil {
		fmt.Fprintln(a.streams.Err)
		return err
	}
	agreed := strings.EqualFold(answer, "y") || strings.EqualFold(answer, "yes")
	if name != "" {
		agreed = answer == name || answer == render.ASCII(name)
	}
	if !agreed {
		return &confirmError{what: "not confirmed, nothing was changed"}
	}
	return nil
}

// maxAnswer bounds what is read as an answer.
const maxAnswer = 4096

// answer reads a line. It returns early when the command is interrupted, and
// leaves the read behind, which nothing can interrupt.
func (a *app) answer(ctx context.Context) (string, error) {
	type line struct {
		text string
		err  error
	}
	read := make(chan line, 1)
	go func() {
		text, err := bufio.NewReader(io.LimitReader(a.streams.In, maxAnswer)).ReadString('\n')
		if errors.Is(err, io.EOF) {
			err = nil // no answer, or one without a line feed
		}
		read <- line{strings.TrimSpace(text), err}
	}()
	select {
	case l := <-read:
		return l.text, l.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
