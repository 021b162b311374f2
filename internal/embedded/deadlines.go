package embedded

import "container/heap"

// deadlines is when keys end. miniredis keeps a time to live that never runs
// down, because making it run down costs it a walk over all keys at every
// command; it is asked only whether a key has one. A key that lost its time to
// live may still be listed here, so what is due must be looked at before it goes.
type deadlines struct {
	at  map[string]int64 // milliseconds since the epoch
	due dueHeap
}

type due struct {
	at  int64
	key string
}

func newDeadlines() *deadlines { return &deadlines{at: map[string]int64{}} }

// set makes the key end at the time.
func (d *deadlines) set(key string, at int64) {
	d.at[key] = at
	heap.Push(&d.due, due{at, key})
}

// move gives the end of one key to another.
func (d *deadlines) move(from, to string) {
	at, ok := d.at[from]
	if !ok || from == to {
		return
	}
	delete(d.at, from)
	d.set(to, at)
}

// pop returns a key whose time has come.
func (d *deadlines) pop(now int64) (key string, ok bool) {
	for len(d.due) > 0 && d.due[0].at <= now {
		first := heap.Pop(&d.due).(due)
		if at, listed := d.at[first.key]; listed && at == first.at {
			delete(d.at, first.key)
			return first.key, true
		}
	}
	return "", false
}

// dueHeap implements heap.Interface, the earliest first.
type dueHeap []due

// Len counts the entries.
func (h dueHeap) Len() int { return len(h) }

// Less orders by time.
func (h dueHeap) Less(i, j int) bool { return h[i].at < h[j].at }

// Swap exchanges two entries.
func (h dueHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push adds an entry.
func (h *dueHeap) Push(x any) { *h = append(*h, x.(due)) }

// Pop takes the last entry.
func (h *dueHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}
