package reports

import (
	"fmt"
	"image/color"
	"math"
	"strconv"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"ovbench/reports/results"
)

// matrixClasses is how many classes a confusion matrix is drawn for; results hold all of its cells up to here.
const matrixClasses = 24

// matrix is a confusion matrix by shares of the truth: rows are the truth, columns what it was taken for.
type matrix struct {
	names  []string
	shares [][]float64 // NaN rows: the class does not occur
}

// newMatrix is nil where there are too many classes, or no numbers of pixels.
func newMatrix(d *results.Dataset, x *results.Cell) *matrix {
	n := len(d.Classes)
	if n < 2 || n > matrixClasses {
		return nil
	}
	m := &matrix{names: d.Classes, shares: make([][]float64, n)}
	pixels := classPixels(d, x)
	any := false
	for t := range n {
		m.shares[t] = make([]float64, n)
		any = any || pixels[t] > 0
		for p := range m.shares[t] {
			if pixels[t] == 0 {
				m.shares[t][p] = math.NaN()
			}
		}
	}
	if !any {
		return nil
	}
	for _, k := range x.Confusions {
		if t, p := k[0], k[1]; pixels[t] > 0 {
			m.shares[t][p] = float64(k[2]) / float64(pixels[t])
		}
	}
	for t, s := range byLabel(d, x) {
		if s != nil && s.Acc != nil {
			m.shares[t][t] = *s.Acc
		}
	}
	return m
}

// Measures of a matrix, in points.
const (
	matrixNames = 62
	matrixBar   = 34
)

func (m *matrix) figure(name, title string) figure {
	w := vg.Length(oneColumn)
	if len(m.names) > 12 {
		w = 360
	}
	side := w - matrixNames - matrixBar
	return figure{name: name, title: title, w: w, h: side + matrixNames + 12, draw: m.draw,
		note: "Rows are the truth, columns the prediction; each row in percent of the pixels of its class. Grey rows do not occur in the truth."}
}

func (m *matrix) draw(c draw.Canvas) {
	side := c.Max.X - c.Min.X - matrixNames - matrixBar
	one := side / vg.Length(len(m.names))
	left, top := c.Min.X+matrixNames, c.Max.Y
	bottom := top - side
	name := lettering(min(tickSize, one*0.9))
	number := lettering(min(one*0.42, 6))
	number.XAlign = draw.XCenter
	for t, row := range m.shares {
		y := top - vg.Length(t)*one
		for p, share := range row {
			x := left + vg.Length(p)*one
			rectangle(c, shade(share), x, y-one, x+one, y)
			if one >= 11 && share >= 0.005 {
				number.Color = ink
				if share > 0.5 {
					number.Color = paper
				}
				c.FillText(number, vg.Point{X: x + one/2, Y: y - one/2 - number.Font.Size*0.35}, strconv.FormatFloat(100*share, 'f', 0, 64))
			}
		}
	}
	right := name
	right.XAlign = draw.XRight
	upward := right
	upward.Rotation = math.Pi / 2
	for i, s := range m.names {
		mid := (vg.Length(i) + 0.5) * one
		c.FillText(right, vg.Point{X: left - 3, Y: top - mid - name.Font.Size*0.35}, fitText(name, s, matrixNames-5))
		c.FillText(upward, vg.Point{X: left + mid + name.Font.Size*0.35, Y: bottom - 3}, fitText(name, s, matrixNames-5))
	}
	c.StrokeLines(axisLine, []vg.Point{{X: left, Y: bottom}, {X: left, Y: top}, {X: left + side, Y: top}, {X: left + side, Y: bottom}, {X: left, Y: bottom}})
	m.bar(c, left+side+8, bottom, top)
}

// bar is the key to the colours.
func (m *matrix) bar(c draw.Canvas, x, bottom, top vg.Length) {
	const steps = 50
	tick := lettering(tickSize)
	for i := range steps {
		y := bottom + (top-bottom)*vg.Length(i)/steps
		rectangle(c, shade((float64(i)+0.5)/steps), x, y, x+7, min(y+(top-bottom)/steps+0.5, top)) // over the next: no seams
	}
	for _, v := range []int{0, 50, 100} {
		y := bottom + (top-bottom)*vg.Length(v)/100
		c.FillText(tick, vg.Point{X: x + 9, Y: min(max(y-2.3, bottom), top-5)}, fmt.Sprint(v))
	}
}

// shade goes from white over the blue of the palette to almost black; it is dark to every reader where the share is high.
func shade(share float64) color.Color {
	if math.IsNaN(share) {
		return color.Gray{225}
	}
	mix := func(a, b color.RGBA, t float64) color.RGBA {
		f := func(x, y uint8) uint8 { return uint8(math.Round(float64(x) + t*(float64(y)-float64(x)))) }
		return color.RGBA{f(a.R, b.R), f(a.G, b.G), f(a.B, b.B), 255}
	}
	t := math.Sqrt(min(max(share, 0), 1)) // small shares are what one looks for
	if t < 0.7 {
		return mix(paper, okabeIto[0], t/0.7)
	}
	return mix(okabeIto[0], color.RGBA{0, 30, 60, 255}, (t-0.7)/0.3)
}
