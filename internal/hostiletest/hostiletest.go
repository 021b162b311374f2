// Package hostiletest holds texts that would do something to a terminal if they
// reached it as they are, and tells whether an output has any of it left. Tests
// put the texts wherever somebody else's text may stand.
package hostiletest

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Marker is in front of the second line of the payloads that have one. No line
// of an output for people may begin with it: a payload cannot add a line.
const Marker = "fake: "

// Payloads returns the texts, each one once.
func Payloads() []string {
	return slices.Compact(slices.Sorted(slices.Values(slices.Concat(
		sequences(), commands(), shortEscapes(), invisible(), marks(), notUTF8(), lines(),
	))))
}

// sequences are control sequences: cursor, screen, colours, modes, reports.
func sequences() (payloads []string) {
	for _, csi := range []string{"\x1b[", "\x9b", "\u009b"} {
		for _, rest := range []string{
			"2J", "3J", "K", "1A", "99B", "5C", "5D", "H", "10;10f", "s", "u", "31m", "8m", "7;5m", "38;2;1;2;3m", "?25l",
			"?1049h", "?47h", "?1000h", "?1003h", "?1006h", "?2004h", "?2004l", "?2026h", "6n", "5n", "c", ">c", "=c", "0q",
			"!p", "20t", "21t", "8;1;1t", "4h", "100L", "M", "1;2r", "b", "?5h", "200~rm -rf /\n\x1b[201~", ">1u", "?u", "14t",
		} {
			payloads = append(payloads, csi+rest)
		}
	}
	return payloads
}

// commands are strings for the operating system, devices and applications.
func commands() (payloads []string) {
	for _, osc := range []string{"\x1b]", "\x9d", "\u009d"} {
		for _, end := range []string{"\a", "\x1b\\", "\u009c", ""} {
			for _, command := range []string{
				"0;owned", "2;owned", "52;c;cm0gLXJmIC8=", "52;c;?", "8;;http://evil.example", "4;1;?", "10;?", "11;?", "7;file:///",
				"1337;File=inline=1:AAAA", "777;notify;a;b", "9;hello", "133;A",
			} {
				payloads = append(payloads, osc+command+end)
			}
		}
	}
	for _, introducer := range []string{"P", "_", "^", "X"} { // DCS, APC, PM, SOS
		eight := introducer[0] - '@' + 0x80
		for _, body := range []string{"$qm", "+q544e", "q#0;2;0;0;0~-", "Gf=24,s=1,v=1;AAAA", "tmux;\x1b\x1b[2J"} {
			payloads = append(payloads,
				"\x1b"+introducer+body+"\x1b\\", string([]byte{eight})+body+"\x9c", string(rune(eight))+body+"\u009c")
		}
	}
	return payloads
}

// shortEscapes are an escape and one more, and the single control characters.
func shortEscapes() (payloads []string) {
	payloads = append(payloads, "\x1b", "\x1b\x1b", "a\x1b", "\x1b(0lqqk", "\x1b#8", "\x1b%G", "\x1b F")
	for _, r := range "c78DEHM=>NOZ" {
		payloads = append(payloads, "\x1b"+string(r))
	}
	for r := rune(0); r < 0xa0; r++ {
		if r < ' ' && r != '\n' || r >= 0x7f {
			payloads = append(payloads, "a"+string(r)+"b")
		}
	}
	return append(payloads, "progress 10%\rprogress 99%", "secret\b\b\b\b\b\bpublic", "\x0e\x0f", "\v\f")
}

// invisible are the characters that reorder text, hide it or look like nothing.
func invisible() (payloads []string) {
	for _, r := range []rune{
		0x202a, 0x202b, 0x202c, 0x202d, 0x202e, 0x2066, 0x2067, 0x2068, 0x2069, 0x200e, 0x200f, 0x61c,
		0x200b, 0x200c, 0x200d, 0x2060, 0x2061, 0x2064, 0x206a, 0x206f, 0xfeff, 0xad, 0x34f, 0x115f, 0x17b4, 0x180e, 0x2028,
		0x2029, 0x3164, 0xffa0, 0xfff9, 0xfffa, 0xfffb, 0xe0001, 0xe0020, 0xe007f, 0xe0100, 0xfe00, 0x1d173, 0xfdd0, 0xffff, 0x10ffff,
	} {
		payloads = append(payloads, "user"+string(r)+"admin")
	}
	hidden := ""
	for _, c := range "ignore this" {
		hidden += string(0xe0000 + c)
	}
	return append(payloads, "tag"+hidden, "\u202efdp.exe\u202c", "\u2066a\u2069\u202e b")
}

// marks are runs of combining marks that would paint over the lines around.
func marks() []string {
	return []string{"z" + strings.Repeat("\u0335\u0361", 60), "\u0300alone", "e" + strings.Repeat("\u0301", 40), "\x1b\u0301"}
}

// notUTF8 are bytes that a terminal may read in its own way.
func notUTF8() []string {
	return []string{
		"\xff\xfe", "\xed\xa0\x80", "\xed\xbf\xbf", "\xc0\x80", "\xc0\x9b2J", "\xe0\x80\x9b[2J", "\xf0\x80\x80\x9b", "\xf4\x90\x80\x80",
		"\xc2", "a\xc2", "\xe2\x80", "\x80", "\xc1\xbf", "\xf8\x88\x80\x80\x80",
	}
}

// lines are texts of several lines, some with more in them.
func lines() []string {
	return []string{
		"a\n" + Marker + "line", "\n\n\n" + Marker + "x", "a\r\n" + Marker + "line\r\n", "a\n" + Marker + "\x1b[2J\x1b]0;t\a",
		"\tx\ty", "a\u0085" + Marker, "a\u2028" + Marker, "\n\u202e" + Marker, "a\v" + Marker, "a\f" + Marker, "\\", `\x1b[2J`, `\n`, "a\tb\nc\td",
	}
}

// Dangers lists what a line of output for people must not hold: controls, parts
// that are not UTF-8, and what reorders or hides text.
func Dangers(line string) []string {
	var found []string
	for i, r := range line {
		_, size := utf8.DecodeRuneInString(line[i:])
		switch {
		case r == utf8.RuneError && size == 1,
			r < 0x20, r >= 0x7f && r <= 0x9f, r == 0xad, r == 0x34f, r == 0x61c, r == 0x115f, r == 0x17b4, r == 0x180e,
			r >= 0x200b && r <= 0x200f, r >= 0x2028 && r <= 0x202e, r >= 0x2060 && r <= 0x206f,
			r == 0x3164, r == 0xffa0, r == 0xfeff, r >= 0xfff9 && r <= 0xfffb, r >= 0xe0000 && r <= 0xe0fff:
			found = append(found, fmt.Sprintf("%#x at %d", r, i))
		}
	}
	return found
}
