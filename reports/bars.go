package reports

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"ovbench/reports/results"
)

// Measures of a bar chart, in points.
const (
	barsAxis   = 34  // left of the bars
	groupGap   = 14  // between groups
	groupLeast = 58  // room for the name of a data set
	lineHeight = 126 // of a line of groups
	maxLines   = 4   // of one figure
)

// bars draws a score of every method, one group of bars per data set, with the intervals. gonum's own bar chart shifts
// bars in points and its error bars in data units, so that they cannot be brought to meet.
type bars struct {
	scores [][]*results.Score // row, column
	names  []string           // of rows
	colors []int              // series of rows
	titles []string           // of columns
	metric string             // of all columns, or "score"
}

// barsOf takes from every cell the score metric names, "" for none. Methods and data sets without any are left out.
func (v *view) barsOf(metric func(column) string) *bars {
	b := &bars{}
	var columns []column
	var metrics []string
	for _, c := range v.columns {
		for _, r := range v.rows {
			if v.cell(r, c).Score(metric(c)) != nil {
				columns = append(columns, c)
				b.titles, metrics = append(b.titles, c.title), append(metrics, metric(c))
				break
			}
		}
	}
	if slices.Equal(metrics, slices.Repeat(metrics[:min(len(metrics), 1)], len(metrics))) {
		b.metric = strings.Join(metrics[:min(len(metrics), 1)], "")
	} else {
		b.metric = "score"
		for i := range metrics {
			b.titles[i] += " " + metrics[i]
		}
	}
	for i, r := range v.rows {
		var line []*results.Score
		any := false
		for _, c := range columns {
			s := v.cell(r, c).Score(metric(c))
			line, any = append(line, s), any || s != nil
		}
		if any {
			b.scores, b.names, b.colors = append(b.scores, line), append(b.names, v.name(r)), append(b.colors, i)
		}
	}
	return b
}

// barFigures are the bars of a score of all data sets: one figure, or several where there are many data sets.
func (v *view) barFigures(name, title string, metric func(column) string) []figure {
	b := v.barsOf(metric)
	if len(b.scores) == 0 {
		return nil
	}
	notes := intervals(b.scores, "Whiskers are the %s %% bootstrap interval (%d resamples of the images).")
	if !v.comparable() {
		notes = append(notes, "The runs are not comparable: their protocols or images differ.")
	}
	bar := min(max(60/vg.Length(len(b.scores)), 4.5), 13)
	group := max(vg.Length(len(b.scores))*bar+groupGap, groupLeast)
	width := vg.Length(twoColumns)
	if barsAxis+group*vg.Length(len(b.titles)) <= oneColumn {
		width = oneColumn
	}
	across := max(1, int((width-barsAxis)/group))
	lines := (len(b.titles) + across - 1) / across
	across = (len(b.titles) + lines - 1) / lines
	low, high := b.extent()
	parts := (lines + maxLines - 1) / maxLines
	var out []figure
	for part := range parts {
		first := part * maxLines * across
		last := min(first+maxLines*across, len(b.titles))
		f := figure{name: name, title: title, note: strings.Join(notes, " "), w: width, place: placeSummary}
		if parts > 1 {
			f.name += fmt.Sprintf("-%d", part+1)
			f.title += fmt.Sprintf(" (%d of %d)", part+1, parts)
		}
		n := (last - first + across - 1) / across
		f.h = vg.Length(n)*lineHeight + b.key().height(width)
		f.draw = func(c draw.Canvas) {
			c = under(c, b.key())
			each := (c.Max.Y - c.Min.Y) / vg.Length(n)
			for i := range n {
				from := first + i*across
				l := &barLine{bars: b, from: from, to: min(from+across, last), across: across}
				l.draw(draw.Crop(c, 0, 0, vg.Length(n-1-i)*each, -vg.Length(i)*each), low, high)
			}
		}
		out = append(out, f)
	}
	return out
}

func (b *bars) key() key {
	var k key
	for i, name := range b.names {
		k = append(k, keyEntry{name: name, color: seriesColor(b.colors[i])})
	}
	return k
}

// extent is the range of the y axis, in percent: zero is in sight, and some air above.
func (b *bars) extent() (low, high float64) {
	for _, line := range b.scores {
		for _, s := range line {
			if s != nil {
				l, h := bounds(s)
				low, high = min(low, s.Value, l), max(high, s.Value, h)
			}
		}
	}
	if low == high {
		high = 0.01
	}
	air := 0.06 * (high - low)
	if low < 0 {
		low -= air
	}
	return 100 * low, 100 * (high + air)
}

func bounds(s *results.Score) (low, high float64) {
	if s.Low == nil || s.High == nil {
		return s.Value, s.Value
	}
	return *s.Low, *s.High
}

// barLine is a line of groups: columns from to to, with room for across.
type barLine struct {
	*bars
	from, to, across int
}

func (b *barLine) draw(c draw.Canvas, low, high float64) {
	p := newChart("", b.metric+" (%)")
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = -0.5, float64(b.across)-0.5, low, high
	room := (c.Max.X-c.Min.X-barsAxis)/vg.Length(b.across) - 6
	ticks := make([]plot.Tick, b.to-b.from)
	for i, s := range b.titles[b.from:b.to] {
		ticks[i] = plot.Tick{Value: float64(i), Label: strings.Join(wrapText(p.X.Tick.Label, s, room, 3), "\n")}
	}
	p.X.Tick.Marker = plot.ConstantTicks(ticks)
	p.X.LineStyle.Width = 0
	p.X.Tick.Length, p.X.Tick.LineStyle.Color = 4, paper // unseen: a distance
	p.X.Tick.Label.YAlign = draw.YTop
	p.Add(grid{}, b)
	p.Draw(draw.Crop(c, 0, 0, 0, -3))
}

// Plot implements plot.Plotter.
func (b *barLine) Plot(c draw.Canvas, p *plot.Plot) {
	trX, trY := p.Transforms(&c)
	step := min((trX(1)-trX(0)-groupGap)/vg.Length(len(b.scores)), 22)
	whisker := draw.LineStyle{Color: ink, Width: 0.6}
	for i, row := range b.scores {
		for j, s := range row[b.from:b.to] {
			if s == nil {
				continue
			}
			mid := trX(float64(j)) + step*(vg.Length(i)-vg.Length(len(b.scores)-1)/2)
			half := step * 0.44
			rectangle(c, seriesColor(b.colors[i]), mid-half, trY(0), mid+half, trY(100*s.Value))
			if s.Low != nil && s.High != nil {
				low, high, cap := trY(100**s.Low), trY(100**s.High), min(half*0.6, 3)
				c.StrokeLine2(whisker, mid, low, mid, high)
				c.StrokeLine2(whisker, mid-cap, low, mid+cap, low)
				c.StrokeLine2(whisker, mid-cap, high, mid+cap, high)
			}
		}
	}
	zero := trY(math.Max(0, p.Y.Min))
	c.StrokeLine2(axisLine, c.Min.X, zero, c.Max.X, zero)
}
