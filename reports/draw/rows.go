package draw

import (
	"cmp"
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"ovbench/reports/plain"
)

// Measures of a chart of many rows, in points.
const (
	rowHeight  = 8.4
	rowsTop    = 4
	rowsBottom = 26  // ticks and the label of the axis
	rowsLeast  = 44  // of a column, so that one short list is no wider than needed
	rowsMost   = 180 // rows drawn; of more, those at both ends
)

// RowChart draws a value, or several, for each of many names: bars from zero, or dots. Its rows run in up to three
// columns.
type RowChart struct {
	Label  string // of the value
	Rows   []Row
	Key    Key
	Dots   bool
	Names  float64       // greatest share of the width for names, 0 for the usual
	Colors []color.Color // of values; bars of one value are blue above zero and orange below
}

// Row is a line of a RowChart.
type Row struct {
	Name   string
	Values []float64 // NaN: none
	gap    bool      // stands for rows left out
}

// Shorten leaves out the middle of too many rows and says so.
func (g *RowChart) Shorten() (note string) {
	if len(g.Rows) <= rowsMost {
		return ""
	}
	n := len(g.Rows) - rowsMost
	head, tail := g.Rows[:rowsMost/2], g.Rows[len(g.Rows)-rowsMost/2:]
	g.Rows = append(append(append([]Row{}, head...), Row{Name: fmt.Sprintf("… %d left out …", n), gap: true}), tail...)
	return fmt.Sprintf("%d in the middle of the order are left out.", n)
}

func (g *RowChart) columns() int {
	switch n := len(g.Rows); {
	case n <= rowsLeast:
		return 1
	case n <= 2*rowsLeast:
		return 2
	}
	return 3
}

func (g *RowChart) perColumn() int { return (len(g.Rows) + g.columns() - 1) / g.columns() }

// Figure is the chart with its size.
func (g *RowChart) Figure(name, title, note string) Figure {
	w := vg.Length(TwoColumns)
	if g.columns() == 1 {
		w = OneColumn
	}
	h := vg.Length(g.perColumn())*rowHeight + rowsTop + rowsBottom + g.Key.height(w)
	return Figure{Name: name, Title: title, Note: note, W: w, H: h, Draw: g.draw}
}

func (g *RowChart) draw(c draw.Canvas) {
	c = under(c, g.Key)
	n, per := g.columns(), g.perColumn()
	const space = 10
	width := (c.Max.X - c.Min.X - vg.Length(n-1)*space) / vg.Length(n)
	for i := range n {
		rows := g.Rows[min(i*per, len(g.Rows)):min((i+1)*per, len(g.Rows))]
		left := vg.Length(i) * (width + space)
		g.column(draw.Crop(c, left, left+width-(c.Max.X-c.Min.X), 0, 0), rows)
	}
}

// extent is the range of the values, with zero in it.
func (g *RowChart) extent() (low, high float64) {
	for _, r := range g.Rows {
		for _, v := range r.Values {
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

func (g *RowChart) column(c draw.Canvas, rows []Row) {
	low, high := g.extent()
	tick, small := lettering(tickSize), lettering(labelSize)
	names := vg.Length(0)
	for _, r := range g.Rows {
		names = max(names, tick.Width(plain.Line(r.Name)))
	}
	names = min(names, (c.Max.X-c.Min.X)*vg.Length(cmp.Or(g.Names, 0.45)))
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
	c.FillText(small, vg.Point{X: (left + right) / 2, Y: bottom - 19}, fitText(small, g.Label, c.Max.X-c.Min.X))
	tick.XAlign = draw.XRight
	for i, r := range rows {
		y := top - (vg.Length(i)+0.5)*rowHeight
		style := tick
		if r.gap {
			style.Color = Faint
		}
		c.FillText(style, vg.Point{X: left - 4, Y: y - 2.3}, fitText(style, r.Name, names))
		g.marks(c, r, at, y)
	}
	c.StrokeLine2(axisLine, at(0), bottom, at(0), top)
	c.StrokeLine2(axisLine, left, bottom, right, bottom)
}

// marks draws the values of a row around the height y.
func (g *RowChart) marks(c draw.Canvas, r Row, at func(float64) vg.Length, y vg.Length) {
	if g.Dots && len(r.Values) > 1 {
		low, high := math.Inf(1), math.Inf(-1)
		for _, v := range r.Values {
			if !math.IsNaN(v) {
				low, high = min(low, v), max(high, v)
			}
		}
		if low < high {
			c.StrokeLine2(draw.LineStyle{Color: color.Gray{170}, Width: 0.5}, at(low), y, at(high), y)
		}
	}
	for i, v := range r.Values {
		switch {
		case math.IsNaN(v):
		case g.Dots:
			c.DrawGlyph(draw.GlyphStyle{Color: g.Colors[i], Radius: 2, Shape: DotShapes[i%len(DotShapes)]},
				vg.Point{X: at(v), Y: y})
		default:
			fill := OkabeIto[0]
			if v < 0 {
				fill = OkabeIto[1]
			}
			rectangle(c, fill, at(0), y-0.36*rowHeight, at(v), y+0.36*rowHeight)
		}
	}
}

// DotShapes tell series apart where colours do not.
var DotShapes = [...]draw.GlyphDrawer{draw.CircleGlyph{}, draw.BoxGlyph{}, draw.PyramidGlyph{}, draw.RingGlyph{},
	draw.SquareGlyph{}, draw.TriangleGlyph{}, draw.CrossGlyph{}, draw.PlusGlyph{}}
