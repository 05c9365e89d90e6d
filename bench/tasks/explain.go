package tasks

import (
	"fmt"
	"math"
	"slices"

	"ovbench/bench/records"
	"ovbench/datasets"
	"ovbench/datasets/labelmap"
	"ovbench/datasets/mask"
	"ovbench/metrics"
	"ovbench/runners/methods"
)

// explain scores the map of each class that is present, each for itself: foreground IoU at a searched threshold,
// contrast, pixel precision, the pointing game. The background of a data set is no class here. Where a data set knows
// things and no pixels, as VOC 2007 test does, there is the pointing game alone.
type explain struct{}

func (explain) Needs() Needs { return Needs{Whole: true, Surgery: true, Classes: classesPresent} }

// classesPresent are those in the truth of a sample.
func classesPresent(v *View) ([]int, error) {
	classes := append(present(v.Sample.Labels.Pix, v.Info), withObjects(v.Sample.Objects)...)
	for _, p := range v.Sample.Points {
		classes = append(classes, p.Class)
	}
	slices.Sort(classes)
	return slices.Compact(classes), nil
}

func (explain) Check(s datasets.Sample) error {
	if s.Labels.W == 0 && s.Objects == nil && s.Points == nil {
		return fmt.Errorf("it has neither label maps nor boxes nor judged points, of which task explain needs one")
	}
	return nil
}

func (explain) Measure(v *View) (Measured, error) {
	return v.each(func(s *Seen) (records.Evidence, error) { return explainOne(v, s) })
}

// explainOne scores the maps of one method.
func explainOne(v *View, seen *Seen) (out records.Evidence, err error) {
	s := v.Sample
	w, h := s.Image.Rect.Dx(), s.Image.Rect.Dy()
	labelled, boxed, judged := present(s.Labels.Pix, v.Info), withObjects(s.Objects), judgedPoints(s)
	for class := range v.Info.Classes {
		inLabels, inBoxes := slices.Contains(labelled, class), slices.Contains(boxed, class)
		if !inLabels && !inBoxes && judged[class] == nil {
			continue
		}
		cells, err := v.surgical(seen, class)
		if err != nil {
			return out, err
		}
		saliency, flaw := seen.Map(cells, h, w)
		if flaw == methods.AllNegative || flaw == methods.NotFinite {
			out.Flaws = append(out.Flaws, string(flaw))
		}
		p := pointed{v.Index, class, metrics.ExtentOf(saliency), w, h}
		if inLabels {
			mask := metrics.ClassMask(s.Labels.Pix, uint16(class), labelmap.Ignore)
			if err = addMask(&out, p, saliency, mask); err == nil {
				err = addSquared(&out, p, cells, seen, mask)
			}
		}
		if judged[class] != nil && err == nil {
			var r metrics.PointIoURecord
			r, err = metrics.PointIoUAt(saliency, w, judged[class], v.Index, class)
			out.Judged = append(out.Judged, r)
		}
		if inBoxes && err == nil {
			err = addObjects(&out, p, s.Objects)
		}
		if err != nil {
			return out, err
		}
	}
	return out, nil
}

// judgedPoints are the judged points of a sample by class, in pixels.
func judgedPoints(s datasets.Sample) map[int][]metrics.JudgedPoint {
	w, h := float64(s.Image.Rect.Dx()), float64(s.Image.Rect.Dy())
	out := map[int][]metrics.JudgedPoint{}
	for _, p := range s.Points {
		out[p.Class] = append(out[p.Class], metrics.JudgedPoint{X: min(p.X*w, w-1), Y: min(p.Y*h, h-1), On: p.On})
	}
	return out
}

// pointed is the map of one class in one image of w x h pixels, by its extremes.
type pointed struct {
	image, class int
	extent       metrics.Extent
	w, h         int
}

func (p pointed) at() (x, y float64) {
	return float64(p.extent.Peak % p.w), float64(p.extent.Peak / p.w)
}

func (p pointed) pointRecord(outcome metrics.Outcome) metrics.PointRecord {
	return metrics.PointRecord{Image: p.image, Class: p.class, Outcome: outcome, Tied: p.extent.Peaks > 1}
}

