package config

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBoundNumber(t *testing.T) {
	t.Parallel()
	nines, zeros := strings.Repeat("9", 400), strings.Repeat("0", 500)
	tests := []struct{ name, number, want string }{
		{"above 2^53", "9007199254740993", "9007199254740993"},
		{"at the bound", "-1.5E-400", "-1.5E-400"},
		{"400 digits", nines, nines},
		{"too large", "1e401", "1e400"},
		{"too large and negative", "-1e999999999999999999999", "-1e400"},
		{"too small", "1e-99999999999999999999", "1e-400"},
		{"too many digits", nines + "9", "1e400"},
		{"zero, however written", "-0.000e999999999", "0"},
		{"zeros before the point", "0." + zeros + "1e500", "0.1e0"},
		{"zeros behind the point", "12." + zeros, "0.12e2"},
		{"large digits, small exponent", "5" + zeros + "e-500", "0.5e1"},
		{"no rounding to an integer", "1." + zeros + "1", "0.1" + zeros[:399] + "1e1"},
	}
	for _, test := range tests {
		if diff := cmp.Diff(json.Number(test.want), boundNumber(json.Number(test.number))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}
