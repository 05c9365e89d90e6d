package draw

import (
	"image/color"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"ovbench/reports/plain"
)

// Sizes of letters in a Figure, in points.
const (
	labelSize = 7.5
	tickSize  = 6.5
)

// lettering is the style of text in figures.
func lettering(size vg.Length) text.Style {
	f := font.From(plot.DefaultFont, size)
	f.Variant = "Sans"
	return text.Style{Color: Ink, Font: f, Handler: plot.DefaultTextHandler}
}

var (
	gridLine = draw.LineStyle{Color: color.Gray{225}, Width: 0.4}
	axisLine = draw.LineStyle{Color: Ink, Width: 0.6}
)

// newChart is an empty plot in the style of all figures.
func newChart(x, y string) *plot.Plot {
	p := plot.New()
	// they come from a run
	p.X.Label.Text, p.Y.Label.Text = fitText(lettering(labelSize), x, 190), fitText(lettering(labelSize), y, 110)
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Label.TextStyle = centre(lettering(labelSize))
		a.Tick.Label.Font = lettering(tickSize).Font
		a.Tick.Label.Color = Ink
		a.LineStyle, a.Tick.LineStyle = axisLine, axisLine
		a.Tick.Length, a.Padding = 3, 0
		a.Tick.Marker = plot.TickerFunc(roundTicks)
	}
	p.BackgroundColor = color.White
	return p
}

func centre(s text.Style) text.Style {
	s.XAlign, s.YAlign = draw.XCenter, draw.YBottom
	return s
}

// grid draws a line at each tick of the y axis, and of the x axis if asked.
type grid struct{ vertical bool }

// Plot implements plot.Plotter.
func (g grid) Plot(c draw.Canvas, p *plot.Plot) {
	trX, trY := p.Transforms(&c)
	for _, t := range p.Y.Tick.Marker.Ticks(p.Y.Min, p.Y.Max) {
		c.StrokeLine2(gridLine, c.Min.X, trY(t.Value), c.Max.X, trY(t.Value))
	}
	if !g.vertical {
		return
	}
	for _, t := range p.X.Tick.Marker.Ticks(p.X.Min, p.X.Max) {
		c.StrokeLine2(gridLine, trX(t.Value), c.Min.Y, trX(t.Value), c.Max.Y)
	}
}

// roundTicks are five or so round numbers.
func roundTicks(low, high float64) []plot.Tick {
	if !(high > low) || math.IsInf(high-low, 0) {
		return []plot.Tick{{Value: low, Label: strconv.FormatFloat(low, 'g', 4, 64)}}
	}
	step := math.Pow(10, math.Floor(math.Log10((high-low)/2)))
	for _, k := range []float64{1, 2, 5, 10} {
		if step*k*6 >= high-low {
			step *= k
			break
		}
	}
	var ticks []plot.Tick
	for i := math.Ceil(low / step); i*step <= high && len(ticks) < 32; i++ {
		ticks = append(ticks, plot.Tick{Value: i * step, Label: strconv.FormatFloat(i*step+0, 'g', 6, 64)})
	}
	return ticks
}

// Short is s in the letters of names, shortened in the middle to at most width.
func Short(s string, width vg.Length) string { return fitText(lettering(tickSize), s, width) }

// fitText is s as one line, shortened in the middle to at most width.
func fitText(style text.Style, s string, width vg.Length) string {
	return Elide(plain.Line(s), func(s string) bool { return style.Width(s) <= width })
}

// wrapText breaks s at spaces into at most limit lines of width; what does not fit is elided.
func wrapText(style text.Style, s string, width vg.Length, limit int) []string {
	return Lines(s, limit, func(s string) bool { return style.Width(s) <= width })
}

// Key says which colour is which series. Entries run in lines below a chart.
type Key []KeyEntry

// KeyEntry is a series with its sign.
type KeyEntry struct {
	Name  string
	Color color.Color
	line  *draw.LineStyle  // drawn in place of a field of the colour
	Dot   draw.GlyphDrawer // likewise
}

const (
	keySign = 11 // width of a sign, in points
	keyLine = 10
)

// columns are the entries of a line, and the width of one.
func (k Key) columns(width vg.Length) (int, vg.Length) {
	style := lettering(labelSize)
	widest := vg.Length(30)
	for _, e := range k {
		widest = max(widest, style.Width(plain.Line(e.Name)))
	}
	one := min(widest+keySign+14, width)
	n := max(1, min(len(k), int(width/one)))
	return n, width / vg.Length(n)
}

// height is that of the key under a chart of width, with its distance from the chart.
func (k Key) height(width vg.Length) vg.Length {
	if len(k) == 0 {
		return 0
	}
	n, _ := k.columns(width)
	return vg.Length((len(k)+n-1)/n)*keyLine + 5
}

// draw writes the key at the bottom of c.
func (k Key) draw(c draw.Canvas) {
	if len(k) == 0 {
		return
	}
	n, one := k.columns(c.Max.X - c.Min.X)
	one = min(one, 170)
	style := lettering(labelSize)
	top := c.Min.Y + k.height(c.Max.X-c.Min.X) - 5
	for i, e := range k {
		x, y := c.Min.X+vg.Length(i%n)*one, top-vg.Length(i/n+1)*keyLine
		if e.line != nil {
			c.StrokeLine2(*e.line, x, y+4.5, x+keySign+3, y+4.5)
		}
		if e.Dot != nil {
			c.DrawGlyph(draw.GlyphStyle{Color: e.Color, Radius: 2.2, Shape: e.Dot},
				vg.Point{X: x + keySign/2, Y: y + 4.5})
		}
		if e.line == nil && e.Dot == nil {
			rectangle(c, e.Color, x, y+1.5, x+keySign-3, y+7.5)
		}
		room := one - keySign - 11
		if n == 1 {
			room = c.Max.X - x - keySign - 6
		}
		c.FillText(style, vg.Point{X: x + keySign + 5, Y: y + 2}, fitText(style, e.Name, room))
	}
}

// rectangle fills a rectangle given by two corners.
func rectangle(c draw.Canvas, fill color.Color, x0, y0, x1, y1 vg.Length) {
	c.FillPolygon(fill, []vg.Point{{X: x0, Y: y0}, {X: x1, Y: y0}, {X: x1, Y: y1}, {X: x0, Y: y1}})
}

// under splits c into the part above a key and writes the key below it.
func under(c draw.Canvas, k Key) draw.Canvas {
	k.draw(c)
	return draw.Crop(c, 0, 0, k.height(c.Max.X-c.Min.X), 0)
}

// strokes are the dashes of lines, which tell series apart where colours do not.
var strokes = [...][]vg.Length{nil, {5, 2}, {1.5, 1.5}, {6, 1.5, 1.5, 1.5}}

// seriesLine is the line of the i-th series: colours change first, then the dashes.
func seriesLine(i int) draw.LineStyle {
	return draw.LineStyle{Color: OnPaper(OkabeIto[i%len(OkabeIto)]), Width: 1.2,
		Dashes: strokes[(i/len(OkabeIto)+i)%len(strokes)]}
}

// OnPaper darkens what a thin line of it would not show on white.
func OnPaper(c color.RGBA) color.RGBA {
	if int(c.R)+int(c.G) > 400 {
		c.R, c.G, c.B = uint8(int(c.R)*3/4), uint8(int(c.G)*3/4), c.B/2
	}
	return c
}