// addMask scores a map against the mask of its class.
func addMask(e *records.Evidence, p pointed, saliency []float32, mask []uint8) error {
	record, err := metrics.Explain(saliency, mask, p.image, p.class)
	if err != nil {
		return err
	}
	energy, err := metrics.EnergyAt(saliency, mask, p.image, p.class)
	if err != nil {
		return err
	}
	x, y := p.at()
	near, err := metrics.PointAt(mask, p.w, x, y, metrics.PointingTolerance)
	if err != nil {
		return err
	}
	in, err := metrics.PointAt(mask, p.w, x, y, 1)
	e.Explain, e.Energy = append(e.Explain, record), append(e.Energy, energy)
	e.Points, e.PointsIn = append(e.Points, p.pointRecord(near)), append(e.PointsIn, p.pointRecord(in))
	return err
}

// squareSide is the size at which the ImageNet-segmentation protocol scores maps, whatever the image is like.
const squareSide = 224

// addSquared scores a map by the ImageNet-segmentation protocol: map and mask at 224 x 224, the mask by Pillow's
// nearest neighbour, which takes the pixel that holds the centre.
func addSquared(e *records.Evidence, p pointed, cells []float32, seen *Seen, mask []uint8) error {
	saliency, _ := seen.Map(cells, squareSide, squareSide)
	square := make([]uint8, squareSide*squareSide)
	judged := false
	for y := range squareSide {
		row := (2*y + 1) * p.h / (2 * squareSide) * p.w
		for x := range squareSide {
			v := mask[row+(2*x+1)*p.w/(2*squareSide)]
			square[y*squareSide+x] = v
			judged = judged || v != metrics.Void
		}
	}
	if !judged {
		return nil
	}
	r, err := metrics.ImageNetSegmentationAt(saliency, square, p.image)
	e.Squared = append(e.Squared, r)
	return err
}

// withObjects lists the classes of things, ascending.
func withObjects(objects []datasets.Object) []int {
	var out []int
	for _, o := range objects {
		out = append(out, o.Class)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// addObjects plays the pointing game in TorchRay's form: on the filled boxes of a class or, where its things have
// masks, on their union.
func addObjects(e *records.Evidence, p pointed, objects []datasets.Object) error {
	var (
		boxes []metrics.Box
		area  mask.RLE
		masks bool
	)
	for _, o := range objects {
		if o.Class != p.class {
			continue
		}
		boxes = append(boxes, boxOf(o))
		if o.Mask.Area() > 0 {
			if masks {
				area = area.Union(o.Mask)
			} else {
				area, masks = o.Mask, true
			}
		}
	}
	x, y := p.at()
	if !masks {
		outcome, err := metrics.PointAtBoxes(boxes, p.w, p.h, x, y, metrics.PointingTolerance)
		e.Boxes = append(e.Boxes, p.pointRecord(outcome))
		return err
	}
	painted := make([]uint16, p.w*p.h)
	area.Paint(painted, 1)
	mask := make([]uint8, len(painted))
	for i, v := range painted {
		mask[i] = uint8(v)
	}
	outcome, err := metrics.PointAt(mask, p.w, x, y, metrics.PointingTolerance)
	e.Masks = append(e.Masks, p.pointRecord(outcome))
	return err
}

// boxOf is a box in VOC's numbers: pixels from 1, both corners inside, fractions cut off.
func boxOf(o datasets.Object) metrics.Box {
	return metrics.Box{
		XMin: int(math.Floor(o.X0)) + 1, YMin: int(math.Floor(o.Y0)) + 1,
		XMax: int(math.Floor(o.X1)), YMax: int(math.Floor(o.Y1)), Difficult: o.Difficult,
	}
}

// present lists the classes of a label map, without the background.
func present(labels []uint16, info datasets.Info) []int {
	seen := make([]bool, len(info.Classes))
	for _, v := range labels {
		if int(v) < len(seen) {
			seen[v] = true
		}
	}
	var out []int
	for c, ok := range seen {
		if ok && !(c == 0 && info.Background) {
			out = append(out, c)
		}
	}
	return out
}
