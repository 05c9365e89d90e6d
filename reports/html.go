package reports

import (
	"bytes"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"

	"ovbench/reports/draw"
	"ovbench/reports/pdf"
	"ovbench/reports/plain"
)

//go:embed page
var pageFiles embed.FS

var pageTemplate = sync.OnceValue(func() *template.Template {
	return template.Must(template.ParseFS(pageFiles, "page/report.html"))
})

// pageFile is a file of the page that is part of the program.
func pageFile(name string) string {
	data, err := pageFiles.ReadFile("page/" + name)
	if err != nil {
		panic(err) // it is compiled in
	}
	return string(data)
}

// writeHTML writes runs as one page that needs no other file and no network: what was asked and what came out on the
// first screen, then all that a document has, with tables one can sort and samples one can flip, sort and filter.
// Equal runs give equal bytes.
func writeHTML(w io.Writer, v *view) error {
	doc, err := documentOf(v)
	if err != nil {
		return err
	}
	return spellHTML(w, doc, dateOf(v.runs).Format("2 January 2006"))
}

// spellHTML writes a document as a page.
func spellHTML(w io.Writer, doc *document, date string) error {
	p := &page{Title: plain.Line(doc.title), Date: date, Style: template.CSS(pageFile("report.css")),
		Script: template.JS(pageFile("report.js")), ids: names{}}
	for _, s := range doc.lead {
		p.Lead = append(p.Lead, pageSpan{inline(s.text), s.tip})
	}
	p.Answer = unbroken(doc.answer)
	if s := doc.strip; s != nil {
		var err error
		if p.Strip, err = pageStripOf(s); err != nil {
			return err
		}
	}
	for _, b := range doc.blocks {
		if err := p.add(b); err != nil {
			return err
		}
	}
	if len(doc.facts.rows) > 0 {
		doc.facts.title = "What was asked and resolved"
		if err := p.add(doc.facts); err != nil {
			return err
		}
	}
	p.Methods, p.Kinds, p.Classes = union(p.samples, func(s *pageSample) []string { return s.Methods }),
		union(p.samples, func(s *pageSample) []string { return s.Kinds }), union(p.samples,
			func(s *pageSample) []string { return s.Classes })
	return pageTemplate().Execute(w, p)
}

// add spells one block.
func (p *page) add(b any) error {
	switch b := b.(type) {
	case heading:
		h := &pageHeading{Level: b.level, Text: plain.Line(b.text),
			ID: p.ids.take(strings.ToLower(slug("s-" + plain.Line(b.text))))}
		if b.text == "Summary" {
			h.ID = p.ids.take("summary")
		}
		if b.level == 1 {
			p.Contents = append(p.Contents, h)
		}
		p.Blocks = append(p.Blocks, pageBlock{Heading: h})
	case paragraph:
		line := unbroken(b.text)
		if line == p.Answer {
			return nil // it stands above
		}
		p.Blocks = append(p.Blocks, pageBlock{Text: line, Warn: b.warn})
	case table:
		p.tables++
		x := pageBlock{Table: p.table(b, p.tables)}
		if n := len(p.Blocks) - 1; n >= 0 && p.Blocks[n].Figure != nil && p.summary {
			p.Blocks[n].Opens, x.Closes = true, true // a chart, and beside it its numbers
		}
		p.Blocks, p.summary = append(p.Blocks, x), false
	case figureBlock:
		p.figures++
		p.summary = b.figure.place == placeSummary
		p.Blocks = append(p.Blocks, pageBlock{Figure: &pageFigure{p.figures, plain.Line(b.caption()),
			template.HTML(b.figure.ScaledSVG(screenScale)), b.figure.W > 1.2*draw.OneColumn}})
	case listing:
		p.Blocks = append(p.Blocks, pageBlock{Listing: strings.Join(plain.Listing(b.text), "\n")})
	case panelBlock:
		set := pageBlock{Bar: len(p.samples) == 0}
		for _, ref := range b.samples {
			s, err := shown(ref)
			if err != nil {
				return err
			}
			set.Samples = append(set.Samples, pageSampleOf(s))
		}
		p.samples = append(p.samples, set.Samples...)
		p.Blocks = append(p.Blocks, set)
	}
	return nil
}

