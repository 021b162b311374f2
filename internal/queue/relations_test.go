package queue_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/qctl/qctl/internal/queue"
)

func TestRelationsInOptions(t *testing.T) {
	t.Parallel()
	dedup := &queue.Deduplication{ID: "d", TTL: 1500 * time.Millisecond, Extend: true, Replace: true, KeepLastIfActive: true, Reschedule: true}
	parent := &queue.ParentRef{Queue: queue.KeyBase{Prefix: "a:b", Name: "q"}, ID: "7"}
	for _, c := range []struct {
		opts   queue.JobOptions
		stored string
		api    string
	}{
		{queue.JobOptions{Dedup: &queue.Deduplication{ID: "d"}}, `{"attempts":0,"de":{"id":"d"}}`, `{"deduplication":{"id":"d"}}`},
		{
			queue.JobOptions{Dedup: dedup},
			`{"attempts":0,"de":{"id":"d","ttl":1500,"extend":true,"replace":true,"keepLastIfActive":true,"reschedule":true}}`,
			`{"deduplication":{"id":"d","ttl":1500,"extend":true,"replace":true,"keepLastIfActive":true,"reschedule":true}}`,
		},
		{
			queue.JobOptions{Parent: parent, FailParent: true},
			`{"attempts":0,"parent":{"id":"7","queue":"a:b:q"},"fpof":true}`,
			`{"parent":{"id":"7","queue":"a:b:q"},"failParentOnFailure":true}`,
		},
		{queue.JobOptions{ContinueParent: true}, `{"attempts":0,"cpof":true}`, `{"continueParentOnFailure":true}`},
		{queue.JobOptions{IgnoreDependency: true}, `{"attempts":0,"idof":true}`, `{"ignoreDependencyOnFailure":true,"failParentOnFailure":false}`},
		{queue.JobOptions{RemoveDependency: true}, `{"attempts":0,"rdof":true}`, `{"removeDependencyOnFailure":true}`},
	} {
		stored, err := json.Marshal(c.opts)
		if string(stored) != c.stored || err != nil {
			t.Errorf("stored as %s, %v, want %s", stored, err, c.stored)
		}
		decoded, err := queue.DecodeOptions([]byte(c.stored))
		if diff := cmp.Diff(c.opts, decoded); diff != "" || err != nil {
			t.Errorf("%s is read as %v: %s", c.stored, err, diff)
		}
		parsed, err := queue.ParseOptions([]byte(c.api), false)
		if diff := cmp.Diff(c.opts, parsed); diff != "" || err != nil {
			t.Errorf("%s is parsed as %v: %s", c.api, err, diff)
		}
	}
}

// What other clients have stored is read as far as it makes sense.
func TestRelationsAreReadLeniently(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]queue.JobOptions{
		`{"de":{"id":5,"ttl":1.5,"extend":1}}`:            {Dedup: &queue.Deduplication{ID: "5", TTL: 1500 * time.Microsecond}},
		`{"de":{"ttl":5},"parent":{"id":"1"}}`:            {},
		`{"de":null,"parent":null,"fpof":null}`:           {},
		`{"de":[],"parent":{"id":1,"queue":"b:q"}}`:       {Parent: &queue.ParentRef{Queue: queue.KeyBase{Prefix: "b", Name: "q"}, ID: "1"}},
		`{"de":{"id":"d","ttl":-1},"idof":"x","cpof":{}}`: {Dedup: &queue.Deduplication{ID: "d"}},
	} {
		got, err := queue.DecodeOptions([]byte(text))
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v, %s", text, err, diff)
		}
	}
}

func TestParseOptionsRefusesRelations(t *testing.T) {
	t.Parallel()
	for text, why := range map[string]string{
		`{"deduplication":{}}`:                                              "opts.deduplication has no id",
		`{"deduplication":null}`:                                            "opts.deduplication null is not an object",
		`{"deduplication":"d"}`:                                             "is not an object",
		`{"deduplication":{"id":""}}`:                                       "opts.deduplication.id \"\" is neither a text nor a number",
		`{"deduplication":{"id":"d","ttl":1.5}}`:                            "opts.deduplication.ttl 1.5 is not a whole number",
		`{"deduplication":{"id":"d","ttl":-1}}`:                             "opts.deduplication.ttl -1 is not",
		`{"deduplication":{"id":"d","ttl":"1s"}}`:                           "opts.deduplication.ttl \"1s\" is not",
		`{"deduplication":{"id":"d","extend":"yes"}}`:                       "opts.deduplication.extend \"yes\" is neither true nor false",
		`{"deduplication":{"id":"d","tll":1}}`:                              "opts.deduplication.tll is not one of",
		`{"debounce":{"id":"d"}}`:                                           "old name of deduplication",
		`{"parent":{"id":"1","queue":"q"}}`:                                 "opts.parent",
		`{"parent":{"id":"","queue":"b:q"}}`:                                "no id",
		`{"parent":null}`:                                                   "opts.parent is null",
		`{"failParentOnFailure":true,"ignoreDependencyOnFailure":true}`:     "failParentOnFailure and ignoreDependencyOnFailure cannot be used together",
		`{"failParentOnFailure":1}`:                                         "opts.failParentOnFailure",
		`{"deduplication":{"id":"d"},"parent":{"id":"1","queue":"bull:q"}}`: "a job with a parent cannot be deduplicated",
		`{"deduplication":{"id":"` + strings.Repeat("x", 1025) + `"}}`:      "is longer than 1024",
		`{"deduplication":{"id":"d","ttl":1e300}}`:                          "is not a whole number",
	} {
		if _, err := queue.ParseOptions([]byte(text), false); !errors.Is(err, queue.ErrInvalidOption) || !strings.Contains(err.Error(), why) {
			t.Errorf("%.80s: %v, want %q", text, err, why)
		}
	}
	if _, err := queue.ParseOptions([]byte(`{"debounce":{"id":"d"}}`), true); !errors.Is(err, queue.ErrInvalidOption) {
		t.Errorf("debounce among unknown options: %v", err)
	}
}
