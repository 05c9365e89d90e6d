package draw

import (
	"fmt"
	"image/color"
	"math"
	"strconv"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Matrix is a confusion matrix by shares of the truth: rows are the truth, columns what it was taken for.
type Matrix struct {
	Names  []string
	Shares [][]float64 // NaN rows: the class does not occur
}

// Measures of a matrix, in points.
const (
	matrixNames = 62
	matrixTitle = 9 // of an axis
	matrixBar   = 34
)

// Figure is the matrix with its size.
func (m *Matrix) Figure(name, title string) Figure {
	w := vg.Length(OneColumn)
	if len(m.Names) > 12 {
		w = 360
	}
	side := w - matrixTitle - matrixNames - matrixBar
	return Figure{Name: name, Title: title, W: w, H: side + matrixNames + matrixTitle + 12, Draw: m.draw,
		Note: "Rows are the truth, columns the prediction; each row in percent of the pixels of its class. Grey " +
			"rows do not occur in the truth."}
}

func (m *Matrix) draw(c draw.Canvas) {
	side := c.Max.X - c.Min.X - matrixTitle - matrixNames - matrixBar
	one := side / vg.Length(len(m.Names))
	left, top := c.Min.X+matrixTitle+matrixNames, c.Max.Y
	bottom := top - side
	name := lettering(min(tickSize, one*0.9))
	number := lettering(min(one*0.42, 6))
	number.XAlign = draw.XCenter
	for t, row := range m.Shares {
		y := top - vg.Length(t)*one
		for p, share := range row {
			x := left + vg.Length(p)*one
			rectangle(c, shade(share), x, y-one, x+one, y)
			if one >= 11 && share >= 0.005 {
				number.Color = Ink
				if share > 0.5 {
					number.Color = Paper
				}
				c.FillText(number, vg.Point{X: x + one/2, Y: y - one/2 - number.Font.Size*0.35},
					strconv.FormatFloat(100*share, 'f', 0, 64))
			}
		}
	}
	right := name
	right.XAlign = draw.XRight
	upward := right
	upward.Rotation = math.Pi / 2
	for i, s := range m.Names {
		mid := (vg.Length(i) + 0.5) * one
		c.FillText(right, vg.Point{X: left - 3, Y: top - mid - name.Font.Size*0.35}, fitText(name, s, matrixNames-5))
		c.FillText(upward, vg.Point{X: left + mid + name.Font.Size*0.35, Y: bottom - 3},
			fitText(name, s, matrixNames-5))
	}
	title := centre(lettering(labelSize))
	c.FillText(title, vg.Point{X: left + side/2, Y: bottom - matrixNames - matrixTitle}, "prediction")
	title.Rotation = math.Pi / 2
	c.FillText(title, vg.Point{X: c.Min.X + labelSize, Y: bottom + side/2}, "truth")
	c.StrokeLines(axisLine, []vg.Point{{X: left, Y: bottom}, {X: left, Y: top}, {X: left + side, Y: top},
		{X: left + side, Y: bottom}, {X: left, Y: bottom}})
	m.bar(c, left+side+8, bottom, top)
}

// bar is the key to the colours.
func (m *Matrix) bar(c draw.Canvas, x, bottom, top vg.Length) {
	const steps = 50
	tick := lettering(tickSize)
	for i := range steps {
		y := bottom + (top-bottom)*vg.Length(i)/steps
		// over the next: no seams
		rectangle(c, shade((float64(i)+0.5)/steps), x, y, x+7, min(y+(top-bottom)/steps+0.5, top))
	}
	for _, v := range []int{0, 50, 100} {
		y := bottom + (top-bottom)*vg.Length(v)/100
		c.FillText(tick, vg.Point{X: x + 9, Y: min(max(y-2.3, bottom), top-5)}, fmt.Sprint(v))
	}
}

// shade goes from white over the blue of the palette to almost black; it is dark to every reader where the share is
// high.
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
		return mix(Paper, OkabeIto[0], t/0.7)
	}
	return mix(OkabeIto[0], color.RGBA{0, 30, 60, 255}, (t-0.7)/0.3)
}
