package reports

import (
	"bytes"
	"crypto/sha256"
	"encoding/gob"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"math"

	"codeberg.org/go-pdf/fpdf"

	"ovbench/reports/results"
)

// picturePixels is the longer side of a sample's pictures in documents.
const picturePixels = 320

// load reads the pictures of a panel, once for both passes.
func (s *setter) load(r *results.Run, p *results.Panel) (*sample, error) {
	if got, ok := s.samples[p]; ok {
		return got, nil
	}
	got, err := loadSample(r, p, picturePixels)
	if err == nil {
		s.samples[p] = got
	}
	return got, err
}

// panels sets the samples of a data set: image and truth on the left, and beside them the methods, under each what it said,
// how sure it was, and where it erred.
func (s *setter) panels(b panelBlock) error {
	for _, p := range b.panels {
		m, err := s.load(b.run, p)
		if err != nil {
			return err
		}
		s.sample(layOut(b, m))
	}
	return nil
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
	*sample
	methods []string
	kinds   []kind
	lead    int     // columns of image and truth, which open the first line
	columns int     // of a line
	w, h    float64 // of a picture
	key     *legend
}

func layOut(b panelBlock, m *sample) *sampleLayout {
	l := &sampleLayout{sample: m, methods: m.methods(b.run), kinds: m.kinds(), key: newLegend(&sheet{classes: b.dataset.Classes, samples: []*sample{m}}, 100)}
	l.lead = 1
	if m.truth != nil && len(l.kinds) < 2 {
		l.lead = 2
	}
	aspect := float64(m.image.Rect.Dx()) / float64(m.image.Rect.Dy())
	w := min(math.Sqrt(tileArea*aspect), tileMost, tileMost*aspect)
	n := l.lead + len(l.methods)
	most := int((textWidth + space) / (max(tileLeast*w, columnLeast) + space))
	lines := (n + most - 1) / most
	l.columns = (n + lines - 1) / lines
	w = min(w, (textWidth-space*float64(l.columns-1))/float64(l.columns))
	rows := float64(lines * max(1, len(l.kinds)))
	fit := (sampleMost - l.height(lines)) / rows // the height, which was 0, at which all of it stands on one page
	l.h = w / aspect
	l.h = min(l.h, max(fit, tileLeast*l.h))
	l.w = l.h * aspect
	return l
}

// lines is the number of lines it takes.
func (l *sampleLayout) lines() int { return (l.lead + len(l.methods) + l.columns - 1) / l.columns }

// lineHeight is that of a line.
func (l *sampleLayout) lineHeight() float64 {
	return textBelow + float64(max(1, len(l.kinds)))*(l.h+textBelow)
}

// height is that of the sample in so many lines.
func (l *sampleLayout) height(lines int) float64 {
	return 14 + float64(lines)*l.lineHeight() + 4 + legendStep*float64(l.key.lines()) + 10
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

func (s *setter) sample(l *sampleLayout) {
	s.room(l.least())
	s.font(9, "B")
	s.black()
	s.text(pageSide, s.y+9, s.fit(l.id, textWidth-130))
	if len(l.maps) > 0 {
		s.colorBar(pageWidth-pageSide-112, s.y+1)
	}
	s.y += 14
	s.opening(l)
	rest, column := l.methods, l.lead
	for column > 0 || len(rest) > 0 {
		n := min(len(rest), l.columns-column)
		s.methodLine(l, rest[:n], column)
		if rest, column = rest[n:], 0; len(rest) > 0 {
			s.room(l.lineHeight())
		}
	}
	s.y += 4
	s.room(legendStep * float64(l.key.lines()))
	s.legend(l.key)
	s.y += 10
}

// opening sets image and truth, one under the other where there is a second row.
func (s *setter) opening(l *sampleLayout) {
	x, y := l.at(0), s.y+textBelow
	s.picture(photo(l.image), x, y, l.w, l.h)
	s.tileText(x, y+l.h, l.column(), "image")
	if l.truth == nil {
		return
	}
	if l.lead > 1 {
		x = l.at(1)
	} else {
		y += l.h + textBelow
	}
	s.picture(flat(l.truth.picture()), x, y, l.w, l.h)
	s.tileText(x, y+l.h, l.column(), "truth")
}

// methods are those of a run that have a picture of the sample.
func (m *sample) methods(r *results.Run) []string {
	var out []string
	for _, x := range r.Methods {
		if m.predictions[x.Name] != nil || m.maps[x.Name].gray != nil {
			out = append(out, x.Name)
		}
	}
	return out
}

// kinds are what there is to see of the methods of a sample.
func (m *sample) kinds() []kind {
	var out []kind
	if len(m.predictions) > 0 {
		out = append(out, labelKind)
	}
	if len(m.maps) > 0 {
		out = append(out, heatKind)
	}
	if len(m.predictions) > 0 && m.truth != nil {
		out = append(out, errorKind)
	}
	return out
}

// methodLine sets the pictures of methods side by side from a column on, one kind under the other.
func (s *setter) methodLine(l *sampleLayout, methods []string, from int) {
	for i, name := range methods {
		s.font(7.5, "B")
		s.black()
		s.text(l.at(from+i), s.y+8, s.fit(name, l.column()))
	}
	s.y += textBelow
	for _, k := range l.kinds {
		for i, name := range methods {
			if e, text, ok := l.see(k, name); ok {
				s.picture(e, l.at(from+i), s.y, l.w, l.h)
				s.tileText(l.at(from+i), s.y+l.h, l.column(), text)
			}
		}
		s.y += l.h + textBelow
	}
	if len(l.kinds) == 0 {
		s.y += l.h + textBelow
	}
}

// see is what there is to see of a method, and what is to be said about it.
func (m *sample) see(k kind, method string) (e encoded, text string, ok bool) {
	switch k {
	case labelKind:
		if l := m.predictions[method]; l != nil {
			return flat(l.picture()), m.verdicts[method].mIoU(), true
		}
	case heatKind:
		if g := m.maps[method]; g.gray != nil {
			return photo(blend(m.image, g.gray)), g.class, true
		}
	case errorKind:
		if wrong := m.wrong(method); wrong != nil {
			return flat(wrong), m.verdicts[method].wrongs(), true
		}
	}
	return encoded{}, "", false
}

func (s *setter) tileText(x, y, width float64, text string) {
	s.font(6.5, "")
	s.color(faint.R, faint.G, faint.B)
	s.text(x, y+7.5, s.fit(text, width))
}

// colorBar is the scale of similarity maps.
func (s *setter) colorBar(x, y float64) {
	s.font(6.5, "")
	s.color(faint.R, faint.G, faint.B)
	s.text(x, y+7, "similarity 0")
	left := x + s.width("similarity 0 ")
	for i := range 64 {
		c := jet[255*i/63]
		s.f.SetFillColor(int(c.R), int(c.G), int(c.B))
		s.f.Rect(left+float64(i), y+1.5, 1.1, 6, "F")
	}
	s.text(left+67, y+7, "1")
}

// legendColumns is how many entries of a legend stand side by side.
const legendColumns = 6

// lines is the number of lines of a legend.
func (k *legend) lines() int {
	n := (len(k.entries) + legendColumns - 1) / legendColumns
	if k.more > 0 {
		n++
	}
	return n
}

// legend names the colours of a sample.
func (s *setter) legend(key *legend) {
	const col = textWidth / float64(legendColumns)
	for i, e := range key.entries {
		at, top := pageSide+float64(i%legendColumns)*col, s.y+float64(i/legendColumns)*legendStep
		s.f.SetFillColor(int(e.color.R), int(e.color.G), int(e.color.B))
		s.f.SetDrawColor(120, 120, 120)
		s.f.SetLineWidth(0.3)
		s.f.Rect(at, top+1, 6, 6, "FD")
		s.font(6.5, "")
		s.black()
		s.text(at+9, top+6.5, s.fit(e.name, col-12))
	}
	s.y += legendStep * float64(key.lines())
	if key.more > 0 {
		s.font(6.5, "")
		s.black()
		s.text(pageSide, s.y-legendStep+6.5, fmt.Sprintf("and %d classes more", key.more))
	}
}

// encoded is a picture as a document holds it.
type encoded struct {
	kind string // "jpg" or "png"
	data []byte
}

// photo is for pictures with many colours.
func photo(img image.Image) encoded {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 85}); err != nil {
		panic(err) // no picture here is larger than a JPEG can be
	}
	return encoded{"jpg", b.Bytes()}
}

