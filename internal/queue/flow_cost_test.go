package queue_test

import (
	"fmt"
	"testing"

	"github.com/qctl/qctl/internal/queue"
)

func BenchmarkAddLargestFlow(b *testing.B) {
	e := onRealRedis(b)
	for i := range b.N {
		root := queue.FlowJob{Queue: e.base, Job: queue.NewJob{Name: "root"}}
		for n := range queue.MaxFlowJobs - 1 {
			base := e.base
			base.Name = fmt.Sprint("q", n%3)
			root.Children = append(root.Children, queue.FlowJob{Queue: base, Job: queue.NewJob{Name: "child", Data: fmt.Appendf(nil, `{"n":%d,"i":%d}`, n, i)}})
		}
		spent := e.cost(func() {
			if _, err := e.client.AddFlow(e.ctx, root); err != nil {
				b.Fatal(err)
			}
		})
		b.ReportMetric(float64(spent.Milliseconds()), "ms-of-redis/op")
	}
}
