package tui

import (
	"fmt"
	"strings"

	"github.com/qctl/qctl/internal/queue"
)

// twinOf is the command line that does the same. Its text is ASCII without
// control characters, whatever the words are made of, and can be pasted.
func twinOf(words ...string) string {
	quoted := []string{"qctl"}
	for _, w := range words {
		quoted = append(quoted, shellWord(w))
	}
	return strings.Join(quoted, " ")
}

// retryTwin is the command that retries one job.
func retryTwin(queueName, id string, from queue.State) string {
	words := []string{"retry"}
	if from != queue.StateFailed {
		words = append(words, "--state", string(from))
	}
	if strings.HasPrefix(id, "-") {
		words = append(words, "--")
	}
	return twinOf(append(words, queueName, id)...)
}

// safeInShell are the characters that need no quotes.
const safeInShell = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:@%+=,"

// shellWord quotes a word where it must be.
func shellWord(w string) string {
	if w != "" && strings.Trim(w, safeInShell) == "" {
		return w
	}
	var b strings.Builder
	odd := false
	for i := range len(w) {
		switch c := w[i]; {
		case c < ' ' || c > '~':
			odd = true
			fmt.Fprintf(&b, `\x%02x`, c)
		case c == '\'' || c == '\\':
			odd = true
			b.WriteString(`\` + string(c))
		default:
			b.WriteByte(c)
		}
	}
	if odd {
		return "$'" + b.String() + "'"
	}
	return "'" + b.String() + "'"
}
