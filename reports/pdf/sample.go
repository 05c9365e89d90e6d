package pdf

import (
	"bytes"
	"compress/zlib"
	"encoding/ascii85"
	"encoding/hex"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"time"

	"ovbench/reports/draw"
	"ovbench/reports/plain"
)

// Samples draws samples on a page of their own that is no larger than they are, for a paper to include.
func Samples(title string, samples []*Sample, date time.Time) ([]byte, error) {
	high := 2.0*pageTop + pageBottom
	for _, m := range samples {
		l := layOut(m)
		high += l.height(l.lines())
	}
	w := &writer{page: page{f: newPDF(pageWidth, high, date), high: high}}
	w.f.SetTitle(plain.Line(title), true)
	w.newPage()
	for _, m := range samples {
		w.sample(layOut(m))
	}
	const edge = 4
	w.f.SetPageBox("crop", pageSide-edge, high-w.y-edge, textWidth+2*edge, w.y-pageTop+2*edge)
	var b bytes.Buffer
	if err := w.f.Output(&b); err != nil {
		return nil, fmt.Errorf("%s: %w", plain.Line(title), err)
	}
	return b.Bytes(), nil
}

// Sample is an image with what methods see in it.
type Sample struct {
	ID      string
	W, H    int // of all pictures, in pixels
	Image   image.Image
	Truth   image.Image // nil: none
	Methods []string
	Kinds   []string // what there is to see of a method, one kind under the other
	See     func(kind, method string) (Picture, bool)
	Scale   bool // of similarity, 0 to 1
	Legend  []Swatch
	More    int // classes without a place in Legend
}

// Picture is one to be shown, of the size of the sample, with the words below it.
type Picture struct {
	Image image.Image
	Text  string
	Score *float64 // of the method on this sample, a fraction; nil: none
}

// Swatch is a colour with its meaning.
type Swatch struct {
	Name  string
	Color color.RGBA
}

// Measures of a sample, in points.
const (
	space       = 6        // between pictures
	textBelow   = 11       // what is written under a picture, and over a line of methods
	tileArea    = 101 * 76 // of a picture of any shape, so that two samples of four methods fill a page
	tileMost    = 121      // its longer side
	tileLeast   = 0.66     // of its size, to bring more into a line
	columnLeast = 54       // for what is written under a narrow picture
	legendStep  = 9
	sampleMost  = pageHeight - pageTop - pageBottom - 100
)

// sampleLayout is how the pictures of a sample stand: lines of columns, in each column one kind under the other.
type sampleLayout struct {
	*Sample
	lead    int     // columns of image and truth, which open the first line
	columns int     // of a line
	w, h    float64 // of a picture
}

func layOut(m *Sample) *sampleLayout {
	l := &sampleLayout{Sample: m}
	l.lead = 1
	if m.Truth != nil && len(l.Kinds) < 2 {
		l.lead = 2
	}
	aspect := float64(m.W) / float64(m.H)
	w := min(math.Sqrt(tileArea*aspect), tileMost, tileMost*aspect)
	n := l.lead + len(l.Methods)
	most := int((textWidth + space) / (max(tileLeast*w, columnLeast) + space))
	lines := (n + most - 1) / most
	l.columns = (n + lines - 1) / lines
	w = min(w, (textWidth-space*float64(l.columns-1))/float64(l.columns))
	rows := float64(lines * max(1, len(l.Kinds)))
	fit := (sampleMost - l.height(lines)) / rows // the height, which was 0, at which all of it stands on one page
	l.h = w / aspect
	l.h = min(l.h, max(fit, tileLeast*l.h))
	l.w = l.h * aspect
	return l
}

// lines is the number of lines it takes.
func (l *sampleLayout) lines() int { return (l.lead + len(l.Methods) + l.columns - 1) / l.columns }

// lineHeight is that of a line.
func (l *sampleLayout) lineHeight() float64 {
	return textBelow + float64(max(1, len(l.Kinds)))*(l.h+textBelow)
}

// height is that of the sample in so many lines.
func (l *sampleLayout) height(lines int) float64 {
	return 14 + float64(lines)*l.lineHeight() + 4 + legendStep*float64(l.legendLines()) + 10
}

// least is the room it wants to begin on a page: all it takes, or a line where that is too much for one page.
func (l *sampleLayout) least() float64 {
	if all := l.height(l.lines()); all <= sampleMost {
		return all
	}
	return 14 + l.lineHeight()
}

// at is where a column begins.
func (l *sampleLayout) at(column int) float64 {
	return pageSide + float64(column)*(l.column()+space)
}

// column is the width of one.
func (l *sampleLayout) column() float64 { return max(l.w, columnLeast) }

func (w *writer) sample(l *sampleLayout) {
	w.room(l.least())
	w.font(9, "B")
	w.black()
	w.text(pageSide, w.y+9, w.fit(l.ID, textWidth-130))
	if l.Scale {
		w.colorBar(pageWidth-pageSide-112, w.y+1)
	}
	w.y += 14
	w.opening(l)
	rest, column := l.Methods, l.lead
	for column > 0 || len(rest) > 0 {
		n := min(len(rest), l.columns-column)
		w.methodLine(l, rest[:n], column)
		if rest, column = rest[n:], 0; len(rest) > 0 {
			w.room(l.lineHeight())
		}
	}
	w.y += 4
	w.room(legendStep * float64(l.legendLines()))
	w.legend(l.Sample)
	w.y += 10
}

