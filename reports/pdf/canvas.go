package pdf

import (
	"bytes"
	"fmt"
	"image"
	"math"
	"time"

	"codeberg.org/go-pdf/fpdf"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	vgdraw "gonum.org/v1/plot/vg/draw"

	"ovbench/reports/draw"
	"ovbench/reports/plain"
)

// Figure draws f as a PDF file of one page.
func Figure(f *draw.Figure, date time.Time) ([]byte, error) {
	doc := newPDF(float64(f.W), float64(f.H), date)
	doc.SetTitle(plain.Line(f.Title), true)
	doc.AddPage()
	place(f, doc, 0, 0, 1)
	var b bytes.Buffer
	if err := doc.Output(&b); err != nil {
		return nil, fmt.Errorf("figure %s: %w", f.Name, err)
	}
	return b.Bytes(), nil
}

// place draws f on the current page of a document, its upper left corner at (x, y), scaled, and reports whether
// letters were replaced that the fonts lack.
func place(f *draw.Figure, doc *fpdf.Fpdf, x, y, scale float64) (lacking bool) {
	c := &canvas{doc: doc}
	c.Now.To = draw.Affine{A: scale, D: -scale, E: x, F: y + scale*float64(f.H)}
	vg.Initialize(c)
	f.Draw(vgdraw.NewCanvas(c, f.W, f.H))
	return c.lacking
}

// canvas is a vg.Canvas on a page of a document that has other content too, which gonum's own PDF canvas cannot be.
type canvas struct {
	draw.State
	doc     *fpdf.Fpdf
	lacking bool // a letter was replaced that the fonts do not have
}

func (c *canvas) Stroke(p vg.Path) {
	if c.Now.Width <= 0 {
		return
	}
	k := c.Now.To.Scale()
	dashes := make([]float64, len(c.Now.Dashes))
	for i, d := range c.Now.Dashes {
		dashes[i] = k * float64(d)
	}
	c.doc.SetLineWidth(k * float64(c.Now.Width))
	c.doc.SetDashPattern(dashes, k*float64(c.Now.Offset))
	c.doc.SetDrawColor(int(c.Now.Color.R), int(c.Now.Color.G), int(c.Now.Color.B))
	c.path(p)
	c.doc.DrawPath("D")
	if len(dashes) > 0 {
		c.doc.SetDashPattern(nil, 0)
	}
}

func (c *canvas) Fill(p vg.Path) {
	c.doc.SetFillColor(int(c.Now.Color.R), int(c.Now.Color.G), int(c.Now.Color.B))
	c.path(p)
	c.doc.DrawPath("F")
}

func (c *canvas) path(p vg.Path) {
	c.Segments(p, func(kind byte, at ...float64) {
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

func (c *canvas) FillString(face font.Face, p vg.Point, s string) {
	if face.Font.Size == 0 {
		return
	}
	style := ""
	if face.Font.Weight > 0 {
		style = "B"
	}
	to := c.Now.To
	c.doc.SetFont("sans", style, float64(face.Font.Size)*to.Scale())
	c.doc.SetTextColor(int(c.Now.Color.R), int(c.Now.Color.G), int(c.Now.Color.B))
	x, y := to.At(p)
	turn := math.Atan2(-to.B, to.A) * 180 / math.Pi
	if turn != 0 {
		c.doc.TransformBegin()
		c.doc.TransformRotate(turn, x, y)
	}
	shown := draw.InFont(s)
	c.lacking = c.lacking || shown != s
	c.doc.Text(x, y, shown)
	if turn != 0 {
		c.doc.TransformEnd()
	}
}

// DrawImage implements vg.Canvas. Figures have no pictures in them.
func (c *canvas) DrawImage(vg.Rectangle, image.Image) {
	c.doc.SetErrorf("a figure with a picture cannot be drawn on a page")
}
