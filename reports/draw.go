package reports

import (
	"image"
	"image/color"
	"image/draw"
	"strings"
	"sync"

	"codeberg.org/go-fonts/liberation/liberationsansregular"
	"golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

var (
	ink   = color.RGBA{30, 30, 30, 255}
	faint = color.RGBA{110, 110, 110, 255}
	paper = color.RGBA{255, 255, 255, 255}
)

var liberation = sync.OnceValue(func() *opentype.Font {
	f, err := opentype.Parse(liberationsansregular.TTF)
	if err != nil {
		panic(err) // the font is part of the program
	}
	return f
})

// pen writes text of one size. It belongs to one goroutine.
type pen struct {
	face         font.Face
	ascent, line int // pixels: base line below the top, distance of lines
}

// newPen is a pen for text of size pixels.
func newPen(size int) *pen {
	face, err := opentype.NewFace(liberation(), &opentype.FaceOptions{Size: float64(size), DPI: 72, Hinting: font.HintingNone})
	if err != nil {
		panic(err) // only for a font without outlines
	}
	m := face.Metrics()
	return &pen{face: face, ascent: m.Ascent.Ceil(), line: m.Ascent.Ceil() + m.Descent.Ceil()}
}

// width of s in pixels.
func (p *pen) width(s string) int { return font.MeasureString(p.face, s).Ceil() }

// fit is s as one line, shortened in the middle to at most width pixels.
func (p *pen) fit(s string, width int) string {
	return elideMiddle(plain(s), func(s string) bool { return p.width(s) <= width })
}

// wrap breaks s at spaces into at most limit lines of width pixels; what does not fit is elided.
func (p *pen) wrap(s string, width, limit int) []string {
	var lines []string
	rest := strings.Fields(plain(s))
	for len(rest) > 0 {
		n := 1
		for n < len(rest) && p.width(strings.Join(rest[:n+1], " ")) <= width {
			n++
		}
		if len(lines) == limit-1 {
			n = len(rest)
		}
		lines = append(lines, p.fit(strings.Join(rest[:n], " "), width))
		rest = rest[n:]
	}
	return lines
}

// text writes s with the top of its line at y; x is where it starts.
func (p *pen) text(dst draw.Image, x, y int, c color.Color, s string) {
	d := font.Drawer{Dst: dst, Src: image.NewUniform(c), Face: p.face, Dot: fixed.P(x, y+p.ascent)}
	d.DrawString(s)
}

// centred writes s around x.
func (p *pen) centred(dst draw.Image, x, y int, c color.Color, s string) {
	p.text(dst, x-p.width(s)/2, y, c, s)
}

// canvas is white paper.
func canvas(w, h int) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	fill(m, m.Rect, paper)
	return m
}

func fill(dst draw.Image, r image.Rectangle, c color.Color) {
	draw.Draw(dst, r, image.NewUniform(c), image.Point{}, draw.Src)
}

// frame draws a line of one pixel just outside of r.
func frame(dst draw.Image, r image.Rectangle, c color.Color) {
	o := r.Inset(-1)
	fill(dst, image.Rect(o.Min.X, o.Min.Y, o.Max.X, r.Min.Y), c)
	fill(dst, image.Rect(o.Min.X, r.Max.Y, o.Max.X, o.Max.Y), c)
	fill(dst, image.Rect(o.Min.X, o.Min.Y, r.Min.X, o.Max.Y), c)
	fill(dst, image.Rect(r.Max.X, o.Min.Y, o.Max.X, o.Max.Y), c)
}

// onWhite is img from the origin without transparency. It may share memory with img.
func onWhite(img image.Image) *image.RGBA {
	b := img.Bounds()
	if m, ok := img.(*image.RGBA); ok && b.Min == (image.Point{}) && m.Opaque() {
		return m
	}
	m := canvas(b.Dx(), b.Dy())
	draw.Draw(m, m.Rect, img, b.Min, draw.Over)
	return m
}
