package draw

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"image"
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"ovbench/reports/plain"
)

// SVG draws f as an SVG document that names itself to readers who listen. Text is text, in Liberation Sans or a font of
// the same widths.
func (f *Figure) SVG() []byte { return f.ScaledSVG(1) }

// ScaledSVG is SVG of another size, for screens.
func (f *Figure) ScaledSVG(scale float64) []byte {
	c := &svgCanvas{}
	w, h := spellLength(float64(f.W)), spellLength(float64(f.H))
	fmt.Fprintf(&c.out, `<svg xmlns="http://www.w3.org/2000/svg" width="%spt" height="%spt" viewBox="0 0 %s %s" role="img" font-family="'Liberation Sans', Arial, Helvetica, sans-serif">`+"\n<title>",
		spellLength(scale*float64(f.W)), spellLength(scale*float64(f.H)), w, h)
	c.escape(plain.Line(f.Title))
	c.out.WriteString("</title>\n")
	fmt.Fprintf(&c.out, `<path fill="#fff" d="M0 0H%sV%sH0Z"/>`+"\n", w, h)
	c.Now.To = Affine{1, 0, 0, -1, 0, float64(f.H)}
	vg.Initialize(c)
	f.Draw(draw.NewCanvas(c, f.W, f.H))
	c.out.WriteString("</svg>\n")
	return c.out.Bytes()
}

// svgCanvas is a vg.Canvas that spells short and escapes what it is given.
type svgCanvas struct {
	State
	out bytes.Buffer
}

// spellLength spells a coordinate to a hundredth of a point.
func spellLength(x float64) string {
	return strconv.FormatFloat(math.Round(x*100)/100+0, 'f', -1, 64)
}

func (c *svgCanvas) color() string {
	k := c.Now.Color
	return fmt.Sprintf("#%02x%02x%02x", k.R, k.G, k.B)
}

func (c *svgCanvas) escape(s string) { xml.EscapeText(&c.out, []byte(s)) }

// circle spells a path that is a whole circle, as the signs of points are.
func (c *svgCanvas) circle(p vg.Path, look string) bool {
	if len(p) < 2 || p[0].Type != vg.MoveComp || p[1].Type != vg.ArcComp || math.Abs(p[1].Angle) < 2*math.Pi-1e-9 {
		return false
	}
	x, y := c.Now.To.At(p[1].Pos)
	fmt.Fprintf(&c.out, `<circle%s cx="%s" cy="%s" r="%s"/>`+"\n", look, spellLength(x), spellLength(y),
		spellLength(float64(p[1].Radius)*c.Now.To.Scale()))
	return true
}

// shape is an element for a path.
func (c *svgCanvas) shape(p vg.Path, look string) {
	if !c.circle(p, look) {
		c.out.WriteString("<path" + look)
		c.path(p)
	}
}

func (c *svgCanvas) path(p vg.Path) {
	c.out.WriteString(` d="`)
	c.Segments(p, func(kind byte, at ...float64) {
		c.out.WriteByte(kind)
		for i, x := range at {
			if i > 0 {
				c.out.WriteByte(' ')
			}
			c.out.WriteString(spellLength(x))
		}
	})
	c.out.WriteString(`"/>` + "\n")
}

func (c *svgCanvas) Stroke(p vg.Path) {
	if c.Now.Width <= 0 {
		return
	}
	k := c.Now.To.Scale()
	look := fmt.Sprintf(` fill="none" stroke="%s"`, c.color())
	if w := spellLength(k * float64(c.Now.Width)); w != "1" {
		look += fmt.Sprintf(` stroke-width="%s"`, w)
	}
	if len(c.Now.Dashes) > 0 {
		var dashes []string
		for _, d := range c.Now.Dashes {
			dashes = append(dashes, spellLength(k*float64(d)))
		}
		look += fmt.Sprintf(` stroke-dasharray="%s"`, strings.Join(dashes, " "))
	}
	c.shape(p, look)
}

func (c *svgCanvas) Fill(p vg.Path) {
	c.shape(p, fmt.Sprintf(` fill="%s"`, c.color()))
}

func (c *svgCanvas) FillString(face font.Face, p vg.Point, s string) {
	if face.Font.Size == 0 {
		return
	}
	to := c.Now.To
	x, y := to.At(p)
	fmt.Fprintf(&c.out, `<text x="%s" y="%s" font-size="%s" fill="%s"`, spellLength(x), spellLength(y),
		spellLength(float64(face.Font.Size)*to.Scale()), c.color())
	if face.Font.Weight > 0 {
		c.out.WriteString(` font-weight="bold"`)
	}
	if turn := math.Atan2(to.B, to.A) * 180 / math.Pi; turn != 0 {
		fmt.Fprintf(&c.out, ` transform="rotate(%s %s %s)"`, spellLength(turn), spellLength(x), spellLength(y))
	}
	c.out.WriteByte('>')
	c.escape(s)
	c.out.WriteString("</text>\n")
}

// DrawImage implements vg.Canvas. Figures have no pictures in them.
func (c *svgCanvas) DrawImage(vg.Rectangle, image.Image) {}
