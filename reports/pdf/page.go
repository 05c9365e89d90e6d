package pdf

import (
	"image/color"
	"time"

	"codeberg.org/go-fonts/liberation/liberationmonoregular"
	"codeberg.org/go-fonts/liberation/liberationsansbold"
	"codeberg.org/go-fonts/liberation/liberationsansregular"
	"codeberg.org/go-pdf/fpdf"

	"ovbench/reports/draw"
	"ovbench/reports/plain"
)

// Measures of a page, in points.
const (
	pageWidth  = 595.28 // A4
	pageHeight = 841.89
	pageSide   = 45.64 // so that a figure of two columns fits
	pageTop    = 50
	pageBottom = 52
	textWidth  = pageWidth - 2*pageSide
)

// page is where the next thing is set, and how letters and lines look. All of the writer stand on it.
type page struct {
	f       *fpdf.Fpdf
	high    float64 // of the page
	y       float64 // where the next block begins
	lacking bool    // a letter was replaced because the fonts do not have it
}

// newPDF is a document of pages of w x h points, dated so that equal runs give equal bytes. Of the fonts, those
// letters are kept that occur.
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

func (p *page) font(size float64, style string) { p.f.SetFont("sans", style, size) }

func (p *page) color(c color.RGBA) { p.f.SetTextColor(int(c.R), int(c.G), int(c.B)) }

func (p *page) black() { p.color(draw.Ink) }

// text writes a line; y is its base.
func (p *page) text(x, y float64, text string) {
	shown := draw.InFont(text)
	p.lacking = p.lacking || shown != text
	p.f.Text(x, y, shown)
}

func (p *page) width(text string) float64 { return p.f.GetStringWidth(draw.InFont(text)) }

func (p *page) fit(text string, width float64) string {
	return draw.Elide(plain.Line(text), func(t string) bool { return p.width(t) <= width })
}

// wrap breaks text into lines of width, within words that are longer.
func (p *page) wrap(text string, width float64, limit int) []string {
	return breakText(text, limit, func(t string) bool { return p.width(t) <= width })
}

func (p *page) newPage() {
	p.f.AddPage()
	p.y = pageTop
}

// room begins a page if less than height is left on this one, unless it is still empty.
func (p *page) room(height float64) {
	if p.y+height > p.high-pageBottom && p.y > pageTop {
		p.newPage()
	}
}

func (p *page) rule(x0, x1, y, width float64) {
	p.f.SetDrawColor(int(draw.Ink.R), int(draw.Ink.G), int(draw.Ink.B))
	p.f.SetLineWidth(width)
	p.f.Line(x0, y, x1, y)
}
