package datasets

import (
	"errors"
	"fmt"
	"path/filepath"
)

// cocoPanoptic has a PNG and a list of segments for each picture: a pixel's segment is R + 256 G + 65536 B, 0 is void;
// the list gives each segment its category (github.com/cocodataset/panopticapi). It is immutable.
type cocoPanoptic struct {
	info             Info
	pictures, labels string // directories
	file             *cocoFile
	categories       map[int64]uint16
	orientation      Orientation
}

// cocoPanopticForm is the only form of the panoptic truth.
func cocoPanopticForm(t cocoTree, info Info) (Dataset, error) {
	name := t.file("annotations/panoptic_" + t.split + ".json")
	if !exists(name) {
		return nil, nil
	}
	dir := dirWith(t.root, "annotations/panoptic_"+t.split, "panoptic_"+t.split)
	if dir == "" {
		return nil, fmt.Errorf("%s is there, but no directory annotations/panoptic_%s beside it; unpack panoptic_%[2]s.zip", name, t.split)
	}
	file, err := openCOCOFile(name, nil, cocoThings, cocoPanopticStuff)
	if err != nil {
		return nil, err
	}
	for _, img := range file.images {
		if n := img.last - img.first; n != 1 {
			return nil, fmt.Errorf("%s: image %d has %d annotations, want one with all its segments", name, img.id, n)
		}
	}
	info.ListSHA256 = listSHA256(file.ids())
	return &cocoPanoptic{info, t.pictures, dir, file, cocoLabels(0, cocoThings, cocoPanopticStuff), t.orientation}, nil
}

func (d *cocoPanoptic) Info() Info      { return cloneInfo(d.info) }
func (d *cocoPanoptic) Len() int        { return len(d.file.images) }
func (d *cocoPanoptic) ID(i int) string { return stem(d.file.images[i].file) }

func (d *cocoPanoptic) Files(i int) (imagePath, labelPath string) {
	return filepath.Join(d.pictures, d.file.images[i].file), filepath.Join(d.labels, d.ID(i)+".png")
}

func (d *cocoPanoptic) At(i int) (Sample, error) {
	if i < 0 || i >= d.Len() {
		return Sample{}, fmt.Errorf("%s: sample %d of %d", d.info.Name, i, d.Len())
	}
	s, err := d.at(i)
	if err != nil {
		return Sample{}, fmt.Errorf("%s: %w", d.info.Name, err)
	}
	return s, nil
}

func (d *cocoPanoptic) at(i int) (s Sample, err error) {
	img := &d.file.images[i]
	s.ID = d.ID(i)
	s.ImagePath, s.LabelPath = d.Files(i)
	if s.Image, err = d.file.readPicture(s.ImagePath, img, d.orientation); err != nil {
		return Sample{}, err
	}
	segments, err := d.segments(img)
	if err != nil {
		return Sample{}, err
	}
	s.Labels, err = readPanoptic(s.LabelPath, segments)
	if err != nil {
		return Sample{}, err
	}
	return s, checkSizes(s.ImagePath, s.LabelPath, img.w, img.h, s.Labels.W, s.Labels.H)
}

// segments are the labels of a picture's segments.
func (d *cocoPanoptic) segments(img *cocoImage) (map[uint32]uint16, error) {
	labels := map[uint32]uint16{0: Ignore}
	err := d.file.each(img, func(a cocoAnnotation) error {
		if a.File != "" && stem(a.File) != stem(img.file) {
			return fmt.Errorf("the label map of %s is %s", img.file, a.File)
		}
		for _, s := range a.Segments {
			label, ok := d.categories[s.Category]
			if !ok {
				return fmt.Errorf("segment %d has category %d, which is none of the %d there are", s.ID, s.Category, len(d.categories))
			}
			if s.ID <= 0 || s.ID >= 1<<24 {
				return fmt.Errorf("segment %d does not fit into the three bytes of a pixel", s.ID)
			}
			if _, ok := labels[uint32(s.ID)]; ok {
				return fmt.Errorf("segment %d is listed twice", s.ID)
			}
			labels[uint32(s.ID)] = label
		}
		return nil
	})
	return labels, err
}

// readPanoptic reads a panoptic PNG and gives each segment its label.
func readPanoptic(path string, segments map[uint32]uint16) (Labels, error) {
	data, err := readBounded(path, MaxFileBytes)
	if err != nil {
		return Labels{}, err
	}
	l, err := decodePanoptic(data, segments)
	if err != nil {
		return Labels{}, fmt.Errorf("%s: %w", path, err)
	}
	return l, nil
}

// Fields of a PNG's header; see pngGrey.
const (
	pngRGB  = 2
	pngRGBA = 6
)

func decodePanoptic(data []byte, segments map[uint32]uint16) (Labels, error) {
	kind, err := sniff(data)
	if err != nil {
		return Labels{}, err
	}
	if kind != kindPNG || data[24] != 8 || data[25] != pngRGB && data[25] != pngRGBA {
		return Labels{}, errors.New("panoptic label maps are RGB PNG of 8 bits, whose colours are segment numbers; use the data set's own files")
	}
	if err := checkHeader(data, kind); err != nil {
		return Labels{}, err
	}
	m, err := decodePNG(data)
	if err != nil {
		return Labels{}, err
	}
	l := Labels{W: m.Rect.Dx(), H: m.Rect.Dy()}
	l.Pix = make([]uint16, l.W*l.H)
	last, label := uint32(0), segments[0]
	for p := range l.Pix {
		px := m.Pix[4*p : 4*p+3]
		if id := uint32(px[0]) | uint32(px[1])<<8 | uint32(px[2])<<16; id != last {
			var ok bool
			if label, ok = segments[id]; !ok {
				return Labels{}, fmt.Errorf("%w: segment %d at x %d, y %d, which the annotations of the picture lack", ErrLabelValue, id, p%l.W, p/l.W)
			}
			last = id
		}
		l.Pix[p] = label
	}
	return l, nil
}
