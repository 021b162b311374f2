package worker

import (
	"context"
)

// watchStalled looks for jobs of dead workers, at the start and then once per
// interval. The engine lets one worker per interval do it.
func (w *Worker) watchStalled(ctx context.Context) {
	for {
		recovered, err := w.cfg.Queue.RecoverStalled(ctx, w.cfg.StalledInterval, w.cfg.MaxStalled)
		if err != nil && ctx.Err() == nil {
			w.errs.report(w.log, w.cfg.Now(), "stalled check", err)
		}
		failing := map[string]bool{}
		for _, id := range recovered.Failing {
			failing[id] = true
		}
		for _, id := range recovered.IDs {
			w.log.Warn("job stalled", "job", id, "fails", failing[id])
		}
		if !sleep(ctx, w.cfg.StalledInterval) {
			return
		}
	}
}
