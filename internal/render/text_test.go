package render_test

import (
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/qctl/qctl/internal/hostiletest"
	"github.com/qctl/qctl/internal/render"
)

// unescape reads back what Text has written.
func unescape(s string) (string, error) {
	var b []byte
	for s != "" {
		r, multibyte, rest, err := strconv.UnquoteChar(s, 0)
		if err != nil {
			return "", err
		}
		if r < utf8.RuneSelf || multibyte {
			b = utf8.AppendRune(b, r)
		} else {
			b = append(b, byte(r))
		}
		s = rest
	}
	return string(b), nil
}

func checkText(t interface{ Errorf(string, ...any) }, s string) {
	for name, got := range map[string]string{"Text": render.Text(s), "ASCII": render.ASCII(s)} {
		if found := hostiletest.Dangers(got); found != nil {
			t.Errorf("%s(%q) = %q holds %v", name, s, got, found)
		}
		// A surrogate in UTF-8 is not UTF-8, so every text can be read back.
		if back, err := unescape(got); err != nil || back != s {
			t.Errorf("%s(%q) = %q reads back as %q, %v", name, s, got, back, err)
		}
	}
	if got := render.ASCII(s); strings.ContainsFunc(got, func(r rune) bool { return r > '~' }) {
		t.Errorf("ASCII(%q) = %q is not ASCII", s, got)
	}
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = render.Text(lines[i])
	}
	if got, want := render.Multiline(s), strings.Join(lines, "\n"); got != want {
		t.Errorf("Multiline(%q) = %q, want %q", s, got, want)
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, in, want string }{
		{"empty", "", ""},
		{"plain", "charge-card #1 ~", "charge-card #1 ~"},
		{"letters of the world", "Größe 日本語 Ελληνικά עברית 🎉 ❤️", "Größe 日本語 Ελληνικά עברית 🎉 ❤️"},
		{"clear screen", "\x1b[2J", `\x1b[2J`},
		{"8-bit CSI as a byte", "\x9b2J", `\x9b2J`},
		{"8-bit CSI as a character", "\u009b2J", `\u009b2J`},
		{"layout", "a\nb\rc\td\be", `a\nb\rc\td\x08e`},
		{"NUL and DEL", "\x00\x7f", `\x00\x7f`},
		{"title", "\x1b]0;owned\a", `\x1b]0;owned\x07`},
		{"bidi", "\u202egpj.exe\u2066\u200f\u061c", `\u202egpj.exe\u2066\u200f\u061c`},
		{"zero width", "a\u200bb\u200c\u200d\u2060\ufeff", `a\u200bb\u200c\u200d\u2060\ufeff`},
		{"separators", "a\u2028b\u2029", `a\u2028b\u2029`},
		{"tags", "a\U000e0041", `a\U000e0041`},
		{"soft hyphen and fillers", "\u00ad\u3164\u115f", `\u00ad\u3164\u115f`},
		{"not UTF-8", "a\xffb\xc3", `a\xffb\xc3`},
		{"lone surrogate", "\xed\xa0\x80", `\xed\xa0\x80`},
		{"replacement character", "\ufffd", "\ufffd"},
		{"backslash", `C:\new`, `C:\\new`},
		{"an escape that is only text", `\x1b[2J`, `\\x1b[2J`},
		{"accent", "e\u0301", "e\u0301"},
		{"accent on nothing", "\u0301e", `\u0301e`},
		{"accent on an escape", "\n\u0301", `\n\u0301`},
		{"too many accents", "e" + strings.Repeat("\u0301", 9), "e" + strings.Repeat("\u0301", 8) + `\u0301`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, render.Text(c.in)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			checkText(t, c.in)
		})
	}
}

func TestASCIIShowsLettersThatLookAlike(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(`\u0435mail caf\u00e9 \U0001f389`, render.ASCII("еmail café 🎉")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTextDisarmsPayloads(t *testing.T) {
	t.Parallel()
	for _, payload := range hostiletest.Payloads() {
		if render.Text(payload) == payload {
			t.Errorf("%q is left as it is", payload)
		}
		checkText(t, payload)
	}
}

func TestTextOfAnything(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		nasty := rapid.SampledFrom([]string{"\x1b[", "\n", "\\", `\x1b`, "\u202e", "\xff", "\u0301", "\ufe0f", "\u009b", "é", "日", "\xed\xa0\x80"})
		parts := rapid.SliceOf(rapid.OneOf(rapid.String(), nasty)).Draw(t, "parts")
		checkText(t, strings.Join(parts, ""))
	})
}

func FuzzText(f *testing.F) {
	for _, payload := range hostiletest.Payloads() {
		f.Add(payload)
	}
	f.Fuzz(func(t *testing.T, s string) { checkText(t, s) })
}

// Every character by itself, but for the planes that hold none: whatever Text
// leaves alone must take room on the screen.
func TestTextLeavesNothingInvisible(t *testing.T) {
	t.Parallel()
	var invisible []rune
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if r == 0x20000 {
			r = 0xe0000
		}
		got := render.Text(string(r))
		if hostiletest.Dangers(got) != nil || got == string(r) && render.Width(got) == 0 {
			invisible = append(invisible, r)
		}
	}
	if len(invisible) > 0 {
		t.Errorf("%d characters, such as %U", len(invisible), invisible[:min(len(invisible), 20)])
	}
}

func TestCut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, in string
		width    int
		want     string
	}{
		{"fits", "abc", 3, "abc"},
		{"cut", "abcd", 3, "ab…"},
		{"one column", "abcd", 1, "…"},
		{"one letter in one column", "a", 1, "a"},
		{"no room", "abcd", 0, ""},
		{"below none", "abcd", -1, ""},
		{"wide letters", "日本語", 5, "日本…"},
		{"half a wide letter", "日本語", 4, "日…"},
		{"wide letters fit", "日本語", 6, "日本語"},
		{"combining", "e\u0301e\u0301e\u0301", 2, "e\u0301…"},
		{"flags", "🇩🇪🇫🇷", 3, "🇩🇪…"},
		{"skin tone", "👍🏽👍🏽", 3, "👍🏽…"},
		{"keycap", "1\ufe0f\u20e31\ufe0f\u20e3", 3, "1\ufe0f\u20e3…"},
		{"empty", "", 3, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, render.Cut(c.in, c.width)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestCutOfAnythingFits(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := render.Text(rapid.String().Draw(t, "s"))
		width := rapid.IntRange(1, 20).Draw(t, "width")
		got := render.Cut(s, width)
		if render.Width(got) > width {
			t.Errorf("Cut(%q, %d) = %q is %d wide", s, width, got, render.Width(got))
		}
		if got != s && (render.Width(s) <= width || !strings.HasPrefix(s, strings.TrimSuffix(got, "…"))) {
			t.Errorf("Cut(%q, %d) = %q", s, width, got)
		}
	})
}

// A megabyte of one text without a space, a thousand times: only what is shown
// may be looked at, or this takes minutes.
func TestCutStopsAtTheEdge(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 1<<20)
	for range 1000 {
		if got := render.Cut(long, 40); got != long[:39]+"…" {
			t.Fatalf("got %q", got)
		}
	}
}
