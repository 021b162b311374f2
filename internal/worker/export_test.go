package worker

// Slots shows the bookkeeping of slots to tests.
func (w *Worker) Slots() (free, executing, flights int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.free, w.executing, w.flights
}
