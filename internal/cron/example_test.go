package cron_test

import (
	"fmt"
	"time"

	"github.com/qctl/qctl/internal/cron"
)

func ExampleSchedule_Next() {
	berlin, err := cron.ParseZone("Europe/Berlin")
	if err != nil {
		fmt.Println(err)
		return
	}
	schedule, err := cron.Parse("30 2 * * *")
	if err != nil {
		fmt.Println(err)
		return
	}
	run := time.Date(2026, time.March, 27, 12, 0, 0, 0, berlin)
	for range 3 {
		run, _ = schedule.Next(run)
		fmt.Println(run)
	}
	// Output:
	// 2026-03-28 02:30:00 +0100 CET
	// 2026-03-29 03:30:00 +0200 CEST
	// 2026-03-30 02:30:00 +0200 CEST
}

func ExampleParse_refused() {
	_, err := cron.Parse("0 0 30 2 *")
	fmt.Println(err)
	_, err = cron.Parse("0 22-2 * * *")
	fmt.Println(err)
	// Output:
	// cron expression "0 0 30 2 *": day of month: never fires: none of the months has that day
	// cron expression "0 22-2 * * *": hour: the range "22-2" runs backwards; write two ranges instead
}
