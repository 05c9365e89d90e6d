package reports

import (
	"fmt"
	"slices"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"ovbench/reports/results"
)

// Measures of the chart of times, in points.
const (
	timingBar   = 16
	timingNames = 44
)

// timingFigures show where the time of each run went: one bar, its stages end to end.
func timingFigures(v *view) []figure {
	var stages []string // longest first, over all runs
	total := map[string]float64{}
	for _, r := range v.runs {
		for s, t := range r.Timing.Seconds {
			total[s] += t
		}
	}
	stages = results.Timing{Seconds: total}.Stages()
	stages = slices.DeleteFunc(stages, func(s string) bool { return !(total[s] > 0) })
	if len(stages) == 0 {
		return nil
	}
	var k key
	for i, s := range stages {
		k = append(k, keyEntry{name: fmt.Sprintf("%s %s", s, share(total[s], total)), color: seriesColor(i)})
	}
	w := vg.Length(oneColumn)
	f := figure{name: "timing", title: "Where the time went", w: w, h: vg.Length(len(v.runs))*timingBar + rowsBottom + 4 + k.height(w),
		note: "Stages of several workers overlap, so that their sum can exceed the time that passed. Shares are of all runs shown."}
	f.draw = func(c draw.Canvas) { v.drawTiming(under(c, k), stages) }
	return []figure{f}
}

func share(x float64, of map[string]float64) string {
	sum := 0.0
	for _, s := range (results.Timing{Seconds: of}).Stages() { // in a fixed order
		sum += of[s]
	}
	return fmt.Sprintf("%.0f %%", 100*x/sum)
}

func (v *view) drawTiming(c draw.Canvas, stages []string) {
	longest := 0.0
	for _, r := range v.runs {
		sum := 0.0
		for _, s := range stages {
			sum += r.Timing.Seconds[s]
		}
		longest = max(longest, sum)
	}
	unit, per := "s", 1.0
	switch {
	case longest > 3*3600:
		unit, per = "h", 3600
	case longest > 3*60:
		unit, per = "min", 60
	}
	names := vg.Length(4)
	if len(v.runs) > 1 {
		names = timingNames
	}
	left, right, top := c.Min.X+names, c.Max.X-8, c.Max.Y-4
	bottom := top - vg.Length(len(v.runs))*timingBar
	at := func(t float64) vg.Length { return left + vg.Length(t/longest)*(right-left) }
	tick, small := lettering(tickSize), lettering(labelSize)
	for i, r := range v.runs {
		y := top - vg.Length(i)*timingBar
		if len(v.runs) > 1 {
			c.FillText(small, vg.Point{X: c.Min.X, Y: y - timingBar/2 - 2.5}, fmt.Sprintf("run %d", i+1))
		}
		from := 0.0
		for j, s := range stages {
			to := from + r.Timing.Seconds[s]
			rectangle(c, seriesColor(j), at(from), y-timingBar+2, at(to), y-2)
			from = to
		}
	}
	tick.XAlign, small.XAlign = draw.XCenter, draw.XCenter
	for _, t := range roundTicks(0, longest/per) {
		c.StrokeLine2(axisLine, at(t.Value*per), bottom, at(t.Value*per), bottom-2)
		c.FillText(tick, vg.Point{X: at(t.Value * per), Y: bottom - 9}, t.Label)
	}
	c.StrokeLine2(axisLine, left, bottom, right, bottom)
	c.FillText(small, vg.Point{X: (left + right) / 2, Y: bottom - 19}, "time of all workers ("+unit+")")
}
