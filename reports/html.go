package reports

import (
	"bytes"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"strconv"
	"strings"
	"sync"

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

// writeHTML writes runs (at least one) as one page that needs no other file and no network: the same content as
// [PDF], with tables one can sort and samples one can flip between methods. Equal runs give equal bytes.
func writeHTML(w io.Writer, v *view) error {
	doc, err := documentOf(v)
	if err != nil {
		return err
	}
	p := &page{
		Title: plain.Line(doc.title), Date: dateOf(v.runs).Format("2 January 2006"),
		Style: template.CSS(pageFile("report.css")), Script: template.JS(pageFile("report.js")),
	}
	p.Facts = p.table(doc.facts, 0)
	p.Facts.Caption = "What was asked and resolved"
	ids := names{}
	tables, figures := 0, 0
	for _, b := range doc.blocks {
		switch b := b.(type) {
		case heading:
			h := &pageHeading{Level: b.level, Text: plain.Line(b.text),
				ID: ids.take(strings.ToLower(slug("s-" + plain.Line(b.text))))}
			if b.text == "Summary" {
				h.ID = ids.take("summary")
			}
			if b.level == 1 {
				p.Contents = append(p.Contents, h)
			}
			p.Blocks = append(p.Blocks, pageBlock{Heading: h})
		case paragraph:
			p.Blocks = append(p.Blocks, pageBlock{Text: plain.Line(b.text), Warn: b.warn})
		case table:
			tables++
			p.Blocks = append(p.Blocks, pageBlock{Table: p.table(b, tables)})
		case figureBlock:
			figures++
			p.Blocks = append(p.Blocks, pageBlock{Figure: &pageFigure{figures, plain.Line(b.caption()),
				template.HTML(b.figure.ScaledSVG(screenScale))}})
		case listing:
			p.Blocks = append(p.Blocks, pageBlock{Listing: strings.Join(plain.Listing(b.text), "\n")})
		case panelBlock:
			for _, m := range b.panels {
				s, err := shown(b.run, b.dataset, m)
				if err != nil {
					return err
				}
				p.Blocks = append(p.Blocks, pageBlock{Sample: pageSampleOf(s)})
			}
		}
	}
	return pageTemplate().Execute(w, p)
}

// screenScale makes figures, whose letters are for paper, readable on a screen.
const screenScale = 1.28

// page is what the template spells. Texts in it are plain; the template escapes them.
type page struct {
	Title, Date string
	Style       template.CSS
	Script      template.JS
	Facts       *pageTable
	Contents    []*pageHeading
	Blocks      []pageBlock
}

// pageBlock is one of its fields.
type pageBlock struct {
	Heading *pageHeading
	Text    string
	Warn    bool
	Table   *pageTable
	Figure  *pageFigure
	Listing string
	Sample  *pageSample
}

type pageHeading struct {
	Level    int
	Text, ID string
}

type pageFigure struct {
	Number  int
	Caption string
	SVG     template.HTML // of our own making, with foreign texts escaped
}

type pageTable struct {
	Number                   int
	Caption                  string
	Notes                    []string
	Head                     []pageHead
	Rows                     [][]pageCell
	Headed, Sortable, Folded bool
}

type pageHead struct {
	Text   string
	Number bool
}

// pageCell is an entry; Value is the number behind it in full precision.
type pageCell struct{ Text, Class, Value string }

// foldedRows is from how many rows on a table is folded away.
const foldedRows = 40

func (p *page) table(t table, number int) *pageTable {
	out := &pageTable{Number: number, Caption: plain.Line(t.title), Folded: len(t.rows) > foldedRows}
	for _, n := range t.notes {
		out.Notes = append(out.Notes, plain.Line(n))
	}
	if s := t.marks(); s != "" {
		out.Notes = append(out.Notes, s)
	}
	out.Headed = t.headed()
	out.Sortable = out.Headed && t.head[0] != "" && len(t.rows) > 1
	for c, h := range t.head {
		out.Head = append(out.Head, pageHead{plain.Line(h), c > 0 && !t.words && !t.left[c]})
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
	ID             string
	Width, Height  int
	Image, Truth   template.URL
	Methods, Kinds []string
	Pictures       []pagePicture
	Legend         []pageColor
}

type pagePicture struct {
	Src                        template.URL
	Method, Kind, Caption, Alt string
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
			p, ok := m.See(k, name)
			if !ok {
				continue
			}
			x := pagePicture{Src: dataURL(p.Image), Method: plain.Line(name), Kind: k}
			note := plain.Line(p.Text)
			if k == heatKind {
				note += ", from 0 (blue) to 1 (red)"
			}
			x.Caption = join([]string{x.Method + ", " + k, note}, ": ")
			x.Alt = fmt.Sprintf("%s of %s by %s", alts[k], s.ID, x.Method)
			s.Pictures = append(s.Pictures, x)
		}
	}
	for _, e := range m.Legend {
		s.Legend = append(s.Legend, pageColor{plain.Line(e.Name),
			template.CSS(fmt.Sprintf("#%02x%02x%02x", e.Color.R, e.Color.G, e.Color.B))})
	}
	if m.More > 0 {
		s.Legend = append(s.Legend, pageColor{"and " + strconv.Itoa(m.More) + " classes more", "none"})
	}
	return s
}
