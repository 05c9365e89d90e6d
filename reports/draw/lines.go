package draw

import (
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// LineChart draws series over a common axis: curves, or points with intervals where the points are few.
type LineChart struct {
	X, Y   string
	Lines  []Line
	Points bool        // mark the points
	Ticks  plot.Ticker // of the x axis, if not round numbers
}

// Line is a series of a LineChart.
type Line struct {
	Index     int // of the colour
	Name      string
	XY        plotter.XYs
	Low, High []float64 // of the interval at each point, or nil
}

const lineChartHeight = 150

// Figure is the chart with its size.
func (l *LineChart) Figure(name, title, note string) Figure {
	k := l.key()
	w := vg.Length(OneColumn)
	return Figure{Name: name, Title: title, Note: note, W: w, H: lineChartHeight + k.height(w), Draw: l.draw}
}

func (l *LineChart) key() Key {
	var k Key
	for _, s := range l.Lines {
		style := seriesLine(s.Index)
		k = append(k, KeyEntry{Name: s.Name, Color: style.Color, line: &style})
	}
	return k
}

func (l *LineChart) draw(c draw.Canvas) {
	c = under(c, l.key())
	p := newChart(l.X, l.Y)
	if l.Ticks != nil {
		p.X.Tick.Marker = l.Ticks
	}
	p.Add(grid{vertical: true}, l)
	p.Draw(draw.Crop(c, 0, -8, 0, -4))
}

// DataRange implements plot.DataRanger.
func (l *LineChart) DataRange() (xmin, xmax, ymin, ymax float64) {
	xmin, ymin, xmax, ymax = math.Inf(1), 0, math.Inf(-1), math.Inf(-1)
	for _, s := range l.Lines {
		for i, p := range s.XY {
			xmin, xmax, ymin, ymax = min(xmin, p.X), max(xmax, p.X), min(ymin, p.Y), max(ymax, p.Y)
			if s.High != nil {
				ymin, ymax = min(ymin, s.Low[i]), max(ymax, s.High[i])
			}
		}
	}
	if ymin == ymax {
		ymax++
	}
	if xmin == xmax {
		xmin, xmax = xmin-0.5, xmax+0.5
	}
	if l.Points { // not on the axes
		air := 0.04 * (xmax - xmin)
		xmin, xmax = xmin-air, xmax+air
	}
	return xmin, xmax, ymin, ymax + 0.05*(ymax-ymin)
}

// Plot implements plot.Plotter.
func (l *LineChart) Plot(c draw.Canvas, p *plot.Plot) {
	trX, trY := p.Transforms(&c)
	for i, s := range l.Lines {
		style := seriesLine(s.Index)
		at := make([]vg.Point, len(s.XY))
		for j, q := range s.XY {
			at[j] = vg.Point{X: trX(q.X), Y: trY(q.Y)}
		}
		c.StrokeLines(style, at)
		if !l.Points {
			continue
		}
		whisker := draw.LineStyle{Color: style.Color, Width: 0.6}
		for j, q := range at {
			c.DrawGlyph(draw.GlyphStyle{Color: style.Color, Radius: 2, Shape: DotShapes[i%len(DotShapes)]}, q)
			if s.High != nil {
				c.StrokeLine2(whisker, q.X, trY(s.Low[j]), q.X, trY(s.High[j]))
			}
		}
	}
}
