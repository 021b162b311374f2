package queue

import (
	"errors"
	"fmt"
	"strings"
)

// KeyBase names a queue in Redis: every key of it is Prefix:Name:<suffix>.
type KeyBase struct {
	Prefix string
	Name   string
}

// ParseKeyBase splits a text such as bull:email-queue at its last colon.
func ParseKeyBase(text string) (KeyBase, error) {
	i := strings.LastIndexByte(text, ':')
	if i <= 0 || i == len(text)-1 {
		return KeyBase{}, fmt.Errorf("%w: %q is not prefix:name", ErrInvalidName, text)
	}
	return KeyBase{Prefix: text[:i], Name: text[i+1:]}, nil
}

// String returns prefix:name.
func (k KeyBase) String() string { return k.Prefix + ":" + k.Name }

// key returns the full name of one of the queue's keys.
func (k KeyBase) key(suffix string) string { return k.Prefix + ":" + k.Name + ":" + suffix }

// base is what scripts derive every key from.
func (k KeyBase) base() string { return k.key("") }

// hashTag returns what Redis Cluster hashes of the queue's keys; empty when
// nothing keeps them in one slot.
func (k KeyBase) hashTag() string {
	text := k.base()
	open := strings.IndexByte(text, '{')
	if open < 0 {
		return ""
	}
	end := strings.IndexByte(text[open:], '}')
	if end <= 1 {
		return ""
	}
	return text[open+1 : open+end]
}

// Suffixes of a queue's own keys. A job's key is the job id in their place, so
// none of them can be a job id.
const (
	keyMeta            = "meta"
	keyID              = "id"
	keyWait            = "wait"
	keyPaused          = "paused"
	keyActive          = "active"
	keyPrioritized     = "prioritized"
	keyDelayed         = "delayed"
	keyWaitingChildren = "waiting-children"
	keyCompleted       = "completed"
	keyFailed          = "failed"
	keyMarker          = "marker"
	keyPriorityCounter = "pc"
	keyStalled         = "stalled"
	keyStalledCheck    = "stalled-check"
	keyLimiter         = "limiter"
	keyEvents          = "events"
	keyRepeat          = "repeat"
	keyCorrupt         = "qctl:corrupt"
)

// reservedIDs are the first parts of key suffixes that a job id must not have:
// the job's hash would be one of the queue's own keys.
var reservedIDs = map[string]bool{
	keyMeta: true, keyID: true, keyWait: true, keyPaused: true, keyActive: true,
	keyPrioritized: true, keyDelayed: true, keyWaitingChildren: true,
	keyCompleted: true, keyFailed: true, keyMarker: true, keyPriorityCounter: true,
	keyStalled: true, keyStalledCheck: true, keyLimiter: true, keyEvents: true,
	keyRepeat: true, "metrics": true, "de": true, "dn": true, "delay": true,
	"priority": true, "qctl": true,
}

// ErrInvalidName is the error of a queue name, prefix or job id that BullMQ
// could not work with.
var ErrInvalidName = errors.New("invalid name")

// listKey returns the key that holds the jobs of a state, and whether it is a
// list; the others are sorted sets.
func listKey(s State) (suffix string, list bool, err error) {
	switch s {
	case StateWaiting:
		return keyWait, true, nil
	case StateActive:
		return keyActive, true, nil
	case StatePrioritized:
		return keyPrioritized, false, nil
	case StateDelayed:
		return keyDelayed, false, nil
	case StateCompleted:
		return keyCompleted, false, nil
	case StateFailed:
		return keyFailed, false, nil
	case StateWaitingChildren:
		return keyWaitingChildren, false, nil
	}
	return "", false, fmt.Errorf("%w: %q", ErrUnknownState, string(s))
}

// SplitJobKey splits the full key of a job, as parents and children are named
// by, at its last colons.
func SplitJobKey(key string) (KeyBase, string, error) {
	i := strings.LastIndexByte(key, ':')
	if i <= 0 || i == len(key)-1 {
		return KeyBase{}, "", fmt.Errorf("%w: %q is no key of a job", ErrInvalidName, key)
	}
	base, err := ParseKeyBase(key[:i])
	return base, key[i+1:], err
}
