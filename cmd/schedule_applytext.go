package cmd

import (
	"fmt"
	"strings"

	"github.com/qctl/qctl/internal/render"
	"github.com/qctl/qctl/internal/scheduler"
)

// actionSigns begin the lines of what is done to schedules.
var actionSigns = map[scheduler.Action]string{
	scheduler.ActionAdd: "+", scheduler.ActionChange: "~", scheduler.ActionRestart: "~", scheduler.ActionRemove: "-",
	scheduler.ActionNone: "!",
}

// print writes a line for each schedule that is not simply as declared, and a sum.
func (o *applyOptions) print(a *app, views []applyView) error {
	format, err := a.format()
	if err != nil {
		return err
	}
	if !format.ForPeople() {
		return render.WriteList(a.streams.Out, views, format, a.options())
	}
	var b strings.Builder
	same := 0
	count := map[scheduler.Action]int{}
	for _, v := range views {
		if v.Action == scheduler.ActionNone && v.Why == nil {
			same++
			continue
		}
		if v.Error == nil {
			count[v.Action]++
		}
		b.WriteString(v.lines())
	}
	var done []string
	for _, action := range []scheduler.Action{scheduler.ActionAdd, scheduler.ActionChange, scheduler.ActionRestart, scheduler.ActionRemove} {
		if count[action] > 0 {
			done = append(done, fmt.Sprintf("%s %d", actionWord(action, o.dryRun), count[action]))
		}
	}
	if len(done) == 0 {
		done = append(done, "nothing to do")
	}
	fmt.Fprintf(&b, "%s; %s as declared\n", strings.Join(done, ", "), plural(same, "schedule"))
	_, err = fmt.Fprint(a.streams.Out, b.String())
	return err
}

// lines are what people read of a schedule.
func (v applyView) lines() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s", actionSigns[v.Action], render.Text(v.label), render.Text(v.ID))
	if v.Action == scheduler.ActionAdd || v.Action == scheduler.ActionRemove {
		fmt.Fprintf(&b, "  %s", render.Text(v.rule))
	}
	if v.Why != nil {
		why := *v.Why
		if v.Action == scheduler.ActionNone && why == scheduler.WhyLeftAlone {
			why += "; --prune removes it"
		}
		fmt.Fprintf(&b, "  %s", render.Text(why))
	}
	if v.Error != nil {
		fmt.Fprintf(&b, "  failed: %s", render.Text(*v.Error))
	}
	b.WriteByte('\n')
	for _, d := range v.Differences {
		fmt.Fprintf(&b, "    %s\n", d.text())
	}
	return b.String()
}
