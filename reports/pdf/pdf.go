// Package pdf answers: how does a report stand on paper?
//
// [Write] sets a [Document] (headings, paragraphs, tables, figures, samples, listings) on pages, with contents,
// bookmarks and page numbers; [Figure] is a chart in a file of its own, and [Samples] are pictures in one. All text
// and all charts are vectors. Equal documents give equal bytes.
package pdf

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"time"

	"ovbench/reports/draw"
	"ovbench/reports/plain"
)

// Document is what is set, in the order of reading.
type Document struct {
	Title, Subtitle string
	Date            time.Time
	Facts           Table // below the title
	Blocks          []any // Heading, Paragraph, Table, Chart, Listing, *Sample
}

// Heading begins a chapter, of level 1, or a part of one.
type Heading struct {
	Level int
	Text  string
}

// Paragraph is running text.
type Paragraph struct {
	Text string
	Warn bool // marked at its side
}

// Chart is a figure with what is said below it.
type Chart struct {
	draw.Figure
	Caption string
}

// Listing is text that is to be copied as it is.
type Listing struct{ Text string }

// Write sets a document and writes the file.
func Write(w io.Writer, doc *Document) error {
	// The contents come first and need the pages of what follows, so that everything is set twice.
	first := newWriter(doc, nil)
	if err := first.set(); err != nil {
		return err
	}
	second := newWriter(doc, first.contents)
	second.lacking = first.lacking
	if err := second.set(); err != nil {
		return err
	}
	var b bytes.Buffer
	if err := second.f.Output(&b); err != nil {
		return fmt.Errorf("%s: %w", plain.Line(doc.Title), err)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// entry is a line of the table of contents.
type entry struct {
	Heading
	page int
	link int
}

// writer sets a document on pages, block after block.
type writer struct {
	page
	doc      *Document
	contents []entry // of headings so far
	known    []entry // of a first pass, or nil
	figures  int
	tables   int
}

func newWriter(doc *Document, known []entry) *writer {
	w := &writer{doc: doc, known: known, page: page{f: newPDF(pageWidth, pageHeight, doc.Date), high: pageHeight}}
	w.f.SetTitle(plain.Line(doc.Title), true)
	w.f.SetCreator("ovbench", true)
	w.f.SetLang("en")
	w.f.SetFooterFunc(func() {
		if w.f.PageNo() == 1 {
			return
		}
		w.font(7.5, "")
		w.color(draw.Faint)
		w.text(pageSide, pageHeight-28, w.fit(doc.Title, textWidth-60))
		n := strconv.Itoa(w.f.PageNo())
		w.text(pageWidth-pageSide-w.width(n), pageHeight-28, n)
	})
	return w
}

func (w *writer) set() error {
	w.cover()
	w.tableOfContents()
	w.newPage()
	for i, b := range w.doc.Blocks {
		switch b := b.(type) {
		case Heading:
			w.heading(b, w.after(i))
		case Paragraph:
			w.paragraph(b)
		case Table:
			w.table(b)
		case Listing:
			w.listing(b)
		case Chart:
			if !w.beside(i) {
				w.chartsFrom(i)
			}
		case *Sample:
			w.sample(layOut(b))
		}
	}
	return w.f.Error()
}

func (w *writer) cover() {
	w.newPage()
	w.y = 120
	w.font(24, "B")
	w.black()
	for _, line := range w.wrap(w.doc.Title, textWidth, 4) {
		w.text(pageSide, w.y, line)
		w.y += 30
	}
	w.font(11, "")
	w.color(draw.Faint)
	w.text(pageSide, w.y, w.fit(w.doc.Subtitle, textWidth))
	w.y += 30
	w.grid(w.doc.Facts)
	if w.lacking { // below all else, so that nothing moves once it is known
		w.font(7.5, "")
		w.color(draw.Faint)
		w.text(pageSide, pageHeight-28, "Letters that the font of this document lacks are shown as “?”. The HTML "+
			"report shows them.")
	}
}

// tableOfContents follows the facts if there is room for all of it, and else has pages of its own.
func (w *writer) tableOfContents() {
	entries := w.known
	if entries == nil { // a first pass: as many lines
		for _, b := range w.doc.Blocks {
			if h, ok := b.(Heading); ok {
				entries = append(entries, entry{Heading: h})
			}
		}
	}
	w.y += 30
	w.room(40 + 14*float64(len(entries)))
	w.font(16, "B")
	w.black()
	w.text(pageSide, w.y+14, "Contents")
	w.y += 36
	for i := range entries {
		e := &entries[i]
		w.room(14)
		style, indent := "", 14.0*float64(e.Level-1)
		if e.Level == 1 {
			style = "B"
		}
		w.font(9.5, style)
		w.black()
		page := strconv.Itoa(e.page)
		w.text(pageSide+indent, w.y+9, w.fit(e.Text, textWidth-indent-40))
		w.text(pageWidth-pageSide-w.width(page), w.y+9, page)
		e.link = w.f.AddLink()
		w.f.Link(pageSide, w.y, textWidth, 14, e.link)
		w.y += 14
	}
	w.known = entries
}

// after is the room that a heading wants to have below it for the block that follows.
func (w *writer) after(i int) float64 {
	if i+1 < len(w.doc.Blocks) {
		switch b := w.doc.Blocks[i+1].(type) {
		case Chart:
			return min(rowHeight(w.chartRow(i+1)), 400)
		case Table:
			return w.least(w.split(b)[0], captionOf(b))
		case *Sample:
			return layOut(b).least()
		case Heading, Paragraph:
			return 20 + w.after(i+1)
		}
	}
	return 60
}

func (w *writer) heading(h Heading, below float64) {
	size, above := 16.0, 24.0
	if h.Level > 1 {
		size, above = 12, 14
	}
	if w.y == pageTop {
		above = 0
	}
	w.font(size, "B")
	lines := w.wrap(h.Text, textWidth, 3)
	w.room(above + size*1.3*float64(len(lines)) + 8 + below)
	if w.y > pageTop {
		w.y += above
	}
	e := entry{Heading: h, page: w.f.PageNo()}
	if n := len(w.contents); n < len(w.known) {
		e.link = w.known[n].link
		w.f.SetLink(e.link, w.y, -1)
	}
	w.contents = append(w.contents, e)
	w.f.Bookmark(draw.InFont(plain.Line(h.Text)), h.Level-1, w.y)
	w.font(size, "B")
	w.black()
	for _, line := range lines {
		w.text(pageSide, w.y+size, line)
		w.y += size * 1.3
	}
	w.y += 8
}

func (w *writer) paragraph(p Paragraph) {
	w.font(9, "")
	w.black()
	indent := 0.0
	if p.Warn {
		indent = 10
	}
	for i, line := range w.wrap(p.Text, textWidth-indent, 60) {
		w.room(12)
		if p.Warn {
			c := draw.OkabeIto[5]
			w.f.SetFillColor(int(c.R), int(c.G), int(c.B))
			if i == 0 {
				w.f.Rect(pageSide, w.y+2, 3, 9, "F")
			}
		}
		w.font(9, "")
		w.black()
		w.text(pageSide+indent, w.y+9, line)
		w.y += 12
	}
	w.y += 4
}

// caption writes "Table 3: …" in small letters, over several lines if it must.
func (w *writer) caption(x, width float64, label, text string) (height float64) {
	w.font(8, "")
	w.black()
	lines := w.wrap(label+": "+text, width, 6)
	for i, line := range lines {
		w.text(x, w.y+8+float64(i)*10, line)
	}
	return captionHeight(lines)
}

func captionHeight(lines []string) float64 { return float64(len(lines))*10 + 4 }

func (w *writer) listing(l Listing) {
	const size, step = 7.5, 9.6
	for _, line := range plain.Listing(l.Text) {
		w.f.SetFont("mono", "", size)
		for _, part := range breakAnywhere(line,
			func(t string) bool { return w.f.GetStringWidth(draw.InFont(t)) <= textWidth-12 }) {
			w.room(step)
			w.f.SetFillColor(245, 245, 245)
			w.f.Rect(pageSide, w.y, textWidth, step+0.2, "F")
			w.f.SetFont("mono", "", size)
			w.black()
			w.text(pageSide+6, w.y+7.5, part)
			w.y += step
		}
	}
	w.y += 10
}

// beside reports whether the figure of block i was set with the one before it.
func (w *writer) beside(i int) bool {
	n := 0 // figures of one column right before it
	for j := i; j >= 0; j-- {
		f, ok := w.doc.Blocks[j].(Chart)
		if !ok || f.W > draw.OneColumn {
			break
		}
		n++
	}
	return n > 0 && n%2 == 0
}

// chartRow is the figure of block i, and with it the next one if both are one column wide.
func (w *writer) chartRow(i int) []Chart {
	row := []Chart{w.doc.Blocks[i].(Chart)}
	if i+1 < len(w.doc.Blocks) && w.beside(i+1) {
		row = append(row, w.doc.Blocks[i+1].(Chart))
	}
	return row
}

// figureMost is the most height that a figure has, so that it stands on one page with a heading and its caption.
const figureMost = pageHeight - pageTop - pageBottom - 120

func tallest(row []Chart) float64 {
	h := 0.0
	for _, f := range row {
		h = max(h, min(float64(f.H), figureMost))
	}
	return h
}

// rowHeight is that of figures side by side with room for their captions.
func rowHeight(row []Chart) float64 {
	if lone(row) {
		return max(tallest(row), 60) + 16
	}
	return tallest(row) + 66
}

// lone reports whether half of the page is free beside a figure, for its caption.
func lone(row []Chart) bool { return len(row) == 1 && row[0].W <= draw.OneColumn }

// chartsFrom sets the figure of block i, and beside it the next one or else its caption, if it is one column wide.
func (w *writer) chartsFrom(i int) {
	row := w.chartRow(i)
	high := tallest(row)
	w.room(rowHeight(row))
	w.y += 6
	top, captions := w.y, 0.0
	for k, f := range row {
		w.figures++
		label, caption := fmt.Sprintf("Figure %d", w.figures), f.Caption
		h := min(float64(f.H), figureMost)
		x := pageSide + float64(k)*(draw.TwoColumns-draw.OneColumn)
		w.lacking = place(&f.Figure, w.f, x, top+high-h, h/float64(f.H)) || w.lacking
		if lone(row) {
			w.y = top
			captions = max(0, w.caption(pageSide+draw.TwoColumns-draw.OneColumn, draw.OneColumn, label, caption)-high)
			continue
		}
		width := float64(f.W)
		if f.W > draw.OneColumn {
			width = textWidth
		}
		w.y = top + high + 4
		captions = max(captions, w.caption(x, width, label, caption)+4)
	}
	w.y = top + high + captions + 10
}