// opening sets image and truth, one under the other where there is a second row.
func (w *writer) opening(l *sampleLayout) {
	x, y := l.at(0), w.y+textBelow
	w.picture(l.Image, x, y, l.w, l.h)
	w.tileText(x, y+l.h, l.column(), "image")
	if l.Truth == nil {
		return
	}
	if l.lead > 1 {
		x = l.at(1)
	} else {
		y += l.h + textBelow
	}
	w.picture(l.Truth, x, y, l.w, l.h)
	w.tileText(x, y+l.h, l.column(), "truth")
}

// methodLine sets the pictures of methods side by side from a column on, one kind under the other.
func (w *writer) methodLine(l *sampleLayout, methods []string, from int) {
	for i, name := range methods {
		w.font(7.5, "B")
		w.black()
		w.text(l.at(from+i), w.y+8, w.fit(name, l.column()))
	}
	w.y += textBelow
	for _, k := range l.Kinds {
		for i, name := range methods {
			if e, ok := l.See(k, name); ok {
				w.picture(e.Image, l.at(from+i), w.y, l.w, l.h)
				w.tileText(l.at(from+i), w.y+l.h, l.column(), e.Text)
			}
		}
		w.y += l.h + textBelow
	}
	if len(l.Kinds) == 0 {
		w.y += l.h + textBelow
	}
}

func (w *writer) tileText(x, y, width float64, text string) {
	w.font(6.5, "")
	w.color(draw.Faint)
	w.text(x, y+7.5, w.fit(text, width))
}

// colorBar is the scale of similarity maps.
func (w *writer) colorBar(x, y float64) {
	w.font(6.5, "")
	w.color(draw.Faint)
	w.text(x, y+7, "similarity 0")
	left := x + w.width("similarity 0 ")
	for i := range 64 {
		c := draw.Jet[255*i/63]
		w.f.SetFillColor(int(c.R), int(c.G), int(c.B))
		w.f.Rect(left+float64(i), y+1.5, 1.1, 6, "F")
	}
	w.text(left+67, y+7, "1")
}

// legendColumns is how many entries of a legend stand side by side.
const legendColumns = 6

// legendLines is the number of lines of the legend.
func (m *Sample) legendLines() int {
	n := (len(m.Legend) + legendColumns - 1) / legendColumns
	if m.More > 0 {
		n++
	}
	return n
}

// legend names the colours of a sample.
func (w *writer) legend(m *Sample) {
	const col = textWidth / float64(legendColumns)
	for i, e := range m.Legend {
		at, top := pageSide+float64(i%legendColumns)*col, w.y+float64(i/legendColumns)*legendStep
		w.f.SetFillColor(int(e.Color.R), int(e.Color.G), int(e.Color.B))
		w.f.SetDrawColor(120, 120, 120)
		w.f.SetLineWidth(0.3)
		w.f.Rect(at, top+1, 6, 6, "FD")
		w.font(6.5, "")
		w.black()
		w.text(at+9, top+6.5, w.fit(e.Name, col-12))
	}
	w.y += legendStep * float64(m.legendLines())
	if m.More > 0 {
		w.font(6.5, "")
		w.black()
		w.text(pageSide, w.y-legendStep+6.5, fmt.Sprintf("and %d classes more", m.More))
	}
}

// picture sets a picture into the page itself, which keeps the order of equal documents equal. Those of at most 256
// colours stay exact, others become photographs.
func (w *writer) picture(img image.Image, x, y, width, height float64) {
	var data bytes.Buffer
	text := ascii85.NewEncoder(&data)
	form := "/CS /RGB /F [/A85 /DCT]"
	var err error
	if m, ok := img.(*image.Paletted); ok {
		form = fmt.Sprintf("/CS [/I /RGB %d <%s>] /F [/A85 /Fl]", len(m.Palette)-1,
			hex.EncodeToString(colors(m.Palette)))
		packed := zlib.NewWriter(text)
		for line := range m.Rect.Dy() {
			packed.Write(m.Pix[line*m.Stride:][:m.Rect.Dx()])
		}
		err = packed.Close()
	} else {
		err = jpeg.Encode(text, img, &jpeg.Options{Quality: 85})
	}
	if text.Close(); err != nil {
		w.f.SetError(err) // larger than a JPEG can be
		return
	}
	b := img.Bounds()
	w.f.RawWriteStr(fmt.Sprintf("q %.3f 0 0 %.3f %.3f %.3f cm BI /W %d /H %d /BPC 8 %s ID\n%s~>\nEI Q",
		width, height, x, w.high-y-height, b.Dx(), b.Dy(), form, data.Bytes()))
}

// colors are the bytes of a palette.
func colors(p color.Palette) []byte {
	var out []byte
	for _, c := range p {
		k := color.RGBAModel.Convert(c).(color.RGBA)
		out = append(out, k.R, k.G, k.B)
	}
	return out
}
