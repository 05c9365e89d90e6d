package reports

import (
	"cmp"
	"fmt"
	"slices"

	"ovbench/reports/draw"
	"ovbench/reports/results"
)

// timingFigures show where the time of each run went: one bar, its stages end to end.
func timingFigures(v *view) []figure {
	total, sum := map[string]float64{}, 0.0
	for _, r := range v.runs {
		for s, t := range r.Timing.Seconds {
			total[s] += t
		}
	}
	stages := results.Timing{Seconds: total}.Stages() // longest first, over all runs
	stages = slices.DeleteFunc(stages, func(s string) bool { return !(total[s] > 0) })
	if len(stages) == 0 {
		return nil
	}
	for _, s := range stages { // in a fixed order
		sum += total[s]
	}
	x := &draw.Times{}
	for _, s := range stages {
		x.Stages = append(x.Stages, fmt.Sprintf("%s %.0f %%", s, 100*total[s]/sum))
	}
	for i, r := range v.runs {
		var spent []float64
		for _, s := range stages {
			spent = append(spent, r.Timing.Seconds[s])
		}
		if x.Spent = append(x.Spent, spent); len(v.runs) > 1 {
			x.Runs = append(x.Runs, cmp.Or(r.Label, fmt.Sprintf("run %d", i+1)))
		}
	}
	return []figure{{Figure: x.Figure("timing", "Where the time went",
		"Stages of several workers overlap, so that their "+
			"sum can exceed the time that passed. Shares are of all runs shown.")}}
}
