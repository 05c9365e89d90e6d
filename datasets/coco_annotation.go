package datasets

import (
	"errors"
	"fmt"

	"ovbench/datasets/jsonscan"
	"ovbench/datasets/mask"
)

// A cocoAnnotation is one object, or one picture of a panoptic file.
type cocoAnnotation struct {
	id       int64
	crowd    bool
	box      []float64 // x, y, width, height in pixels from 0
	polygons [][]float64
	runs     *cocoRuns // instead of polygons
	file     string
	segments []cocoSegment

	label uint16
}

type cocoSegment struct{ id, category int64 }

// cocoRuns are {"counts": …, "size": [h, w]}.
type cocoRuns struct {
	size   []int64
	text   string
	counts []uint32 // nil if text has them
}

// parseAnnotation reads what this package needs of an annotation.
func parseAnnotation(data []byte) (a cocoAnnotation, err error) {
	a.id = absent
	s := jsonscan.Of(data)
	return a, byKey(s, func(key string) error { return a.field(s, key) })
}

// byKey reads an object: read skips a value or says what is wrong with it, and errors name its key.
func byKey(s *jsonscan.Scanner, read func(key string) error) error {
	return s.Object(func(key []byte) error {
		name := string(key) // key changes with what is read
		if err := read(name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
}

func (a *cocoAnnotation) field(s *jsonscan.Scanner, key string) (err error) {
	if s.Null() {
		return nil
	}
	switch key {
	case "id":
		a.id, err = annotationID(s)
	case "iscrowd":
		var crowd int64
		crowd, err = s.Integer()
		a.crowd = crowd != 0
	case "bbox":
		a.box, err = floats(s)
	case "segmentation":
		if s.Next() == '{' {
			a.runs, err = parseRuns(s)
			break
		}
		err = s.Array(func() error {
			if s.Next() != '[' {
				return s.Errorf("want a list of polygons, each a list of numbers")
			}
			polygon, err := floats(s)
			a.polygons = append(a.polygons, polygon)
			return err
		})
	case "file_name":
		a.file, err = s.Text()
	case "segments_info":
		err = s.Array(func() error { return a.segment(s) })
	default:
		err = s.Skip()
	}
	return err
}

func floats(s *jsonscan.Scanner) (out []float64, err error) {
	return out, s.Array(func() error {
		v, err := s.Float()
		out = append(out, v)
		return err
	})
}

func (a *cocoAnnotation) segment(s *jsonscan.Scanner) error {
	var g cocoSegment
	err := byKey(s, func(key string) (err error) {
		switch key {
		case "id":
			g.id, err = s.Integer()
		case "category_id":
			g.category, err = s.Integer()
		default:
			err = s.Skip()
		}
		return err
	})
	a.segments = append(a.segments, g)
	return err
}

func parseRuns(s *jsonscan.Scanner) (*cocoRuns, error) {
	var r cocoRuns
	return &r, byKey(s, func(key string) (err error) {
		switch key {
		case "size":
			err = s.Array(func() error {
				v, err := s.Integer()
				r.size = append(r.size, v)
				return err
			})
		case "counts":
			if s.Next() == '"' {
				r.text, err = s.Text()
				break
			}
			r.counts = []uint32{}
			err = s.Array(func() error {
				v, err := s.Integer()
				if err == nil && (v < 0 || v > 1<<31) {
					err = s.Errorf("a run of %d pixels, want whole numbers from 0", v)
				}
				r.counts = append(r.counts, uint32(v))
				return err
			})
		default:
			err = s.Skip()
		}
		return err
	})
}

// mask is the mask on a picture of h x w pixels.
func (r *cocoRuns) mask(h, w int) (mask.RLE, error) {
	switch {
	case len(r.size) != 2 || r.size[0] != int64(h) || r.size[1] != int64(w):
		return mask.RLE{}, fmt.Errorf("segmentation of size %v, want [height, width] of the picture, [%d %d]", r.size,
			h, w)
	case r.counts != nil:
		return mask.New(r.counts, h, w)
	case r.text == "":
		return mask.RLE{}, errors.New("segmentation without counts")
	}
	return mask.Decode(r.text, h, w)
}

// mask is the annotation's mask on a picture of h x w pixels; ok is false if it has none. It is written as a list of
// polygons, as run lengths, or as compressed run lengths, whatever iscrowd says.
func (a *cocoAnnotation) mask(h, w int) (m mask.RLE, ok bool, err error) {
	switch {
	case a.runs != nil:
		m, err = a.runs.mask(h, w)
	case len(a.polygons) > 0:
		m, err = mask.FillPolygons(a.polygons, h, w)
	default:
		return m, false, nil
	}
	return m, true, err
}

// object is the annotation on a picture of h x w pixels. Without bbox the box is that of the mask.
func (a *cocoAnnotation) object(h, w int) (Object, error) {
	m, ok, err := a.mask(h, w)
	if err != nil {
		return Object{}, err
	}
	o := Object{Class: int(a.label), Crowd: a.crowd, Mask: m}
	switch {
	case len(a.box) == 4 && a.box[2] >= 0 && a.box[3] >= 0:
		o.X0, o.Y0, o.X1, o.Y1 = a.box[0], a.box[1], a.box[0]+a.box[2], a.box[1]+a.box[3]
	case len(a.box) == 0 && ok:
		x0, y0, x1, y1 := m.Box()
		o.X0, o.Y0, o.X1, o.Y1 = float64(x0), float64(y0), float64(x1), float64(y1)
	default:
		return Object{}, fmt.Errorf("bbox %v, want x, y, width and height", a.box)
	}
	return o, nil
}
