package reports

import (
	"bytes"
	"crypto/sha256"
	"encoding/gob"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"slices"

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

// panels sets the samples of a data set: image, truth and the colours in sight, then the methods, and under each what it
// said, how sure it was, and where it erred.
func (s *setter) panels(b panelBlock) error {
	for _, p := range b.panels {
		m, err := s.load(b.run, p)
		if err != nil {
			return err
		}
		s.sample(b, m)
	}
	return nil
}

// manyColors is from how many entries on a legend takes the whole width.
const manyColors = 33

// Sides of the pictures of a sample, four and six of which fill a line.
const (
	space     = 6
	largeTile = (textWidth - 3*space) / 4
	smallTile = (textWidth - 5*space) / 6
)

// sampleHeight is what has to stand on one page: the sample, and a line of methods.
func (s *setter) sampleHeight(m *sample) float64 {
	_, h := m.box(largeTile)
	return h + 40 + s.kindsHeight(m, largeTile)
}

func (s *setter) sample(b panelBlock, m *sample) {
	methods := m.methods(b.run)
	across, tile := 4, largeTile
	if len(methods) > 4 {
		across, tile = 6, smallTile
	}
	const first = largeTile
	w, h := m.box(first)
	s.room(s.sampleHeight(m))
	s.font(9, "B")
	s.black()
	s.text(pageSide, s.y+9, s.fit(m.id, textWidth))
	s.y += 14
	s.picture(photo(m.image), pageSide, s.y, w, h)
	s.tileText(pageSide, s.y+h, w, "image")
	at := pageSide + first + space
	if m.truth != nil {
		s.picture(flat(m.truth.picture()), at, s.y, w, h)
		s.tileText(at, s.y+h, w, "truth")
		at += first + space
	}
	key := newLegend(&sheet{classes: b.dataset.Classes, samples: []*sample{m}}, 100)
	if len(key.entries) <= manyColors {
		bottom := s.legend(key, m, at, s.y, pageWidth-pageSide-at)
		s.y = max(s.y+h+14, bottom+4)
	} else {
		s.y = s.legend(key, m, pageSide, s.y+h+14, textWidth) + 6
	}
	for line := range slices.Chunk(methods, across) {
		s.room(s.kindsHeight(m, tile))
		s.methodLine(m, line, tile)
	}
	s.y += 10
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

// box is the size of a sample's pictures in a square of side.
func (m *sample) box(side float64) (w, h float64) {
	x, y := float64(m.image.Rect.Dx()), float64(m.image.Rect.Dy())
	if x >= y {
		return side, side * y / x
	}
	return side * x / y, side
}

func (s *setter) kindsHeight(m *sample, tile float64) float64 {
	_, h := m.box(tile)
	return float64(len(m.kinds()))*(h+11) + 12
}

// methodLine sets the pictures of methods side by side, one kind under the other.
func (s *setter) methodLine(m *sample, methods []string, tile float64) {
	w, h := m.box(tile)
	for i, name := range methods {
		s.font(7.5, "B")
		s.black()
		s.text(pageSide+float64(i)*(tile+space), s.y+8, s.fit(name, tile))
	}
	s.y += 11
	for _, k := range m.kinds() {
		for i, name := range methods {
			x := pageSide + float64(i)*(tile+space)
			switch k {
			case labelKind:
				if l := m.predictions[name]; l != nil {
					s.picture(flat(l.picture()), x, s.y, w, h)
					s.tileText(x, s.y+h, tile, m.verdicts[name].mIoU())
				}
			case heatKind:
				if g := m.maps[name]; g.gray != nil {
					s.picture(photo(blend(m.image, g.gray)), x, s.y, w, h)
					s.tileText(x, s.y+h, tile, g.class)
				}
			case errorKind:
				if wrong := m.wrong(name); wrong != nil {
					s.picture(flat(wrong), x, s.y, w, h)
					s.tileText(x, s.y+h, tile, m.verdicts[name].wrongs())
				}
			}
		}
		s.y += h + 11
	}
}

func (s *setter) tileText(x, y, width float64, text string) {
	s.font(6.5, "")
	s.color(faint.R, faint.G, faint.B)
	s.text(x, y+7.5, s.fit(text, width))
}

// legend names the colours of a sample beside it, and returns where it ends.
func (s *setter) legend(key *legend, m *sample, x, y, width float64) float64 {
	const step, one = 9.0, 82.0
	across := max(1, int(width/one))
	col := width / float64(across)
	if len(m.maps) > 0 {
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
		y += step + 2
	}
	for i, e := range key.entries {
		at, top := x+float64(i%across)*col, y+float64(i/across)*step
		s.f.SetFillColor(int(e.color.R), int(e.color.G), int(e.color.B))
		s.f.SetDrawColor(120, 120, 120)
		s.f.SetLineWidth(0.3)
		s.f.Rect(at, top+1, 6, 6, "FD")
		s.font(6.5, "")
		s.black()
		s.text(at+9, top+6.5, s.fit(e.name, col-12))
	}
	y += float64((len(key.entries)+across-1)/across) * step
	if key.more > 0 {
		s.font(6.5, "")
		s.text(x, y+6.5, fmt.Sprintf("and %d classes more", key.more))
		y += step
	}
	return y
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
