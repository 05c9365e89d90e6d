package reports

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"time"

	"codeberg.org/go-pdf/fpdf"

	"ovbench/reports/results"
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

// PDF writes runs (at least one) as a document to print: what was asked and resolved, the scores, figures, panels, what
// failed, and how to measure again. Equal runs give equal bytes: its date is that of SOURCE_DATE_EPOCH, or else the end of
// the last run.
func PDF(w io.Writer, runs []*results.Run) error {
	if err := some(runs); err != nil {
		return err
	}
	doc, err := newView(runs).document()
	if err != nil {
		return err
	}
	// The contents come first and need the pages of what follows, so that everything is set twice.
	first := newSetter(doc, dateOf(runs), nil)
	if err := first.set(); err != nil {
		return err
	}
	second := newSetter(doc, dateOf(runs), first.contents)
	second.samples, second.lacking = first.samples, first.lacking
	if err := second.set(); err != nil {
		return err
	}
	var b bytes.Buffer
	if err := second.f.Output(&b); err != nil {
		return fmt.Errorf("report.pdf: %w", err)
	}
	_, err = w.Write(b.Bytes())
	return err
}

// tocEntry is a line of the table of contents.
type tocEntry struct {
	heading
	page int
	link int
}

// setter sets a document on pages.
type setter struct {
	doc      *document
	f        *fpdf.Fpdf
	y        float64    // where the next block begins
	contents []tocEntry // of headings so far
	known    []tocEntry // of a first pass, or nil
	figures  int
	tables   int
	pictures map[string]bool            // by the hash of their bytes
	samples  map[*results.Panel]*sample // pictures that were read
	lacking  bool                       // a letter was replaced because the fonts do not have it
}

func newSetter(doc *document, date time.Time, known []tocEntry) *setter {
	s := &setter{doc: doc, f: newPDF(pageWidth, pageHeight, date), known: known, pictures: map[string]bool{}, samples: map[*results.Panel]*sample{}}
	s.f.SetTitle(plain(doc.title), true)
	s.f.SetCreator("ovbench", true)
	s.f.SetLang("en")
	s.f.SetFooterFunc(func() {
		if s.f.PageNo() == 1 {
			return
		}
		s.font(7.5, "")
		s.color(faint.R, faint.G, faint.B)
		s.text(pageSide, pageHeight-28, s.fit(s.doc.title, textWidth-60))
		n := strconv.Itoa(s.f.PageNo())
		s.text(pageWidth-pageSide-s.width(n), pageHeight-28, n)
	})
	return s
}

func (s *setter) set() error {
	s.cover()
	s.tableOfContents()
	s.newPage()
	for i, b := range s.doc.blocks {
		switch b := b.(type) {
		case heading:
			s.heading(b, s.after(i))
		case paragraph:
			s.paragraph(b)
		case table:
			s.table(b)
		case listing:
			s.listing(b)
		case figureBlock:
			if !s.beside(i) {
				s.figuresFrom(i)
			}
		case panelBlock:
			if err := s.panels(b); err != nil {
				return err
			}
		}
	}
	return s.f.Error()
}

func (s *setter) font(size float64, style string) { s.f.SetFont("sans", style, size) }

func (s *setter) color(r, g, b uint8) { s.f.SetTextColor(int(r), int(g), int(b)) }

func (s *setter) black() { s.color(ink.R, ink.G, ink.B) }

// text writes a line; y is its base.
func (s *setter) text(x, y float64, text string) {
	shown := inFont(text)
	s.lacking = s.lacking || shown != text
	s.f.Text(x, y, shown)
}

func (s *setter) width(text string) float64 { return s.f.GetStringWidth(inFont(text)) }

func (s *setter) fit(text string, width float64) string {
	return elideMiddle(plain(text), func(t string) bool { return s.width(t) <= width })
}

// wrap breaks text into lines of width, within words that are longer.
func (s *setter) wrap(text string, width float64, limit int) []string {
	return breakText(text, limit, func(t string) bool { return s.width(t) <= width })
}

func (s *setter) newPage() {
	s.f.AddPage()
	s.y = pageTop
}

