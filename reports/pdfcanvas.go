package reports

import (
	"bytes"
	"fmt"
	"image"
	"math"

	"time"

	"codeberg.org/go-fonts/liberation/liberationmonoregular"
	"codeberg.org/go-fonts/liberation/liberationsansbold"
	"codeberg.org/go-fonts/liberation/liberationsansregular"
	"codeberg.org/go-pdf/fpdf"
	"golang.org/x/image/font/sfnt"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// newPDF is a document of pages of w x h points, dated so that equal runs give equal bytes. Of the fonts, those letters are
// kept that occur.
func newPDF(w, h float64, date time.Time) *fpdf.Fpdf {
	f := fpdf.NewCustom(&fpdf.InitType{UnitStr: "pt", Size: fpdf.SizeType{Wd: w, Ht: h}})
	f.SetCatalogSort(true)
	f.SetCreationDate(date.UTC())
	f.SetModificationDate(date.UTC())
	f.SetMargins(0, 0, 0)
	f.SetCellMargin(0)
	f.SetAutoPageBreak(false, 0)
	f.AddUTF8FontFromBytes("sans", "", liberationsansregular.TTF)
	f.AddUTF8FontFromBytes("sans", "B", liberationsansbold.TTF)
	f.AddUTF8FontFromBytes("mono", "", liberationmonoregular.TTF)
	return f
}

// pdf draws f as a PDF file of one page.
func (f *figure) pdf(date time.Time) ([]byte, error) {
	doc := newPDF(float64(f.w), float64(f.h), date)
	doc.SetTitle(plain(f.title), true)
	doc.AddPage()
	f.on(doc, 0, 0, 1)
	var b bytes.Buffer
	if err := doc.Output(&b); err != nil {
		return nil, fmt.Errorf("figure %s: %w", f.name, err)
	}
	return b.Bytes(), nil
}

// on draws f on the current page of a document, its upper left corner at (x, y), scaled, and reports whether letters were
// replaced that the fonts lack.
func (f *figure) on(doc *fpdf.Fpdf, x, y, scale float64) (lacking bool) {
	c := &pdfCanvas{doc: doc}
	c.now.to = affine{scale, 0, 0, -scale, x, y + scale*float64(f.h)}
	vg.Initialize(c)
	f.draw(draw.NewCanvas(c, f.w, f.h))
	return c.lacking
}

// pdfCanvas is a vg.Canvas on a page of a document that has other content too, which gonum's own PDF canvas cannot be.
type pdfCanvas struct {
	drawState
	doc     *fpdf.Fpdf
	lacking bool // a letter was replaced that the fonts do not have
}

func (c *pdfCanvas) Stroke(p vg.Path) {
	if c.now.width <= 0 {
		return
	}
	k := c.now.to.scale()
	dashes := make([]float64, len(c.now.dashes))
	for i, d := range c.now.dashes {
		dashes[i] = k * float64(d)
	}
	c.doc.SetLineWidth(k * float64(c.now.width))
	c.doc.SetDashPattern(dashes, k*float64(c.now.offset))
	c.doc.SetDrawColor(int(c.now.color.R), int(c.now.color.G), int(c.now.color.B))
	c.path(p)
	c.doc.DrawPath("D")
	if len(dashes) > 0 {
		c.doc.SetDashPattern(nil, 0)
	}
}

func (c *pdfCanvas) Fill(p vg.Path) {
	c.doc.SetFillColor(int(c.now.color.R), int(c.now.color.G), int(c.now.color.B))
	c.path(p)
	c.doc.DrawPath("F")
}

func (c *pdfCanvas) path(p vg.Path) {
	c.segments(p, func(kind byte, at ...float64) {
		switch kind {
		case 'M':
			c.doc.MoveTo(at[0], at[1])
		case 'L':
			c.doc.LineTo(at[0], at[1])
		case 'C':
			c.doc.CurveBezierCubicTo(at[0], at[1], at[2], at[3], at[4], at[5])
		case 'Z':
			c.doc.ClosePath()
		}
	})
}

func (c *pdfCanvas) FillString(face font.Face, p vg.Point, s string) {
	if face.Font.Size == 0 {
		return
	}
	style := ""
	if face.Font.Weight > 0 {
		style = "B"
	}
	to := c.now.to
	c.doc.SetFont("sans", style, float64(face.Font.Size)*to.scale())
	c.doc.SetTextColor(int(c.now.color.R), int(c.now.color.G), int(c.now.color.B))
	x, y := to.at(p)
	turn := math.Atan2(-to.b, to.a) * 180 / math.Pi
	if turn != 0 {
		c.doc.TransformBegin()
		c.doc.TransformRotate(turn, x, y)
	}
	shown := inFont(s)
	c.lacking = c.lacking || shown != s
	c.doc.Text(x, y, shown)
	if turn != 0 {
		c.doc.TransformEnd()
	}
}

// DrawImage implements vg.Canvas. Figures have no pictures in them.
func (c *pdfCanvas) DrawImage(vg.Rectangle, image.Image) {
	c.doc.SetErrorf("a figure with a picture cannot be drawn on a page")
}

// inFont is s with a question mark for what the fonts have no letter for.
func inFont(s string) string {
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
