package draw

import (
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Times draws where time went: a bar for each run, its stages end to end.
type Times struct {
	Runs   []string    // nil for a single one, which needs no name
	Stages []string    // as the key names them
	Spent  [][]float64 // [run][stage], seconds
}

// Measures of the chart of times, in points.
const (
	timingBar   = 16
	timingNames = 44
)

// Figure is the chart with its size.
func (x *Times) Figure(name, title, note string) Figure {
	var k Key
	for i, s := range x.Stages {
		k = append(k, KeyEntry{Name: s, Color: SeriesColor(i)})
	}
	w := vg.Length(OneColumn)
	return Figure{Name: name, Title: title, Note: note, W: w,
		H:    vg.Length(len(x.Spent))*timingBar + rowsBottom + 4 + k.height(w),
		Draw: func(c draw.Canvas) { x.draw(under(c, k)) }}
}

// span is the longest bar in seconds, and the unit to read it in.
func (x *Times) span() (longest float64, unit string, per float64) {
	for _, spent := range x.Spent {
		sum := 0.0
		for _, t := range spent {
			sum += t
		}
		longest = max(longest, sum)
	}
	switch {
	case longest > 3*3600:
		return longest, "h", 3600
	case longest > 3*60:
		return longest, "min", 60
	}
	return longest, "s", 1
}

func (x *Times) draw(c draw.Canvas) {
	longest, unit, per := x.span()
	names := vg.Length(4)
	if x.Runs != nil {
		names = timingNames
	}
	left, right, top := c.Min.X+names, c.Max.X-8, c.Max.Y-4
	bottom := top - vg.Length(len(x.Spent))*timingBar
	at := func(t float64) vg.Length { return left + vg.Length(t/longest)*(right-left) }
	tick, small := lettering(tickSize), lettering(labelSize)
	for i, spent := range x.Spent {
		y := top - vg.Length(i)*timingBar
		if x.Runs != nil {
			c.FillText(small, vg.Point{X: c.Min.X, Y: y - timingBar/2 - 2.5}, fitText(small, x.Runs[i], names-4))
		}
		from := 0.0
		for j, t := range spent {
			rectangle(c, SeriesColor(j), at(from), y-timingBar+2, at(from+t), y-2)
			from += t
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
