package reports

import (
	"fmt"
	"image"
	"image/color"
	_ "image/jpeg" // images of samples
	_ "image/png"  // images, label maps and similarity maps
	"io"
	"path/filepath"
	"slices"

	xdraw "golang.org/x/image/draw"

	"ovbench/reports/draw"
	"ovbench/reports/results"
)

// maxPixels bounds a picture that a run names.
const maxPixels = 1 << 25

// sample is a row of a sheet: pictures of one size, ready to be drawn.
type sample struct {
	id          string
	image       *image.RGBA
	truth       *labels             // nil: none
	predictions map[string]*labels  // by method
	verdicts    map[string]verdict  // by method, of those with truth and prediction of one size
	maps        map[string]saliency // by method
	color       func(label int) color.RGBA
}

// labels is a label map.
type labels struct {
	w, h  int
	at    []uint16
	void  uint16
	color func(label int) color.RGBA
}

// saliency is a similarity map with the class it answers.
type saliency struct {
	class string
	gray  *image.Gray
}

// loadSample reads the files of a panel and fits them into a box of side pixels. Label maps are scaled without mixing
// labels.
func loadSample(r *results.Run, p *results.Panel, side int) (*sample, error) {
	img, err := decodeImage(r, p.Image)
	if err != nil {
		return nil, err
	}
	w, h := fitBox(img.Bounds().Dx(), img.Bounds().Dy(), side)
	s := &sample{id: p.ID, image: draw.Blank(w, h), predictions: map[string]*labels{}, verdicts: map[string]verdict{},
		maps: map[string]saliency{}}
	xdraw.CatmullRom.Scale(s.image, s.image.Rect, img, img.Bounds(), xdraw.Over, nil)
	s.color = paletteOf(r.Dataset(p.Dataset))
	var truth *labels
	if p.Truth != "" {
		if truth, err = loadLabels(r, p.Truth); err != nil {
			return nil, err
		}
		s.truth = truth.scaled(w, h, s.color)
	}
	for method, path := range p.Predictions {
		l, err := loadLabels(r, path)
		if err != nil {
			return nil, err
		}
		if truth != nil && truth.w == l.w && truth.h == l.h {
			s.verdicts[method] = judge(truth, l)
		}
		s.predictions[method] = l.scaled(w, h, s.color)
	}
	for _, m := range chooseMaps(p.Maps) {
		img, err := decodeImage(r, m.Path)
		if err != nil {
			return nil, err
		}
		gray := image.NewGray(s.image.Rect)
		xdraw.BiLinear.Scale(gray, gray.Rect, img, img.Bounds(), xdraw.Src, nil)
		s.maps[m.Method] = saliency{m.Class, gray}
	}
	return s, nil
}

// chooseMaps picks one map per method: of the class that most methods have (the first of several), else the method's
// first.
func chooseMaps(all []results.PanelMap) []results.PanelMap {
	count := map[string]int{}
	for _, m := range all {
		count[m.Class]++
	}
	best := ""
	for i, m := range all {
		if i == 0 || count[m.Class] > count[best] {
			best = m.Class
		}
	}
	var out []results.PanelMap
	for _, m := range all {
		i := slices.IndexFunc(out, func(o results.PanelMap) bool { return o.Method == m.Method })
		if i < 0 {
			out = append(out, m)
		} else if m.Class == best && out[i].Class != best {
			out[i] = m
		}
	}
	return out
}

// fitBox is the size of a w x h picture scaled to fit into a square of side pixels.
func fitBox(w, h, side int) (int, int) {
	if w >= h {
		return side, max(1, (h*side+w/2)/w)
	}
	return max(1, (w*side+h/2)/h), side
}

// decodeImage decodes a picture of the run folder whose header promises a bearable size.
func decodeImage(r *results.Run, path string) (image.Image, error) {
	f, err := r.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	name := filepath.Join(r.Dir, filepath.FromSlash(path))
	c, _, err := image.DecodeConfig(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; panels are PNG or JPEG files", name, err)
	}
	if c.Width <= 0 || c.Height <= 0 || c.Width > maxPixels/c.Height {
		return nil, fmt.Errorf("%s: %d x %d pixels; at most %d in all are drawn", name, c.Width, c.Height, maxPixels)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	img, _, err := image.Decode(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return img, nil
}

// loadLabels reads a label map as it is.
func loadLabels(r *results.Run, path string) (*labels, error) {
	img, err := decodeImage(r, path)
	if err != nil {
		return nil, err
	}
	b := img.Bounds()
	out := &labels{w: b.Dx(), h: b.Dy(), at: make([]uint16, b.Dx()*b.Dy()), void: draw.Void8}
	var at func(x, y int) uint16
	switch m := img.(type) {
	case *image.Paletted:
		at = func(x, y int) uint16 { return uint16(m.Pix[m.PixOffset(x, y)]) }
	case *image.Gray:
		at = func(x, y int) uint16 { return uint16(m.Pix[m.PixOffset(x, y)]) }
	case *image.Gray16:
		at = func(x, y int) uint16 { return m.Gray16At(x, y).Y }
		out.void = draw.Void16
	default:
		return nil, fmt.Errorf("%s: a label map has a palette or grey values, this one has colours",
			filepath.Join(r.Dir, filepath.FromSlash(path)))
	}
	for y := range out.h {
		for x := range out.w {
			out.at[y*out.w+x] = at(b.Min.X+x, b.Min.Y+y)
		}
	}
	return out, nil
}

// scaled is l at w x h pixels, each with the label at its centre, in colours.
func (l *labels) scaled(w, h int, color func(int) color.RGBA) *labels {
	out := &labels{w: w, h: h, at: make([]uint16, w*h), void: l.void, color: color}
	for y := range h {
		for x := range w {
			out.at[y*w+x] = l.at[(2*y+1)*l.h/(2*h)*l.w+(2*x+1)*l.w/(2*w)]
		}
	}
	return out
}

// picture is a label map in its colours, with a palette where it has one of at most 256.
func (l *labels) picture() image.Image {
	index := map[uint16]uint8{}
	out := image.NewPaletted(image.Rect(0, 0, l.w, l.h), nil)
	for i, x := range l.at {
		k, ok := index[x]
		if !ok {
			if len(out.Palette) == 256 {
				return l.colored()
			}
			k = uint8(len(out.Palette))
			index[x] = k
			out.Palette = append(out.Palette, l.color(int(x)))
		}
		out.Pix[i] = k
	}
	return out
}

func (l *labels) colored() *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, l.w, l.h))
	for i, x := range l.at {
		k := l.color(int(x))
		copy(m.Pix[4*i:], []uint8{k.R, k.G, k.B, 255})
	}
	return m
}
