package cmd

import (
	"fmt"
	"os"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestExitCodesPage holds the page to the table that help is made from.
func TestExitCodesPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/exit-codes.md")
	if err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for _, row := range regexp.MustCompile("(?m)^\\| ([0-9]+) \\| `([A-Z_]+)` \\| (.+?) \\| ").FindAllStringSubmatch(string(page), -1) {
		got = append(got, row[1]+" "+row[2]+" "+row[3])
	}
	for _, row := range exitCodes {
		want = append(want, fmt.Sprintf("%d %s %s", row.code, row.name, row.meaning))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docs/exit-codes.md (-table +page):\n%s", diff)
	}
}
