package queue

import (
	"crypto/md5" //nolint:gosec // BullMQ names jobs by MD5
	"encoding/hex"
	"regexp"
	"strings"
)

// legacyKey is what the id of the oldest repeatables says (wire section 7.7).
type legacyKey struct {
	text                string
	name, jobID, tz     string
	endDate             string // ms, may be empty
	pattern, everyMilli string
}

// parseLegacyKey reads name:jobId:endDate:tz:suffix, and tells whether BullMQ
// would take the text for that.
func parseLegacyKey(text string) (legacyKey, bool) {
	parts := strings.SplitN(text, ":", 5)
	if len(parts) < 5 || parts[2] != "" && !allDigits(parts[2]) {
		return legacyKey{}, false
	}
	k := legacyKey{text: text, name: parts[0], jobID: parts[1], endDate: parts[2], tz: parts[3]}
	switch suffix := parts[4]; {
	case allDigits(suffix):
		k.everyMilli = suffix
	case strings.ContainsRune(suffix, ' '):
		k.pattern = suffix
	default:
		return legacyKey{}, false
	}
	return k, true
}

// head is what the ids of its jobs begin with.
func (k legacyKey) head() string {
	return iterationHead(md5Hex(k.name + k.jobID + md5Hex(k.text)))
}

// fields are those of the record that it does not have.
func (k legacyKey) fields() map[string]string {
	fields := map[string]string{fieldName: k.name}
	for name, text := range map[string]string{
		"endDate": k.endDate, "tz": k.tz, "pattern": k.pattern, "every": k.everyMilli,
	} {
		if text != "" {
			fields[name] = text
		}
	}
	return fields
}

func md5Hex(text string) string {
	sum := md5.Sum([]byte(text)) //nolint:gosec // see the import
	return hex.EncodeToString(sum[:])
}

var hashedID = regexp.MustCompile(`^[0-9a-f]{32}$`)

// legacyKind tells a repeatable from a job scheduler. BullMQ goes by ic, but a
// worker of any later version adds that to the record of a repeatable that it
// continues; only job schedulers have an offset or a template.
func legacyKind(id string, record map[string]string) LegacyKind {
	has := func(names ...string) bool {
		for _, name := range names {
			if _, ok := record[name]; ok {
				return true
			}
		}
		return false
	}
	switch {
	case len(record) == 0:
		if _, plain := parseLegacyKey(id); plain {
			return LegacyPlain
		}
		return LegacyNone
	case has(fieldOpts, "offset"):
		return LegacyNone
	case has("ic") && !hashedID.MatchString(id):
		return LegacyNone
	}
	return LegacyHashed
}
