package draw

import (
	"image/color"
	"math"

	"gonum.org/v1/plot/vg"
)

// State is the part of a vg.Canvas that is the same for all: what the next path looks like, and where it goes.
// Coordinates are transformed here, not by the reader of a file. Colours are opaque.
type State struct {
	Now   Look
	stack []Look
}

// Look is what the next path looks like.
type Look struct {
	To     Affine // from the canvas to the page, whose y axis points down
	Width  vg.Length
	Dashes []vg.Length
	Offset vg.Length
	Color  color.RGBA
}

// SetLineWidth implements vg.Canvas.
func (c *State) SetLineWidth(w vg.Length) { c.Now.Width = w }

// SetLineDash implements vg.Canvas.
func (c *State) SetLineDash(dashes []vg.Length, offset vg.Length) {
	c.Now.Dashes, c.Now.Offset = dashes, offset
}

// SetColor implements vg.Canvas.
func (c *State) SetColor(k color.Color) {
	if k == nil {
		k = color.Black
	}
	c.Now.Color = color.RGBAModel.Convert(k).(color.RGBA)
}

// Rotate implements vg.Canvas.
func (c *State) Rotate(rad float64) {
	sin, cos := math.Sincos(rad)
	c.Now.To = c.Now.To.then(Affine{cos, sin, -sin, cos, 0, 0})
}

// Translate implements vg.Canvas.
func (c *State) Translate(p vg.Point) {
	c.Now.To = c.Now.To.then(Affine{1, 0, 0, 1, float64(p.X), float64(p.Y)})
}

// Scale implements vg.Canvas.
func (c *State) Scale(x, y float64) { c.Now.To = c.Now.To.then(Affine{x, 0, 0, y, 0, 0}) }

// Push implements vg.Canvas.
func (c *State) Push() { c.stack = append(c.stack, c.Now) }

// Pop implements vg.Canvas.
func (c *State) Pop() {
	c.Now = c.stack[len(c.stack)-1]
	c.stack = c.stack[:len(c.stack)-1]
}

// Affine maps (x, y) to (A x + C y + E, B x + D y + F).
type Affine struct{ A, B, C, D, E, F float64 }

// At is where a point comes to lie.
func (m Affine) At(p vg.Point) (x, y float64) {
	return m.A*float64(p.X) + m.C*float64(p.Y) + m.E, m.B*float64(p.X) + m.D*float64(p.Y) + m.F
}

// then is the map that applies n first.
func (m Affine) then(n Affine) Affine {
	return Affine{m.A*n.A + m.C*n.B, m.B*n.A + m.D*n.B, m.A*n.C + m.C*n.D, m.B*n.C + m.D*n.D, m.A*n.E + m.C*n.F + m.E,
		m.B*n.E + m.D*n.F + m.F}
}

// Scale is the factor by which lengths grow, in the mean of all directions.
func (m Affine) Scale() float64 { return math.Sqrt(math.Abs(m.A*m.D - m.B*m.C)) }

// Segments calls do for each part of a path: 'M' and 'L' with a point, 'C' with three, 'Z' with none. Arcs become cubic
// curves of at most a quarter of a circle.
func (c *State) Segments(p vg.Path, do func(kind byte, at ...float64)) {
	to := c.Now.To
	open := false
	var last vg.Point
	for _, k := range p {
		x, y := to.At(k.Pos)
		switch k.Type {
		case vg.MoveComp:
			do('M', x, y)
			open = true
		case vg.LineComp:
			do('L', x, y)
		case vg.ArcComp:
			c.arc(k, open, do)
			open = true
		case vg.CurveComp:
			a, b := k.Control[0], k.Control[len(k.Control)-1]
			if len(k.Control) == 1 { // quadratic
				q := k.Control[0]
				a = vg.Point{X: last.X + (q.X-last.X)*2/3, Y: last.Y + (q.Y-last.Y)*2/3}
				b = vg.Point{X: k.Pos.X + (q.X-k.Pos.X)*2/3, Y: k.Pos.Y + (q.Y-k.Pos.Y)*2/3}
			}
			x0, y0 := to.At(a)
			x1, y1 := to.At(b)
			do('C', x0, y0, x1, y1, x, y)
		case vg.CloseComp:
			do('Z')
		}
		last = k.Pos
	}
}

func (c *State) arc(k vg.PathComp, open bool, do func(kind byte, at ...float64)) {
	point := func(angle, along float64) (float64, float64) { // along the tangent, in radii
		sin, cos := math.Sincos(angle)
		r := float64(k.Radius)
		return c.Now.To.At(vg.Point{X: k.Pos.X + vg.Length(r*(cos-along*sin)), Y: k.Pos.Y +
			vg.Length(r*(sin+along*cos))})
	}
	x, y := point(k.Start, 0)
	if open {
		do('L', x, y)
	} else {
		do('M', x, y)
	}
	n := max(1, int(math.Ceil(math.Abs(k.Angle)/(math.Pi/2)-1e-9)))
	step := k.Angle / float64(n)
	handle := 4. / 3 * math.Tan(step/4)
	for i := range n {
		from := k.Start + float64(i)*step
		x0, y0 := point(from, handle)
		x1, y1 := point(from+step, -handle)
		x2, y2 := point(from+step, 0)
		do('C', x0, y0, x1, y1, x2, y2)
	}
}