// room begins a page if less than height is left on this one, unless it is still empty.
func (s *setter) room(height float64) {
	if s.y+height > pageHeight-pageBottom && s.y > pageTop {
		s.newPage()
	}
}

func (s *setter) rule(x0, x1, y, width float64) {
	s.f.SetDrawColor(int(ink.R), int(ink.G), int(ink.B))
	s.f.SetLineWidth(width)
	s.f.Line(x0, y, x1, y)
}

func (s *setter) cover() {
	s.newPage()
	s.y = 120
	s.font(24, "B")
	s.black()
	for _, line := range s.wrap(s.doc.title, textWidth, 4) {
		s.text(pageSide, s.y, line)
		s.y += 30
	}
	s.font(11, "")
	s.color(faint.R, faint.G, faint.B)
	s.text(pageSide, s.y, "Evaluation report, made by ovbench from recorded results")
	s.y += 30
	s.grid(s.doc.facts)
	if s.lacking { // below all else, so that nothing moves once it is known
		s.font(7.5, "")
		s.color(faint.R, faint.G, faint.B)
		s.text(pageSide, pageHeight-28, "Letters that the font of this document lacks are shown as “?”. The HTML report shows them.")
	}
}

// tableOfContents follows the facts if there is room for all of it, and else has pages of its own.
func (s *setter) tableOfContents() {
	entries := s.known
	if entries == nil { // a first pass: as many lines
		for _, b := range s.doc.blocks {
			if h, ok := b.(heading); ok {
				entries = append(entries, tocEntry{heading: h})
			}
		}
	}
	s.y += 30
	s.room(40 + 14*float64(len(entries)))
	s.font(16, "B")
	s.black()
	s.text(pageSide, s.y+14, "Contents")
	s.y += 36
	for i := range entries {
		e := &entries[i]
		s.room(14)
		style, indent := "", 14.0*float64(e.level-1)
		if e.level == 1 {
			style = "B"
		}
		s.font(9.5, style)
		s.black()
		page := strconv.Itoa(e.page)
		s.text(pageSide+indent, s.y+9, s.fit(e.text, textWidth-indent-40))
		s.text(pageWidth-pageSide-s.width(page), s.y+9, page)
		e.link = s.f.AddLink()
		s.f.Link(pageSide, s.y, textWidth, 14, e.link)
		s.y += 14
	}
	s.known = entries
}

// after is the room that a heading wants to have below it for the block that follows.
func (s *setter) after(i int) float64 {
	if i+1 < len(s.doc.blocks) {
		switch b := s.doc.blocks[i+1].(type) {
		case figureBlock:
			return min(s.rowHeight(s.figureRow(i+1)), 400)
		case table:
			return s.least(s.split(b)[0], s.captionOf(b))
		case panelBlock:
			if m, err := s.load(b.run, b.panels[0]); err == nil { // if not, the block itself will say so
				return layOut(b, m).least()
			}
		case heading, paragraph:
			return 20 + s.after(i+1)
		}
	}
	return 60
}

func (s *setter) heading(h heading, below float64) {
	size, above := 16.0, 24.0
	if h.level > 1 {
		size, above = 12, 14
	}
	if s.y == pageTop {
		above = 0
	}
	s.font(size, "B")
	lines := s.wrap(h.text, textWidth, 3)
	s.room(above + size*1.3*float64(len(lines)) + 8 + below)
	if s.y > pageTop {
		s.y += above
	}
	e := tocEntry{heading: h, page: s.f.PageNo()}
	if n := len(s.contents); n < len(s.known) {
		e.link = s.known[n].link
		s.f.SetLink(e.link, s.y, -1)
	}
	s.contents = append(s.contents, e)
	s.f.Bookmark(inFont(plain(h.text)), h.level-1, s.y)
	s.font(size, "B")
	s.black()
	for _, line := range lines {
		s.text(pageSide, s.y+size, line)
		s.y += size * 1.3
	}
	s.y += 8
}

