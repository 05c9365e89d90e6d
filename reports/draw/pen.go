// Package draw answers: how does a chart, or a map over a picture, look?
//
// A [Figure] is drawn on any canvas of gonum's: as a picture, as SVG, on a page of a document. Charts ([Bars],
// [LineChart], [RowChart], [Matrix], [Times]) make figures of plain numbers. [Overlay] and [Caption] are pictures of a
// single image, in the colours of [VOC] for labels and [Jet] for similarity.
package draw

import (
	"image"
	"image/color"
	"image/draw"
	"sync"

	"codeberg.org/go-fonts/liberation/liberationsansregular"
	"golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"

	"ovbench/reports/plain"
)

// Colours of text, of what stands beside it, and of what it stands on.
var (
	Ink   = color.RGBA{30, 30, 30, 255}
	Faint = color.RGBA{110, 110, 110, 255}
	Paper = color.RGBA{255, 255, 255, 255}
)

var liberation = sync.OnceValue(func() *opentype.Font {
	f, err := opentype.Parse(liberationsansregular.TTF)
	if err != nil {
		panic(err) // the font is part of the program
	}
	return f
})

// Pen writes text of one size. It belongs to one goroutine.
type Pen struct {
	face   font.Face
	ascent int // pixels of the base line below the top
	Line   int // pixels from line to line
}

// NewPen is a Pen for text of size pixels.
func NewPen(size int) *Pen {
	face, err := opentype.NewFace(liberation(), &opentype.FaceOptions{Size: float64(size), DPI: 72,
		Hinting: font.HintingNone})
	if err != nil {
		panic(err) // only for a font without outlines
	}
	m := face.Metrics()
	return &Pen{face: face, ascent: m.Ascent.Ceil(), Line: m.Ascent.Ceil() + m.Descent.Ceil()}
}

// Width of s in pixels.
func (p *Pen) Width(s string) int { return font.MeasureString(p.face, s).Ceil() }

// Fit is s as one line, shortened in the middle to at most width pixels.
func (p *Pen) Fit(s string, width int) string {
	return Elide(plain.Line(s), func(s string) bool { return p.Width(s) <= width })
}

// Wrap breaks s at spaces into at most limit lines of width pixels; what does not fit is elided.
func (p *Pen) Wrap(s string, width, limit int) []string {
	return Lines(s, limit, func(s string) bool { return p.Width(s) <= width })
}

// Text writes s with the top of its line at y; x is where it starts.
func (p *Pen) Text(dst draw.Image, x, y int, c color.Color, s string) {
	d := font.Drawer{Dst: dst, Src: image.NewUniform(c), Face: p.face, Dot: fixed.P(x, y+p.ascent)}
	d.DrawString(s)
}

// Centred writes s around x.
func (p *Pen) Centred(dst draw.Image, x, y int, c color.Color, s string) {
	p.Text(dst, x-p.Width(s)/2, y, c, s)
}

// Blank is white paper.
func Blank(w, h int) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	Fill(m, m.Rect, Paper)
	return m
}

// Fill fills r.
func Fill(dst draw.Image, r image.Rectangle, c color.Color) {
	draw.Draw(dst, r, image.NewUniform(c), image.Point{}, draw.Src)
}

// Frame draws a line of one pixel just outside of r.
func Frame(dst draw.Image, r image.Rectangle, c color.Color) {
	o := r.Inset(-1)
	Fill(dst, image.Rect(o.Min.X, o.Min.Y, o.Max.X, r.Min.Y), c)
	Fill(dst, image.Rect(o.Min.X, r.Max.Y, o.Max.X, o.Max.Y), c)
	Fill(dst, image.Rect(o.Min.X, o.Min.Y, r.Min.X, o.Max.Y), c)
	Fill(dst, image.Rect(r.Max.X, o.Min.Y, o.Max.X, o.Max.Y), c)
}

// OnWhite is img from the origin without transparency. It may share memory with img.
func OnWhite(img image.Image) *image.RGBA {
	b := img.Bounds()
	if m, ok := img.(*image.RGBA); ok && b.Min == (image.Point{}) && m.Opaque() {
		return m
	}
	m := Blank(b.Dx(), b.Dy())
	draw.Draw(m, m.Rect, img, b.Min, draw.Over)
	return m
}

// InFont is s with a question mark for what the fonts have no letter for.
func InFont(s string) string {
	var buf sfnt.Buffer
	runes := []rune(s)
	for i, r := range runes {
		if r < 0x7f && r >= ' ' {
			continue
		}
		if g, err := liberation().GlyphIndex(&buf, r); err != nil || g == 0 {
			runes[i] = '?'
		}
	}
	return string(runes)
}
