package cron_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/qctl/qctl/internal/cron"
)

// Whatever is offered is known, and in order.
func TestZones(t *testing.T) {
	t.Parallel()
	zones := cron.Zones()
	if len(zones) < 400 || !slices.IsSorted(zones) || !slices.Contains(zones, "UTC") {
		t.Errorf("%d zones, sorted %v", len(zones), slices.IsSorted(zones))
	}
	for _, name := range zones {
		if _, err := cron.ParseZone(name); err != nil {
			t.Error(err)
		}
	}
}

func TestAliases(t *testing.T) {
	t.Parallel()
	for _, alias := range cron.Aliases() {
		short, err := cron.Parse(alias[0])
		long, longErr := cron.Parse(alias[1])
		if err != nil || longErr != nil || short != long || !strings.HasPrefix(alias[0], "@") {
			t.Errorf("%q: %v, %v", alias, err, longErr)
		}
	}
}
