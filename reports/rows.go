package reports

import (
	"cmp"
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Measures of a chart of many rows, in points.
const (
	rowHeight  = 8.4
	rowsTop    = 4
	rowsBottom = 26  // ticks and the label of the axis
	rowsLeast  = 44  // of a column, so that one short list is no wider than needed
	rowsMost   = 180 // rows drawn; of more, those at both ends
)

// rowChart draws a value, or several, for each of many names: bars from zero, or dots. Its rows run in up to three columns.
type rowChart struct {
	label  string // of the value
	rows   []chartRow
	key    key
	dots   bool
	names  float64       // greatest share of the width for names, 0 for the usual
	colors []color.Color // of values; bars of one value are blue above zero and orange below
}

type chartRow struct {
	name   string
	values []float64 // NaN: none
	gap    bool      // stands for rows left out
}

// shorten leaves out the middle of too many rows and says so.
func (g *rowChart) shorten() (note string) {
	if len(g.rows) <= rowsMost {
		return ""
	}
	n := len(g.rows) - rowsMost
	head, tail := g.rows[:rowsMost/2], g.rows[len(g.rows)-rowsMost/2:]
	g.rows = append(append(append([]chartRow{}, head...), chartRow{name: fmt.Sprintf("… %d left out …", n), gap: true}), tail...)
	return fmt.Sprintf("%d in the middle of the order are left out.", n)
}

func (g *rowChart) columns() int {
	switch n := len(g.rows); {
	case n <= rowsLeast:
		return 1
	case n <= 2*rowsLeast:
		return 2
	}
	return 3
}

func (g *rowChart) perColumn() int { return (len(g.rows) + g.columns() - 1) / g.columns() }

// figure is the chart with its size.
func (g *rowChart) figure(name, title, note string) figure {
	w := vg.Length(twoColumns)
	if g.columns() == 1 {
		w = oneColumn
	}
	h := vg.Length(g.perColumn())*rowHeight + rowsTop + rowsBottom + g.key.height(w)
	return figure{name: name, title: title, note: note, w: w, h: h, draw: g.draw}
}

func (g *rowChart) draw(c draw.Canvas) {
	c = under(c, g.key)
	n, per := g.columns(), g.perColumn()
	const space = 10
	width := (c.Max.X - c.Min.X - vg.Length(n-1)*space) / vg.Length(n)
	for i := range n {
		rows := g.rows[min(i*per, len(g.rows)):min((i+1)*per, len(g.rows))]
		left := vg.Length(i) * (width + space)
		g.column(draw.Crop(c, left, left+width-(c.Max.X-c.Min.X), 0, 0), rows)
	}
}

// extent is the range of the values, with zero in it.
func (g *rowChart) extent() (low, high float64) {
	for _, r := range g.rows {
		for _, v := range r.values {
			if !math.IsNaN(v) {
				low, high = min(low, v), max(high, v)
			}
		}
	}
	if low == high {
		high = 1
	}
	air := 0.04 * (high - low)
	if low < 0 {
		low -= air
	}
	return low, high + air
}

func (g *rowChart) column(c draw.Canvas, rows []chartRow) {
	low, high := g.extent()
	tick, small := lettering(tickSize), lettering(labelSize)
	names := vg.Length(0)
	for _, r := range g.rows {
		names = max(names, tick.Width(plain(r.name)))
	}
	names = min(names, (c.Max.X-c.Min.X)*vg.Length(cmp.Or(g.names, 0.45)))
	left, right := c.Min.X+names+5, c.Max.X-6
	at := func(v float64) vg.Length { return left + vg.Length((v-low)/(high-low))*(right-left) }
	top := c.Max.Y - rowsTop
	bottom := top - vg.Length(len(rows))*rowHeight
	tick.XAlign = draw.XCenter
	for _, t := range roundTicks(low, high) {
		c.StrokeLine2(gridLine, at(t.Value), bottom, at(t.Value), top)
		c.StrokeLine2(axisLine, at(t.Value), bottom, at(t.Value), bottom-2)
		c.FillText(tick, vg.Point{X: at(t.Value), Y: bottom - 9}, t.Label)
	}
	small.XAlign = draw.XCenter
	c.FillText(small, vg.Point{X: (left + right) / 2, Y: bottom - 19}, fitText(small, g.label, c.Max.X-c.Min.X))
	tick.XAlign = draw.XRight
	for i, r := range rows {
		y := top - (vg.Length(i)+0.5)*rowHeight
		style := tick
		if r.gap {
			style.Color = faint
		}
		c.FillText(style, vg.Point{X: left - 4, Y: y - 2.3}, fitText(style, r.name, names))
		g.marks(c, r, at, y)
	}
	c.StrokeLine2(axisLine, at(0), bottom, at(0), top)
	c.StrokeLine2(axisLine, left, bottom, right, bottom)
}

// marks draws the values of a row around the height y.
func (g *rowChart) marks(c draw.Canvas, r chartRow, at func(float64) vg.Length, y vg.Length) {
	if g.dots && len(r.values) > 1 {
		low, high := math.Inf(1), math.Inf(-1)
		for _, v := range r.values {
			if !math.IsNaN(v) {
				low, high = min(low, v), max(high, v)
			}
		}
		if low < high {
			c.StrokeLine2(draw.LineStyle{Color: color.Gray{170}, Width: 0.5}, at(low), y, at(high), y)
		}
	}
	for i, v := range r.values {
		switch {
		case math.IsNaN(v):
		case g.dots:
			c.DrawGlyph(draw.GlyphStyle{Color: g.colors[i], Radius: 2, Shape: dotShapes[i%len(dotShapes)]}, vg.Point{X: at(v), Y: y})
		default:
			fill := okabeIto[0]
			if v < 0 {
				fill = okabeIto[1]
			}
			rectangle(c, fill, at(0), y-0.36*rowHeight, at(v), y+0.36*rowHeight)
		}
	}
}

// dotShapes tell series apart where colours do not.
var dotShapes = [...]draw.GlyphDrawer{draw.CircleGlyph{}, draw.BoxGlyph{}, draw.PyramidGlyph{}, draw.RingGlyph{}, draw.SquareGlyph{}, draw.TriangleGlyph{}, draw.CrossGlyph{}, draw.PlusGlyph{}}