// flat is for pictures of a few colours, which stay exact.
func flat(img image.Image) encoded {
	var b bytes.Buffer
	e := png.Encoder{CompressionLevel: png.BestCompression}
	if err := e.Encode(&b, paletted(img)); err != nil {
		panic(err) // writing to memory
	}
	return encoded{"png", b.Bytes()}
}

// paletted is img with a palette if it has at most 256 colours.
func paletted(img image.Image) image.Image {
	m, ok := img.(*image.RGBA)
	if !ok {
		return img
	}
	index := map[[4]uint8]uint8{}
	out := image.NewPaletted(m.Rect, nil)
	for i := range out.Pix {
		c := [4]uint8(m.Pix[4*i : 4*i+4])
		k, ok := index[c]
		if !ok {
			if len(out.Palette) == 256 {
				return img
			}
			k = uint8(len(out.Palette))
			index[c] = k
			out.Palette = append(out.Palette, m.At(i%m.Rect.Dx(), i/m.Rect.Dx()))
		}
		out.Pix[i] = k
	}
	return out
}

// picture sets a picture; one that comes again is kept once.
func (s *setter) picture(e encoded, x, y, w, h float64) {
	options := fpdf.ImageOptions{ImageType: e.kind}
	hash := sha256.Sum256(e.data)
	name := string(hash[:])
	if !s.pictures[name] {
		s.pictures[name] = true
		info := s.f.RegisterImageOptionsReader(name, options, bytes.NewReader(e.data))
		if s.f.Err() {
			return
		}
		if err := order(info, len(s.pictures)); err != nil {
			s.f.SetError(err)
			return
		}
	}
	s.f.ImageOptions(name, x, y, w, h, false, options, 0, "")
}

// order makes the n-th picture of a document come after the ones before it. fpdf writes pictures by their width, and those
// of one width in the order of a map, another one each time. Widths are floating-point numbers there and cut to whole ones
// in the file, so that a fraction gives them an order and changes nothing else. Only the encoded form of a picture can be
// changed.
func order(info *fpdf.ImageInfoType, n int) error {
	raw, err := info.GobEncode()
	if err != nil {
		return err
	}
	var data, mask, palette []byte
	var number, bits int
	var width, height, scale, dpi float64
	var space, filter, params string
	var clear []int
	fields := []any{&data, &mask, &number, &width, &height, &space, &palette, &bits, &filter, &params, &clear, &scale, &dpi}
	in := gob.NewDecoder(bytes.NewReader(raw))
	for _, f := range fields {
		if err := in.Decode(f); err != nil {
			return fmt.Errorf("a picture of fpdf has another form than thought: %w", err)
		}
	}
	width += float64(n) / (1 << 20)
	var b bytes.Buffer
	out := gob.NewEncoder(&b)
	for _, f := range fields {
		if err := out.Encode(f); err != nil {
			return err
		}
	}
	return info.GobDecode(b.Bytes())
}
