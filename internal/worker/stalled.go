package worker

import (
	"context"
	"math/rand/v2"
	"time"
)

// spread keeps workers apart that wait for the same moment.
const spread = 500 * time.Millisecond

// watchStalled looks for jobs of dead workers, at the start and then once per
// interval. The engine lets one worker per interval do it; the others come
// again when the interval is over, so that the one may die.
func (w *Worker) watchStalled(ctx context.Context) {
	for {
		live := w.live.Load()
		wait := live.stalledInterval
		recovered, err := w.cfg.Queue.RecoverStalled(ctx, wait, live.maxStalled)
		switch {
		case err != nil && ctx.Err() == nil:
			wait = min(wait, w.errs.report(w.log, w.cfg.Now(), "stalled check", err))
		case !recovered.Checked && recovered.Next > 0:
			wait = min(wait, recovered.Next+rand.N(min(wait/10+1, spread)))
		}
		failing := map[string]bool{}
		for _, id := range recovered.Failing {
			failing[id] = true
		}
		for _, id := range recovered.IDs {
			w.log.Warn("job stalled", "job", id, "fails", failing[id])
		}
		if !sleep(ctx, wait) {
			return
		}
	}
}
