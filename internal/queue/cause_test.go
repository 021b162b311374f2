package queue_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/qctl/qctl/internal/queue"
)

func TestCause(t *testing.T) {
	for reason, want := range map[string]string{
		"connect ETIMEDOUT 10.0.9.14:5432":                  "connect ETIMEDOUT #.#.#.#:#",
		`Validation error: field "amount" must be positive`: `Validation error: field "amount" must be positive`,
		"tool call 7 rate limited":                          "tool call # rate limited",
		"job42 of batch-7 is gone":                          "job# of batch-# is gone",
		"no user 6f1c2c9e-7a0b-4c4e-9d0e-2b1f0a9c8d7e":      "no user #",
		"commit 3f9a1c7 not found":                          "commit # not found",
		"the face of the dead beef cafe":                    "the face of the dead beef cafe",
		"HTTP 503":                                          "HTTP #",
		"  first line\tof  two \nat f (a.js:1:2)":           "first line of two",
		"":                    "",
		"ошибка 5: нет места": "ошибка #: нет места",
		"6f1c2c9e-7a0b-4c4e-9d0e-2b1f0a9c8d7ex is no UUID": "#-#a#b-#c#e-#d#e-#b#f#a#c#d#ex is no UUID",
		strings.Repeat("é", 200):                           strings.Repeat("é", 150) + "…",
	} {
		id, got := queue.Cause(reason)
		if got != want || len(id) != 6 {
			t.Errorf("%q: %s %q, want %q", reason, id, got, want)
		}
	}
	one, _ := queue.Cause("connect ETIMEDOUT 10.0.9.14:5432")
	other, _ := queue.Cause("connect ETIMEDOUT 10.0.9.15:5432")
	third, _ := queue.Cause("connect ECONNREFUSED 10.0.9.15:5432")
	if one != other || one == third {
		t.Errorf("ids %s, %s and %s", one, other, third)
	}
}

func FuzzCause(f *testing.F) {
	f.Add("connect ETIMEDOUT 10.0.9.14:5432")
	f.Add("\xff\x00 6f1c2c9e-7a0b-4c4e-9d0e-2b1f0a9c8d7e")
	f.Fuzz(func(t *testing.T, reason string) {
		id, text := queue.Cause(reason)
		again, same := queue.Cause(text)
		if utf8.ValidString(reason) && !utf8.ValidString(text) {
			t.Errorf("%q became %q", reason, text)
		}
		if len(reason) < 200 && (again != id || same != text) {
			t.Errorf("%q became %q, and that %q", reason, text, same)
		}
	})
}
