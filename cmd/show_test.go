package cmd

import "testing"

func TestJobID(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		args    []string
		encoded string
		given   bool
		want    string
		refused bool
	}{
		{name: "argument", args: []string{"42"}, want: "42"},
		{name: "padded", encoded: "/wA=", given: true, want: "\xff\x00"},
		{name: "not padded", encoded: "/wA", given: true, want: "\xff\x00"},
		{name: "alphabet of URLs", encoded: "_-8", given: true, want: "\xff\xef"},
		{name: "neither", refused: true},
		{name: "empty argument", args: []string{""}, refused: true},
		{name: "both", args: []string{"42"}, encoded: "NDI=", given: true, refused: true},
		{name: "empty", given: true, refused: true},
		{name: "other characters", encoded: "4 2", given: true, refused: true},
		{name: "cut", encoded: "N", given: true, refused: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := jobID(test.args, test.encoded, test.given)
			if got != test.want || (err != nil) != test.refused {
				t.Errorf("got %q, %v; want %q, refused %t", got, err, test.want, test.refused)
			}
		})
	}
}

// Whoever adds jobs chooses their ids; a shell must not run what completes them.
func TestTypable(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]bool{
		"email-queue":       true,
		"bull:{mail}.x":     true,
		"über":              true,
		"repeat:a@b,c%2=/+": true,
		"":                  false,
		"-rf":               false,
		"$(reboot)":         false,
		"a b":               false,
		"a\tb":              false,
		"a\nb":              false,
		"a;b":               false,
		"a`b`":              false,
		"\x1b[2J":           false,
		"a\xff":             false,
		"a*":                false,
	} {
		if got := typable(word); got != want {
			t.Errorf("%q is typable: %t, want %t", word, got, want)
		}
	}
}