func (s *setter) paragraph(p paragraph) {
	s.font(9, "")
	s.black()
	indent := 0.0
	if p.warn {
		indent = 10
	}
	for i, line := range s.wrap(p.text, textWidth-indent, 60) {
		s.room(12)
		if p.warn {
			c := okabeIto[5]
			s.f.SetFillColor(int(c.R), int(c.G), int(c.B))
			if i == 0 {
				s.f.Rect(pageSide, s.y+2, 3, 9, "F")
			}
		}
		s.font(9, "")
		s.black()
		s.text(pageSide+indent, s.y+9, line)
		s.y += 12
	}
	s.y += 4
}

// caption writes "Table 3: …" in small letters, over several lines if it must.
func (s *setter) caption(x, width float64, label, text string) (height float64) {
	s.font(8, "")
	s.black()
	lines := s.wrap(label+": "+text, width, 6)
	for i, line := range lines {
		s.text(x, s.y+8+float64(i)*10, line)
	}
	return captionHeight(lines)
}

func captionHeight(lines []string) float64 { return float64(len(lines))*10 + 4 }

func (s *setter) listing(l listing) {
	const size, step = 7.5, 9.6
	for _, line := range splitLines(l.text) {
		s.f.SetFont("mono", "", size)
		for _, part := range breakAnywhere(line, func(t string) bool { return s.f.GetStringWidth(inFont(t)) <= textWidth-12 }) {
			s.room(step)
			s.f.SetFillColor(245, 245, 245)
			s.f.Rect(pageSide, s.y, textWidth, step+0.2, "F")
			s.f.SetFont("mono", "", size)
			s.black()
			s.text(pageSide+6, s.y+7.5, part)
			s.y += step
		}
	}
	s.y += 10
}

// beside reports whether the figure of block i was set with the one before it.
func (s *setter) beside(i int) bool {
	n := 0 // figures of one column right before it
	for j := i; j >= 0; j-- {
		f, ok := s.doc.blocks[j].(figureBlock)
		if !ok || f.figure.w > oneColumn {
			break
		}
		n++
	}
	return n > 0 && n%2 == 0
}

// figureRow is the figure of block i, and with it the next one if both are one column wide.
func (s *setter) figureRow(i int) []figure {
	row := []figure{s.doc.blocks[i].(figureBlock).figure}
	if i+1 < len(s.doc.blocks) && s.beside(i+1) {
		row = append(row, s.doc.blocks[i+1].(figureBlock).figure)
	}
	return row
}

// figureMost is the most height that a figure has, so that it stands on one page with a heading and its caption.
const figureMost = pageHeight - pageTop - pageBottom - 120

func tallest(row []figure) float64 {
	h := 0.0
	for _, f := range row {
		h = max(h, min(float64(f.h), figureMost))
	}
	return h
}

// rowHeight is that of figures side by side with room for their captions.
func (s *setter) rowHeight(row []figure) float64 {
	if lone(row) {
		return max(tallest(row), 60) + 16
	}
	return tallest(row) + 66
}

// lone reports whether half of the page is free beside a figure, for its caption.
func lone(row []figure) bool { return len(row) == 1 && row[0].w <= oneColumn }

// figuresFrom sets the figure of block i, and beside it the next one or else its caption, if it is one column wide.
func (s *setter) figuresFrom(i int) {
	row := s.figureRow(i)
	high := tallest(row)
	s.room(s.rowHeight(row))
	s.y += 6
	top, captions := s.y, 0.0
	for k, f := range row {
		s.figures++
		label, caption := fmt.Sprintf("Figure %d", s.figures), join([]string{f.title + ".", f.note}, " ")
		h := min(float64(f.h), figureMost)
		x := pageSide + float64(k)*(twoColumns-oneColumn)
		s.lacking = f.on(s.f, x, top+high-h, h/float64(f.h)) || s.lacking
		if lone(row) {
			s.y = top
			captions = max(0, s.caption(pageSide+twoColumns-oneColumn, oneColumn, label, caption)-high)
			continue
		}
		width := float64(f.w)
		if f.w > oneColumn {
			width = textWidth
		}
		s.y = top + high + 4
		captions = max(captions, s.caption(x, width, label, caption)+4)
	}
	s.y = top + high + captions + 10
}
