package draw

import (
	"fmt"
	"math"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Measures of a bar chart, in points.
const (
	barsAxis   = 34  // left of the bars
	groupGap   = 14  // between groups
	groupLeast = 58  // room for the name of a data set
	lineHeight = 126 // of a line of groups
	maxLines   = 4   // of one figure
)

// Bars draws values of every series, one group of bars per title, with their intervals. gonum's own bar chart shifts
// bars in points and its error bars in data units, so that they cannot be brought to meet.
type Bars struct {
	Marks  [][]*Mark // [series][title]; nil where there is none
	Names  []string  // of series
	Colors []int     // of series
	Titles []string  // of groups
	Label  string    // of the values times 100, with their unit
}

// Mark is a fraction with its interval; Low and High are equal where it has none.
type Mark struct{ Value, Low, High float64 }

// Figures are one figure, or several where there are many groups.
func (b *Bars) Figures(name, title, note string) []Figure {
	bar := min(max(60/vg.Length(len(b.Marks)), 4.5), 13)
	group := max(vg.Length(len(b.Marks))*bar+groupGap, groupLeast)
	width := vg.Length(TwoColumns)
	if barsAxis+group*vg.Length(len(b.Titles)) <= OneColumn {
		width = OneColumn
	}
	across := max(1, int((width-barsAxis)/group))
	lines := (len(b.Titles) + across - 1) / across
	across = (len(b.Titles) + lines - 1) / lines
	low, high := b.extent()
	parts := (lines + maxLines - 1) / maxLines
	var out []Figure
	for part := range parts {
		first := part * maxLines * across
		last := min(first+maxLines*across, len(b.Titles))
		f := Figure{Name: name, Title: title, Note: note, W: width}
		if parts > 1 {
			f.Name += fmt.Sprintf("-%d", part+1)
			f.Title += fmt.Sprintf(" (%d of %d)", part+1, parts)
		}
		n := (last - first + across - 1) / across
		f.H = vg.Length(n)*lineHeight + b.key().height(width)
		f.Draw = func(c draw.Canvas) {
			c = under(c, b.key())
			each := (c.Max.Y - c.Min.Y) / vg.Length(n)
			for i := range n {
				from := first + i*across
				l := &barLine{Bars: b, from: from, to: min(from+across, last), across: across}
				l.draw(draw.Crop(c, 0, 0, vg.Length(n-1-i)*each, -vg.Length(i)*each), low, high)
			}
		}
		out = append(out, f)
	}
	return out
}

func (b *Bars) key() Key {
	var k Key
	for i, name := range b.Names {
		k = append(k, KeyEntry{Name: name, Color: SeriesColor(b.Colors[i])})
	}
	return k
}

// extent is the range of the y axis, in percent: zero is in sight, and some air above.
func (b *Bars) extent() (low, high float64) {
	for _, line := range b.Marks {
		for _, s := range line {
			if s != nil {
				low, high = min(low, s.Value, s.Low), max(high, s.Value, s.High)
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

// barLine is a line of groups: columns from to to, with room for across.
type barLine struct {
	*Bars
	from, to, across int
}

func (b *barLine) draw(c draw.Canvas, low, high float64) {
	p := newChart("", b.Label)
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = -0.5, float64(b.across)-0.5, low, high
	room := (c.Max.X-c.Min.X-barsAxis)/vg.Length(b.across) - 6
	ticks := make([]plot.Tick, b.to-b.from)
	for i, s := range b.Titles[b.from:b.to] {
		ticks[i] = plot.Tick{Value: float64(i), Label: strings.Join(wrapText(p.X.Tick.Label, s, room, 3), "\n")}
	}
	p.X.Tick.Marker = plot.ConstantTicks(ticks)
	p.X.LineStyle.Width = 0
	p.X.Tick.Length, p.X.Tick.LineStyle.Color = 4, Paper // unseen: a distance
	p.X.Tick.Label.YAlign = draw.YTop
	p.Add(grid{}, b)
	p.Draw(draw.Crop(c, 0, 0, 0, -3))
}

// Plot implements plot.Plotter.
func (b *barLine) Plot(c draw.Canvas, p *plot.Plot) {
	trX, trY := p.Transforms(&c)
	step := min((trX(1)-trX(0)-groupGap)/vg.Length(len(b.Marks)), 22)
	whisker := draw.LineStyle{Color: Ink, Width: 0.6}
	for i, row := range b.Marks {
		for j, s := range row[b.from:b.to] {
			if s == nil {
				continue
			}
			mid := trX(float64(j)) + step*(vg.Length(i)-vg.Length(len(b.Marks)-1)/2)
			half := step * 0.44
			rectangle(c, SeriesColor(b.Colors[i]), mid-half, trY(0), mid+half, trY(100*s.Value))
			if s.Low < s.High {
				low, high, cap := trY(100*s.Low), trY(100*s.High), min(half*0.6, 3)
				c.StrokeLine2(whisker, mid, low, mid, high)
				c.StrokeLine2(whisker, mid-cap, low, mid+cap, low)
				c.StrokeLine2(whisker, mid-cap, high, mid+cap, high)
			}
		}
	}
	zero := trY(math.Max(0, p.Y.Min))
	c.StrokeLine2(axisLine, c.Min.X, zero, c.Max.X, zero)
}
