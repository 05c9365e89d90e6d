package datasets

import (
	"encoding/json"
	"errors"
	"fmt"
	"ovbench/datasets/mask"
)

// A cocoAnnotation is one object, or one picture of a panoptic file.
type cocoAnnotation struct {
	ID           int64           `json:"id"`
	Crowd        int             `json:"iscrowd"`
	Box          []float64       `json:"bbox"` // x, y, width, height in pixels from 0
	Segmentation json.RawMessage `json:"segmentation"`

	File     string        `json:"file_name"`
	Segments []cocoSegment `json:"segments_info"`

	label uint16
}

type cocoSegment struct {
	ID       int64 `json:"id"`
	Category int64 `json:"category_id"`
}

// mask is the annotation's mask on a picture of h x w pixels; ok is false if it has none. It is written as a list of
// polygons, as run lengths, or as compressed run lengths, whatever iscrowd says.
func (a *cocoAnnotation) mask(h, w int) (r mask.RLE, ok bool, err error) {
	if len(a.Segmentation) == 0 || string(a.Segmentation) == "null" {
		return mask.RLE{}, false, nil
	}
	if a.Segmentation[0] == '{' {
		r, err = cocoRuns(a.Segmentation, h, w)
		return r, true, err
	}
	var polygons [][]float64
	if err := json.Unmarshal(a.Segmentation, &polygons); err != nil {
		return mask.RLE{}, false, fmt.Errorf("segmentation: want a list of polygons, each a list of numbers: %w", err)
	}
	if len(polygons) == 0 {
		return mask.RLE{}, false, nil
	}
	r, err = mask.FillPolygons(polygons, h, w)
	return r, true, err
}

// cocoRuns reads {"counts": …, "size": [h, w]}.
func cocoRuns(data []byte, h, w int) (mask.RLE, error) {
	var runs struct {
		Counts json.RawMessage `json:"counts"`
		Size   []int           `json:"size"`
	}
	if err := json.Unmarshal(data, &runs); err != nil {
		return mask.RLE{}, fmt.Errorf("segmentation: %w", err)
	}
	if len(runs.Size) != 2 || runs.Size[0] != h || runs.Size[1] != w {
		return mask.RLE{}, fmt.Errorf("segmentation of size %v, want [height, width] of the picture, [%d %d]",
			runs.Size, h, w)
	}
	if len(runs.Counts) == 0 {
		return mask.RLE{}, errors.New("segmentation without counts")
	}
	if runs.Counts[0] == '"' {
		var text string
		if err := json.Unmarshal(runs.Counts, &text); err != nil {
			return mask.RLE{}, fmt.Errorf("segmentation: %w", err)
		}
		return mask.Decode(text, h, w)
	}
	var counts []uint32
	if err := json.Unmarshal(runs.Counts, &counts); err != nil {
		return mask.RLE{}, fmt.Errorf("segmentation: want counts as text or as whole numbers from 0: %w", err)
	}
	return mask.New(counts, h, w)
}

// object is the annotation on a picture of h x w pixels. Without bbox the box is that of the mask.
func (a *cocoAnnotation) object(h, w int) (Object, error) {
	mask, ok, err := a.mask(h, w)
	if err != nil {
		return Object{}, err
	}
	o := Object{Class: int(a.label), Crowd: a.Crowd != 0, Mask: mask}
	switch {
	case len(a.Box) == 4 && a.Box[2] >= 0 && a.Box[3] >= 0:
		o.X0, o.Y0, o.X1, o.Y1 = a.Box[0], a.Box[1], a.Box[0]+a.Box[2], a.Box[1]+a.Box[3]
	case len(a.Box) == 0 && ok:
		x0, y0, x1, y1 := mask.Box()
		o.X0, o.Y0, o.X1, o.Y1 = float64(x0), float64(y0), float64(x1), float64(y1)
	default:
		return Object{}, fmt.Errorf("bbox %v, want x, y, width and height", a.Box)
	}
	return o, nil
}
