package cron

import (
	"strings"
	"time"
)

// ParseZone returns the zone with an IANA name such as "Europe/Berlin", or
// "UTC". It refuses names it does not know, and those that mean different
// zones to different processes: the empty name and "Local". The error is a
// [*ParseError] whose Field is "zone".
func ParseZone(name string) (*time.Location, error) {
	switch {
	case name == "":
		return nil, refuse(name, partZone, "the name is empty")
	case name == "Local", name == "localtime":
		return nil, refuse(name, partZone, "depends on the machine; name the zone")
	case strings.HasPrefix(name, "TZ="), strings.HasPrefix(name, "CRON_TZ="):
		return nil, refuse(name, partZone, "write the name without %s", name[:strings.Index(name, "=")+1])
	// Files that systems keep beside their zones and that Node does not know.
	case strings.HasPrefix(name, "posix/"), strings.HasPrefix(name, "right/"), name == "posixrules", name == "Factory":
		return nil, refuse(name, partZone, "is not the name of a zone")
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, refuse(name, partZone, "unknown; use a name such as Europe/Berlin or UTC")
	}
	return loc, nil
}