// unbroken is a line of words in which a number and its percent sign stay together.
func unbroken(s string) string { return strings.ReplaceAll(plain.Line(s), " %", "\u00a0%") }

// inline is a piece of a sentence, whose spaces at its ends stay.
func inline(s string) string {
	line := plain.Line(s)
	if strings.HasPrefix(s, " ") {
		line = " " + line
	}
	if strings.HasSuffix(s, " ") {
		line += " "
	}
	return line
}

// union are the elements of lists, each once, in their order.
func union(all []*pageSample, list func(*pageSample) []string) []string {
	var out []string
	for _, s := range all {
		for _, x := range list(s) {
			if !slices.Contains(out, x) {
				out = append(out, x)
			}
		}
	}
	return out
}

// screenScale makes figures, whose letters are for paper, readable on a screen.
const screenScale = 1.28

// page is what the template spells. Texts in it are plain; the template escapes them.
type page struct {
	Title, Date             string
	Style                   template.CSS
	Script                  template.JS
	Lead                    []pageSpan
	Answer                  string
	Strip                   *pageStrip
	Contents                []*pageHeading
	Blocks                  []pageBlock
	Methods, Kinds, Classes []string // of all samples

	ids             names
	tables, figures int
	samples         []*pageSample
	summary         bool // the last block is a chart of main scores
}

// pageSpan is a piece of the leading sentence, with an explanation if it has one.
type pageSpan struct{ Text, Tip string }

// pageStrip is a few pictures of one sample.
type pageStrip struct {
	Pictures []pagePicture
	About    string
	Legend   []pageColor
}

// pageBlock is one of its first fields; Bar goes with the first Samples.
type pageBlock struct {
	Heading *pageHeading
	Text    string
	Warn    bool
	Table   *pageTable
	Figure  *pageFigure
	Listing string
	Samples []*pageSample
	Bar     bool
	Opens   bool // a pair of blocks that stand side by side
	Closes  bool
}

type pageHeading struct {
	Level    int
	Text, ID string
}

type pageFigure struct {
	Number  int
	Caption string
	SVG     template.HTML // of our own making, with foreign texts escaped
	Wide    bool          // letters would be too small on a phone if it were to fit
}

type pageTable struct {
	Number                          int
	Caption                         string
	Notes                           []string
	Head                            []pageHead
	Rows                            [][]pageCell
	Headed, Sortable, Folded, Words bool
	Tips                            bool // of some columns
}

// pageHead is the head of a column, with what it is in a few words, if somebody said it.
type pageHead struct {
	Text   string
	Number bool
	Tip    string
}

// pageCell is an entry; Value is the number behind it in full precision.
type pageCell struct{ Text, Class, Value string }

// foldedRows is from how many rows on a table is folded away.
const foldedRows = 40

func (p *page) table(t table, number int) *pageTable {
	out := &pageTable{Number: number, Caption: plain.Line(t.title), Folded: len(t.rows) > foldedRows, Words: t.words}
	for _, n := range t.notes {
		out.Notes = append(out.Notes, plain.Line(n))
	}
	if s := t.marks(); s != "" {
		out.Notes = append(out.Notes, s)
	}
	out.Headed = t.headed()
	out.Sortable = out.Headed && t.head[0] != "" && len(t.rows) > 1
	for c, h := range t.head {
		out.Head = append(out.Head, pageHead{plain.Line(h), c > 0 && !t.words && !t.left[c], t.tips[c]})
		out.Tips = out.Tips || t.tips[c] != ""
	}
	for _, r := range t.rows {
		var row []pageCell
		for c, e := range r {
			x := pageCell{Text: plain.Line(e.text)}
			var classes []string
			if out.Head[c].Number {
				classes = append(classes, "n")
			}
			switch e.rank {
			case best:
				classes = append(classes, "best")
			case second:
				classes = append(classes, "second")
			}
			switch x.Class = strings.Join(classes, " "); {
			case e.value != nil:
				x.Value = full(e.value)
			case e.low != nil:
				x.Value = full(e.low) // an interval sorts by its lower bound
			}
			row = append(row, x)
		}
		out.Rows = append(out.Rows, row)
	}
	return out
}

