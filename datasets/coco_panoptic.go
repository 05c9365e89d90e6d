package datasets

import (
	"errors"
	"fmt"
	"image"
	"path/filepath"

	"ovbench/datasets/files"
	"ovbench/datasets/labelmap"
	"ovbench/datasets/picture"
)

// cocoPanoptic is truth in a PNG and a list of segments for each picture: a pixel's segment is R + 256 G + 65536 B, 0
// is void; the list gives each segment its category (github.com/cocodataset/panopticapi). It is immutable.
type cocoPanoptic struct {
	file       *cocoFile
	categories map[int64]uint16
}

// cocoPanopticForm is the only form of the panoptic truth.
func cocoPanopticForm(t cocoTree, info Info) (Dataset, error) {
	name := t.file("annotations/panoptic_" + t.Split + ".json")
	if !exists(name) {
		return nil, nil
	}
	dir := dirWith(t.root, "annotations/panoptic_"+t.Split, "panoptic_"+t.Split)
	if dir == "" {
		return nil, fmt.Errorf("%s is there, but no directory annotations/panoptic_%s beside it; unpack "+
			"panoptic_%[2]s.zip", name, t.Split)
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
	truth := cocoPanoptic{file, cocoLabels(0, cocoThings, cocoPanopticStuff)}
	d := newOnDisk(t.Options, info, file.ids())
	d.files = func(i int) (string, string) {
		return filepath.Join(t.pictures, file.images[i].file), filepath.Join(dir, d.ids[i]+".png")
	}
	d.truth = func(i int, s *Sample) error { return truth.read(file.images[i].sized(s.Image), s) }
	return d, nil
}

func (d cocoPanoptic) read(img *cocoImage, s *Sample) error {
	size := image.Pt(img.w, img.h)
	if err := checkSizes(s.ImagePath, d.file.path, s.Image.Rect.Max, size); err != nil {
		return err
	}
	segments, err := d.segments(img)
	if err != nil {
		return err
	}
	if s.Labels, err = readPanoptic(s.LabelPath, segments); err != nil {
		return err
	}
	return checkSizes(s.ImagePath, s.LabelPath, size, image.Pt(s.Labels.W, s.Labels.H))
}

// segments are the labels of a picture's segments.
func (d cocoPanoptic) segments(img *cocoImage) (map[uint32]uint16, error) {
	labels := map[uint32]uint16{0: labelmap.Ignore}
	err := d.file.each(img, func(a cocoAnnotation) error {
		if a.file != "" && stem(a.file) != stem(img.file) {
			return fmt.Errorf("the label map of %s is %s", img.file, a.file)
		}
		for _, s := range a.segments {
			label, ok := d.categories[s.category]
			if !ok {
				return fmt.Errorf("segment %d has category %d, which is none of the %d there are", s.id, s.category,
					len(d.categories))
			}
			if s.id <= 0 || s.id >= 1<<24 {
				return fmt.Errorf("segment %d does not fit into the three bytes of a pixel", s.id)
			}
			if _, ok := labels[uint32(s.id)]; ok {
				return fmt.Errorf("segment %d is listed twice", s.id)
			}
			labels[uint32(s.id)] = label
		}
		return nil
	})
	return labels, err
}

// readPanoptic reads a panoptic PNG and gives each segment its label.
func readPanoptic(path string, segments map[uint32]uint16) (labelmap.Map, error) {
	data, err := files.Read(path, files.MaxBytes)
	if err != nil {
		return labelmap.Map{}, err
	}
	l, err := decodePanoptic(data, segments)
	if err != nil {
		return labelmap.Map{}, fmt.Errorf("%s: %w", path, err)
	}
	return l, nil
}

func decodePanoptic(data []byte, segments map[uint32]uint16) (labelmap.Map, error) {
	kind, raw, err := picture.Raw(data)
	if err != nil {
		return labelmap.Map{}, err
	}
	_, opaque := raw.(*image.RGBA)
	_, alpha := raw.(*image.NRGBA)
	if kind != picture.PNG || !opaque && !alpha {
		return labelmap.Map{}, errors.New("panoptic label maps are RGB PNG of 8 bits, whose colours are segment " +
			"numbers; use the data set's own files")
	}
	m, err := picture.Decode(data, picture.AsStored)
	if err != nil {
		return labelmap.Map{}, err
	}
	l := labelmap.Map{W: m.Rect.Dx(), H: m.Rect.Dy()}
	l.Pix = make([]uint16, l.W*l.H)
	last, label := uint32(0), segments[0]
	for p := range l.Pix {
		px := m.Pix[4*p : 4*p+3]
		if id := uint32(px[0]) | uint32(px[1])<<8 | uint32(px[2])<<16; id != last {
			var ok bool
			if label, ok = segments[id]; !ok {
				return labelmap.Map{}, fmt.Errorf("%w: segment %d at x %d, y %d, which the annotations of the "+
					"picture lack", labelmap.ErrValue, id, p%l.W, p/l.W)
			}
			last = id
		}
		l.Pix[p] = label
	}
	return l, nil
}
