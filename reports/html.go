package reports

import (
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strconv"
	"strings"
	"sync"

	"ovbench/reports/results"
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

// HTML writes runs (at least one) as one page that needs no other file and no network: the same content as [PDF], with
// tables one can sort and samples one can flip between methods. Equal runs give equal bytes.
func HTML(w io.Writer, runs []*results.Run) error {
	if err := some(runs); err != nil {
		return err
	}
	doc, err := newView(runs).document()
	if err != nil {
		return err
	}
	p := &page{
		Title: plain(doc.title), Date: dateOf(runs).Format("2 January 2006"),
		Style: template.CSS(pageFile("report.css")), Script: template.JS(pageFile("report.js")),
	}
	p.Facts = p.table(doc.facts, 0)
	p.Facts.Caption = "What was asked and resolved"
	ids := names{}
	tables, figures := 0, 0
	for _, b := range doc.blocks {
		switch b := b.(type) {
		case heading:
			h := &pageHeading{Level: b.level, Text: plain(b.text), ID: ids.take(strings.ToLower(slug("s-" + plain(b.text))))}
			if b.text == "Summary" {
				h.ID = ids.take("summary")
			}
			if b.level == 1 {
				p.Contents = append(p.Contents, h)
			}
			p.Blocks = append(p.Blocks, pageBlock{Heading: h})
		case paragraph:
			p.Blocks = append(p.Blocks, pageBlock{Text: plain(b.text), Warn: b.warn})
		case table:
			tables++
			p.Blocks = append(p.Blocks, pageBlock{Table: p.table(b, tables)})
		case figureBlock:
			figures++
			p.Blocks = append(p.Blocks, pageBlock{Figure: &pageFigure{figures, join([]string{b.figure.title + ".", b.figure.note}, " "), template.HTML(b.figure.scaledSVG(screenScale))}})
		case listing:
			p.Blocks = append(p.Blocks, pageBlock{Listing: strings.Join(splitLines(b.text), "\n")})
		case panelBlock:
			for _, m := range b.panels {
				s, err := pageSampleOf(b, m)
				if err != nil {
					return err
				}
				p.Blocks = append(p.Blocks, pageBlock{Sample: s})
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
	out := &pageTable{Number: number, Caption: plain(t.title), Folded: len(t.rows) > foldedRows}
	for _, n := range t.notes {
		out.Notes = append(out.Notes, plain(n))
	}
	if s := t.marks(); s != "" {
		out.Notes = append(out.Notes, s)
	}
	out.Headed = t.headed()
	out.Sortable = out.Headed && t.head[0] != "" && len(t.rows) > 1
	for c, h := range t.head {
		out.Head = append(out.Head, pageHead{plain(h), c > 0 && !t.words && !t.left[c]})
	}
	for _, r := range t.rows {
		var row []pageCell
		for c, e := range r {
			x := pageCell{Text: plain(e.text)}
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

// dataURL spells a picture in place of its address.
func (e encoded) dataURL() template.URL {
	mime := map[string]string{"jpg": "image/jpeg", "png": "image/png"}[e.kind]
	return template.URL("data:" + mime + ";base64," + base64.StdEncoding.EncodeToString(e.data))
}

func pageSampleOf(b panelBlock, p *results.Panel) (*pageSample, error) {
	m, err := loadSample(b.run, p, picturePixels)
	if err != nil {
		return nil, err
	}
	s := &pageSample{ID: plain(m.id), Width: m.image.Rect.Dx(), Height: m.image.Rect.Dy(), Image: photo(m.image).dataURL()}
	if m.truth != nil {
		s.Truth = flat(m.truth.picture()).dataURL()
	}
	for _, name := range m.methods(b.run) {
		s.Methods = append(s.Methods, plain(name))
		for _, k := range m.kinds() {
			x := pagePicture{Method: plain(name), Kind: string(k)}
			note := ""
			switch k {
			case labelKind:
				l := m.predictions[name]
				if l == nil {
					continue
				}
				x.Src, note = flat(l.picture()).dataURL(), m.verdicts[name].mIoU()
			case heatKind:
				g := m.maps[name]
				if g.gray == nil {
					continue
				}
				x.Src, note = photo(blend(m.image, g.gray)).dataURL(), plain(g.class)+", from 0 (blue) to 1 (red)"
			case errorKind:
				wrong := m.wrong(name)
				if wrong == nil {
					continue
				}
				x.Src, note = flat(wrong).dataURL(), m.verdicts[name].wrongs()
			}
			x.Caption = join([]string{x.Method + ", " + x.Kind, note}, ": ")
			x.Alt = fmt.Sprintf("%s of %s by %s", map[kind]string{labelKind: "Labels", heatKind: "Similarity map", errorKind: "Error map"}[k], s.ID, x.Method)
			s.Pictures = append(s.Pictures, x)
		}
	}
	for _, k := range m.kinds() {
		s.Kinds = append(s.Kinds, string(k))
	}
	key := newLegend(&sheet{classes: b.dataset.Classes, samples: []*sample{m}}, 100)
	for _, e := range key.entries {
		s.Legend = append(s.Legend, pageColor{plain(e.name), template.CSS(fmt.Sprintf("#%02x%02x%02x", e.color.R, e.color.G, e.color.B))})
	}
	if key.more > 0 {
		s.Legend = append(s.Legend, pageColor{"and " + strconv.Itoa(key.more) + " classes more", "none"})
	}
	return s, nil
}