type pageSample struct {
	ID                      string
	Width, Height           int
	Image, Truth            template.URL
	Methods, Kinds, Classes []string
	Pictures                []pagePicture
	Legend                  []pageColor
}

// In is the classes in sight as the page's script reads them.
func (s *pageSample) In() string { return strings.Join(s.Classes, "|") }

type pagePicture struct {
	Src                               template.URL
	Method, Kind, Caption, Alt, Score string
}

type pageColor struct {
	Name  string
	Color template.CSS
}

// dataURL spells a picture in place of its address: a PNG where it has a palette, else a photograph.
func dataURL(img image.Image) template.URL {
	var b bytes.Buffer
	kind := "png"
	var err error
	if _, ok := img.(*image.Paletted); ok {
		err = (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, img)
	} else {
		kind, err = "jpeg", jpeg.Encode(&b, img, &jpeg.Options{Quality: 85})
	}
	if err != nil {
		panic(err) // no picture here is larger than a file can be
	}
	return template.URL("data:image/" + kind + ";base64," + base64.StdEncoding.EncodeToString(b.Bytes()))
}

// alts say what a picture is to readers who do not see it.
var alts = map[string]string{labelKind: "Labels", heatKind: "Similarity map", errorKind: "Error map"}

func pageSampleOf(m *pdf.Sample) *pageSample {
	s := &pageSample{ID: plain.Line(m.ID), Width: m.W, Height: m.H, Image: dataURL(m.Image), Kinds: m.Kinds}
	if m.Truth != nil {
		s.Truth = dataURL(m.Truth)
	}
	for _, name := range m.Methods {
		s.Methods = append(s.Methods, plain.Line(name))
		for _, k := range m.Kinds {
			if x, ok := pagePictureOf(m, k, name); ok {
				s.Pictures = append(s.Pictures, x)
			}
		}
	}
	for _, e := range m.Legend {
		if s.Legend = append(s.Legend, pageColor{plain.Line(e.Name), css(e.Color)}); !strings.HasPrefix(e.Name,
			errorPrefix) {
			s.Classes = append(s.Classes, strings.ReplaceAll(plain.Line(e.Name), "|", "/"))
		}
	}
	if m.More > 0 {
		s.Legend = append(s.Legend, pageColor{"and " + strconv.Itoa(m.More) + " classes more", "none"})
	}
	return s
}

func css(c color.RGBA) template.CSS { return template.CSS(fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B)) }

// pagePictureOf is a picture of a method, with its caption and what it shows for those who do not see it.
func pagePictureOf(m *pdf.Sample, kind, method string) (pagePicture, bool) {
	p, ok := m.See(kind, method)
	if !ok {
		return pagePicture{}, false
	}
	x := pagePicture{Src: dataURL(p.Image), Method: plain.Line(method), Kind: kind, Score: full(p.Score)}
	note := plain.Line(p.Text)
	if kind == heatKind {
		note += ", from 0 (blue) to 1 (red)"
	}
	x.Caption = unbroken(join([]string{x.Method, note}, ": "))
	x.Alt = fmt.Sprintf("%s of %s by %s", alts[kind], plain.Line(m.ID), x.Method)
	return x, true
}

// pageStripOf are the picture, the truth, and what two methods made of it.
func pageStripOf(s *strip) (*pageStrip, error) {
	m, err := shown(sampleRef{s.panel.ID, []keptPanel{s.keptPanel}})
	if err != nil {
		return nil, err
	}
	id := plain.Line(m.ID)
	out := &pageStrip{About: plain.Line(s.about), Pictures: []pagePicture{{Src: dataURL(m.Image), Caption: "Picture",
		Alt: "The image " + id}}}
	if m.Truth != nil {
		out.Pictures = append(out.Pictures, pagePicture{Src: dataURL(m.Truth), Caption: "Truth",
			Alt: "True labels of " + id})
	}
	for _, method := range s.methods {
		if x, ok := pagePictureOf(m, labelKind, s.name(method)); ok {
			out.Pictures = append(out.Pictures, x)
		}
	}
	for _, e := range m.Legend {
		if !strings.HasPrefix(e.Name, errorPrefix) {
			out.Legend = append(out.Legend, pageColor{plain.Line(e.Name), css(e.Color)})
		}
	}
	return out, nil
}
