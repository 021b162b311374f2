// Package worker runs jobs: it claims them from the engine, hands them to a
// handler, and records what became of them.
//
//	             ┌──────────── flight: settle what is done, claim what fits ───────────┐
//	             ▼                                                                     │
//	marker → Claimed jobs → handler, one goroutine per job → decide (pure) → outcomes ─┘
//	                            ▲
//	          locks renewed at a third of their life; a lost one cancels the handler
//
// A flight is one script call. While flights are in the air, outcomes gather
// and leave together with the next one: latency is low when the worker is idle
// and batches are large when it is busy. A worker never claims more jobs than
// it has free slots.
//
// The package decides policy (retry or fail, backoff, retention) and never
// touches Redis; package queue moves jobs and never decides.
package worker
