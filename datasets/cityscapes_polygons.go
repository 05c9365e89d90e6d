package datasets

import (
	"encoding/json"
	"fmt"
	"image"
	"math"
	"strings"

	"ovbench/datasets/files"
	"ovbench/datasets/labelmap"
	"ovbench/datasets/mask"
)

// maxCityscapesJSON bounds *_gtFine_polygons.json, of which the largest has some hundred kilobytes.
const maxCityscapesJSON = 4 << 20

// A cityscapesDrawing is *_gtFine_polygons.json, what people drew: later objects hide earlier ones.
type cityscapesDrawing struct {
	Height  int                `json:"imgHeight"`
	Width   int                `json:"imgWidth"`
	Objects []cityscapesObject `json:"objects"`
}

type cityscapesObject struct {
	Label   string      `json:"label"`
	Polygon [][]float64 `json:"polygon"` // x, y; fractions are cut off
	Deleted any         `json:"deleted"` // 0 or 1, missing in most
}

// cityscapesDrawn reads a drawing and paints it once its size is known to be right.
func cityscapesDrawn(paint func(*cityscapesDrawing) (labelmap.Map, error)) cityscapesReader {
	return func(path, imagePath string, size image.Point) (labelmap.Map, error) {
		data, err := files.Read(path, maxCityscapesJSON)
		if err != nil {
			return labelmap.Map{}, err
		}
		var d cityscapesDrawing
		if err := json.Unmarshal(data, &d); err != nil {
			return labelmap.Map{}, fmt.Errorf("%s: not a drawing of Cityscapes: %w", path, err)
		}
		if err := checkSizes(imagePath, path, size, image.Pt(d.Width, d.Height)); err != nil {
			return labelmap.Map{}, err
		}
		l, err := paint(&d)
		if err != nil {
			return labelmap.Map{}, fmt.Errorf("%s: %w", path, err)
		}
		return l, nil
	}
}

// labelIDs is the map of label ids, pixel for pixel that of cityscapesscripts' json2labelImg with Pillow 13.0.0.
// Width and Height must be those of the picture.
func (d *cityscapesDrawing) labelIDs() (labelmap.Map, error) {
	return d.paint(func(l *CityscapesLabel, _ bool) (int, error) { return l.ID, nil })
}

// instanceIDs is that of json2instanceImg: 1000*id + n for the n-th thing, from 0, of a label with instances, and the
// label id for groups and all else.
func (d *cityscapesDrawing) instanceIDs() (labelmap.Map, error) {
	var count [cityscapesIDs]int
	return d.paint(func(l *CityscapesLabel, group bool) (int, error) {
		if !l.Instances || group {
			return l.ID, nil
		}
		n := count[l.ID]
		if count[l.ID]++; n == cityscapesPerLabel {
			return 0, fmt.Errorf("more than %d things called %s, for which instance ids have no room",
				cityscapesPerLabel, l.Name)
		}
		return cityscapesPerLabel*l.ID + n, nil
	})
}

// paint draws the objects in order, each in the value of its label.
func (d *cityscapesDrawing) paint(value func(l *CityscapesLabel, group bool) (int, error)) (labelmap.Map, error) {
	m := labelmap.Map{W: d.Width, H: d.Height, Pix: make([]uint16, d.Width*d.Height)}
	for i := range d.Objects {
		o := &d.Objects[i]
		if o.deleted() {
			continue
		}
		label, group := cityscapesNamed(o.Label)
		if label == nil {
			return labelmap.Map{}, fmt.Errorf("object %d: label %q is not one of Cityscapes'", i, o.Label)
		}
		if label.ID < 0 {
			continue
		}
		points, err := o.points()
		if err != nil {
			return labelmap.Map{}, fmt.Errorf("object %d, %s: %w", i, o.Label, err)
		}
		v, err := value(label, group)
		if err != nil {
			return labelmap.Map{}, fmt.Errorf("object %d: %w", i, err)
		}
		mask.FillPillow(points, m.W, m.H, func(y, x0, x1 int) {
			row := m.Pix[y*m.W:]
			for x := x0; x <= x1; x++ {
				row[x] = uint16(v)
			}
		})
	}
	return m, nil
}

// deleted says whether the mark is there and not zero, false or empty.
func (o *cityscapesObject) deleted() bool {
	switch v := o.Deleted.(type) {
	case nil:
		return false
	case bool:
		return v
	case float64:
		return v != 0
	case string:
		return v != ""
	}
	return true
}

func (o *cityscapesObject) points() ([]image.Point, error) {
	if len(o.Polygon) < 2 {
		return nil, fmt.Errorf("a polygon of %d points; want two or more", len(o.Polygon))
	}
	points := make([]image.Point, len(o.Polygon))
	for i, p := range o.Polygon {
		if len(p) < 2 {
			return nil, fmt.Errorf("point %d has %d coordinates, want x and y", i, len(p))
		}
		if math.Abs(p[0]) > mask.MaxCoordinate || math.Abs(p[1]) > mask.MaxCoordinate {
			return nil, fmt.Errorf("point %d is at %v, %v, more than %v pixels away", i, p[0], p[1],
				float64(mask.MaxCoordinate))
		}
		points[i] = image.Pt(int(p[0]), int(p[1]))
	}
	return points, nil
}

// cityscapesNamed is the label called name; "cargroup", several cars in one outline, is the group of "car".
func cityscapesNamed(name string) (label *CityscapesLabel, group bool) {
	for i := range CityscapesLabels {
		if CityscapesLabels[i].Name == name {
			return &CityscapesLabels[i], false
		}
	}
	if one, ok := strings.CutSuffix(name, "group"); ok {
		label, _ = cityscapesNamed(one)
		return label, true
	}
	return nil, false
}
