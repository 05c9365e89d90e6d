package reports

import (
	"image/color"
	"math"

	"gonum.org/v1/plot/vg"
)

// drawState is the part of a vg.Canvas that is the same for all: what the next path looks like, and where it goes. Coordinates
// are transformed here, not by the reader of a file. Colours are opaque.
type drawState struct {
	now   look
	stack []look
}

type look struct {
	to     affine // from the canvas to the page, whose y axis points down
	width  vg.Length
	dashes []vg.Length
	offset vg.Length
	color  color.RGBA
}

func (c *drawState) SetLineWidth(w vg.Length) { c.now.width = w }

func (c *drawState) SetLineDash(dashes []vg.Length, offset vg.Length) {
	c.now.dashes, c.now.offset = dashes, offset
}

func (c *drawState) SetColor(k color.Color) {
	if k == nil {
		k = color.Black
	}
	c.now.color = color.RGBAModel.Convert(k).(color.RGBA)
}

func (c *drawState) Rotate(rad float64) {
	sin, cos := math.Sincos(rad)
	c.now.to = c.now.to.then(affine{cos, sin, -sin, cos, 0, 0})
}

func (c *drawState) Translate(p vg.Point) {
	c.now.to = c.now.to.then(affine{1, 0, 0, 1, float64(p.X), float64(p.Y)})
}

func (c *drawState) Scale(x, y float64) { c.now.to = c.now.to.then(affine{x, 0, 0, y, 0, 0}) }

func (c *drawState) Push() { c.stack = append(c.stack, c.now) }

func (c *drawState) Pop() {
	c.now = c.stack[len(c.stack)-1]
	c.stack = c.stack[:len(c.stack)-1]
}

// affine maps (x, y) to (a x + c y + e, b x + d y + f).
type affine struct{ a, b, c, d, e, f float64 }

func (m affine) at(p vg.Point) (x, y float64) {
	return m.a*float64(p.X) + m.c*float64(p.Y) + m.e, m.b*float64(p.X) + m.d*float64(p.Y) + m.f
}

// then is the map that applies n first.
func (m affine) then(n affine) affine {
	return affine{m.a*n.a + m.c*n.b, m.b*n.a + m.d*n.b, m.a*n.c + m.c*n.d, m.b*n.c + m.d*n.d, m.a*n.e + m.c*n.f + m.e, m.b*n.e + m.d*n.f + m.f}
}

func (m affine) scale() float64 { return math.Sqrt(math.Abs(m.a*m.d - m.b*m.c)) }

// segments calls do for each part of a path: 'M' and 'L' with a point, 'C' with three, 'Z' with none. Arcs become cubic
// curves of at most a quarter of a circle.
func (c *drawState) segments(p vg.Path, do func(kind byte, at ...float64)) {
	to := c.now.to
	open := false
	var last vg.Point
	for _, k := range p {
		x, y := to.at(k.Pos)
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
			x0, y0 := to.at(a)
			x1, y1 := to.at(b)
			do('C', x0, y0, x1, y1, x, y)
		case vg.CloseComp:
			do('Z')
		}
		last = k.Pos
	}
}

func (c *drawState) arc(k vg.PathComp, open bool, do func(kind byte, at ...float64)) {
	point := func(angle, along float64) (float64, float64) { // along the tangent, in radii
		sin, cos := math.Sincos(angle)
		r := float64(k.Radius)
		return c.now.to.at(vg.Point{X: k.Pos.X + vg.Length(r*(cos-along*sin)), Y: k.Pos.Y + vg.Length(r*(sin+along*cos))})
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
