package tasks

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"

	"ovbench/bench/records"
	"ovbench/datasets"
	"ovbench/datasets/labelmap"
	"ovbench/metrics"
	"ovbench/reports/results"
	"ovbench/runners/resample"
)

// segmentation gives every pixel a class.
type segmentation struct{}

func (segmentation) Needs() Needs { return Needs{} }

func (segmentation) Check(s datasets.Sample) error {
	if s.Labels.W == 0 {
		return fmt.Errorf("it has no label maps, which task segmentation needs")
	}
	return nil
}

func (segmentation) Measure(v *View) (Measured, error) {
	var maps [][]uint16
	m, err := v.each(func(s *Seen) (records.Evidence, error) {
		labels, err := decode(v.Target, v.Sample.Labels.W, v.Sample.Labels.H, &s.Similarity)
		if err != nil {
			return records.Evidence{}, err
		}
		maps = append(maps, labels)
		return labelEvidence(v.Target, v.Index, v.Sample.Labels, labels)
	})
	m.Labels = maps
	return m, err
}

// maxRefined bounds the pixels of a picture whose maps are refined: weights take 64 bytes for each.
const maxRefined = 1 << 25

// decode is the label map of a picture of w x h pixels. Windows are stitched on the input first, and so is a single map whose
// protocol resizes it twice.
func decode(t *Target, w, h int, sim *Similarity) ([]uint16, error) {
	if t.Protocol.PAMR > 0 && w*h > maxRefined {
		return nil, fmt.Errorf("a picture of %dx%d pixels is too large to be refined (%d pixels at most): measure it with protocol.pamr 0", w, h, maxRefined)
	}
	labels := make([]uint16, w*h)
	texts := len(t.Texts)
	once := t.Whole && t.Protocol.DecodeResize != "bilinear-twice"
	if once && t.Protocol.PAMR == 0 {
		t.Rule.Decode(labels, w, h, sim.Patches, sim.Cols, sim.Rows, texts)
		return labels, nil
	}
	m := sim.Stitched
	if once {
		m = func() resample.Mosaic { return resample.Whole(sim.Patches, sim.Cols, sim.Rows, texts, w, h) }
	}
	if t.Protocol.PAMR > 0 {
		m().Refine(labels, w, h, t.Rule, sim.Refiner(w, h), t.Protocol.PAMR)
	} else {
		m().Decode(labels, w, h, t.Rule)
	}
	return labels, nil
}

// labelEvidence compares a label map with its truth.
func labelEvidence(t *Target, index int, truth labelmap.Map, labels []uint16) (records.Evidence, error) {
	classes := len(t.Info.Classes)
	cells, err := metrics.Count(truth.Pix, labels, classes, labelmap.Ignore)
	if err != nil {
		return records.Evidence{}, err
	}
	e := records.Evidence{Confusion: records.ConfusionOf(cells)}
	if 2*classes <= metrics.MaxClasses {
		b, err := metrics.CountBoundary(truth.Pix, labels, truth.W, truth.H, classes, labelmap.Ignore, metrics.DilationRatio)
		if err != nil {
			return records.Evidence{}, err
		}
		e.Boundary = records.AreasOf(b.Boundaries())
	}
	e.Instances, err = instancesOf(t, index, labels)
	return e, err
}

// instancesOf counts the things of a sample, of data sets that tell them apart by Cityscapes' ids. It is nil where the copy
// on disk does not have them.
func instancesOf(t *Target, index int, labels []uint16) (*records.Instances, error) {
	of, ok := t.Dataset.(datasets.Instanced)
	if !ok || len(t.Info.Classes) != len(cityscapesIDs) {
		return nil, nil
	}
	instances, err := of.Instances(index)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	uncounted := slices.Repeat([]uint16{math.MaxUint16}, len(labels)) // the classes are in the confusion
	pred := make([]uint16, len(labels))
	for i, v := range labels {
		pred[i] = math.MaxUint16
		if int(v) < len(cityscapesIDs) {
			pred[i] = cityscapesIDs[v]
		}
	}
	r, err := metrics.CountCityscapes(uncounted, pred, instances.Pix)
	if err != nil {
		return nil, err
	}
	out := &records.Instances{Found: [][4]int64{}}
	for _, x := range r.Instances {
		out.Found = append(out.Found, [4]int64{int64(x.ID), x.Size, x.Class, x.Category})
	}
	return out, nil
}

// cityscapesIDs are the label ids of the 19 classes.
var cityscapesIDs = func() (ids []uint16) {
	for id, l := range metrics.CityscapesLabels {
		if !l.Ignored {
			ids = append(ids, uint16(id))
		}
	}
	return ids
}()

// cityscapesRecord makes the record of Cityscapes' own evaluation from a confusion of the 19 classes. Truth that the
// evaluation ignores is not in it, and counts nowhere.
func cityscapesRecord(cells metrics.Sparse, in *records.Instances) (metrics.CityscapesRecord, error) {
	out := metrics.CityscapesRecord{Weighted: in != nil}
	for _, c := range cells {
		if int(c.Truth) >= len(cityscapesIDs) || int(c.Pred) > len(cityscapesIDs) {
			return out, fmt.Errorf("confusion of %d and %d, with %d classes", c.Truth, c.Pred, len(cityscapesIDs))
		}
		pred := uint16(len(metrics.CityscapesLabels)) // none of the labels
		if int(c.Pred) < len(cityscapesIDs) {
			pred = cityscapesIDs[c.Pred]
		}
		out.Pixels = append(out.Pixels, metrics.Cell{Truth: cityscapesIDs[c.Truth], Pred: pred, Count: c.Count})
	}
	if in == nil {
		return out, nil
	}
	for _, x := range in.Found {
		if x[0] != int64(uint16(x[0])) {
			return out, fmt.Errorf("instance %v has no id", x)
		}
		out.Instances = append(out.Instances, metrics.CityscapesInstance{ID: uint16(x[0]), Size: x[1], Class: x[2], Category: x[3]})
	}
	return out, nil
}

// segmented is what the records of one data set and method say, image by image.
type segmented struct {
	convention metrics.Convention
	classes    int
	images     []metrics.Sparse
	boundaries []metrics.AreaRecord       // nil if some image has none
	cityscapes []metrics.CityscapesRecord // nil unless the convention is Cityscapes', on its classes
}

func (c Context) segmented(recs []records.Record) (*segmented, error) {
	out := &segmented{convention: metrics.MMSeg, classes: len(c.Dataset.Classes)}
	if name, ok := c.field("convention").(string); ok {
		var err error
		if out.convention, err = metrics.FindConvention(name); err != nil {
			return nil, err
		}
	}
	whole := out.convention.Name == metrics.CityscapesIoU.Name && isCityscapes(c.Dataset.Classes)
	bounded := true
	for _, r := range recs {
		e := r.Methods[c.Method]
		cells, err := e.Confusion.Sparse()
		var b metrics.AreaRecord
		if err == nil {
			b, err = records.AreaRecord(e.Boundary)
		}
		var city metrics.CityscapesRecord
		if err == nil && whole {
			city, err = cityscapesRecord(cells, e.Instances)
		}
		if err != nil {
			return nil, fmt.Errorf("the record of %s: %w", r.ID, err)
		}
		bounded = bounded && (len(e.Boundary) > 0 || len(cells) == 0)
		out.images, out.boundaries = append(out.images, cells), append(out.boundaries, b)
		if whole {
			out.cityscapes = append(out.cityscapes, city)
		}
	}
	if !bounded { // measured before there were boundaries, or of too many classes
		out.boundaries = nil
	}
	return out, nil
}

// isCityscapes says whether classes are the 19 of Cityscapes, in their order.
func isCityscapes(classes []string) bool {
	return len(classes) == len(cityscapesIDs) && !slices.ContainsFunc(cityscapesIDs, func(id uint16) bool {
		return classes[slices.Index(cityscapesIDs, id)] != metrics.CityscapesLabels[id].Name
	})
}

func (t segmentation) Score(c Context, recs []records.Record) ([]results.Cell, error) {
	s, err := c.segmented(recs)
	if err != nil {
		return nil, err
	}
	total, err := metrics.NewConfusion(s.classes)
	if err != nil {
		return nil, err
	}
	for i, image := range s.images {
		if err := total.Add(image); err != nil {
			return nil, fmt.Errorf("the record of %s: %w", recs[i].ID, err)
		}
	}
	cell := results.Cell{Convention: s.convention.Name, Images: len(recs), Confusions: confusions(total), Warnings: c.few(len(recs)), Counts: s.counts()}
	for _, x := range total.Scores(s.convention) {
		cell.Scores = append(cell.Scores, results.Score{Name: x.Name, Value: x.Value})
	}
	more, err := s.more()
	if err != nil {
		return nil, err
	}
	cell.Scores = append(cell.Scores, more...)
	cell.Classes = classRows(c.Dataset.Classes, total.PerClass(s.convention))
	for _, k := range cell.Classes {
		if k.IoU == nil {
			cell.Counts["undefined_classes"]++
		}
	}
	if n, ok := cell.Counts["images_with_instances"]; ok && n < len(recs) {
		cell.Warnings = append(cell.Warnings, fmt.Sprintf("iIoU is left out: %d of %d images have no *_gtFine_instanceIds.png and no polygons", len(recs)-n, len(recs)))
	}
	ms, err := t.Statistics(c, recs)
	if err != nil {
		return nil, err
	}
	c.intervals(&cell, ms)
	return []results.Cell{cell}, nil
}

func classRows(names []string, classes []metrics.ClassScores) (rows []results.ClassScore) {
	for _, k := range classes {
		row := results.ClassScore{Class: names[k.Class], Pixels: k.Truth, Predicted: k.Pred}
		for _, s := range k.Scores {
			value := s.Value
			switch s.Name {
			case "IoU":
				row.IoU = &value
			case "Acc":
				row.Acc = &value
			case "Precision":
				row.Precision = &value
			case "Dice":
				row.Dice = &value
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// counts say what the scores rest on.
func (s *segmented) counts() map[string]int {
	out := map[string]int{"undefined_classes": 0, "void_images": 0}
	for _, image := range s.images {
		if len(image) == 0 {
			out["void_images"]++ // every pixel is ignored
		}
	}
	if s.cityscapes != nil {
		out["images_with_instances"] = 0
		for _, r := range s.cityscapes {
			if r.Weighted {
				out["images_with_instances"]++
			}
		}
	}
	return out
}

// more are the scores beside the pooled confusion: of the images one by one, of boundaries, of Cityscapes.
func (s *segmented) more() (out []results.Score, err error) {
	add := func(name string, value float64, ok bool) {
		if ok {
			out = append(out, results.Score{Name: name, Value: value})
		}
	}
	value, ok := metrics.ImageMIoU(s.images, s.classes, s.convention.OfImages())
	add("mIoU-image", value, ok)
	stat, err := metrics.ImageClassStatistic(s.images, s.classes, s.convention)
	if err != nil {
		return nil, err
	}
	value, ok = stat(once(len(s.images)))
	add("mIoU-image-class", value, ok)
	if s.boundaries != nil {
		sums, err := metrics.NewAreaSums(s.classes)
		if err == nil {
			err = AddAll(sums.Add, s.boundaries)
		}
		if err != nil {
			return nil, err
		}
		value, ok = s.convention.MIoU(sums.Areas())
		add("mBIoU", value, ok)
	}
	if s.cityscapes != nil {
		total := metrics.NewCityscapes()
		if err := AddAll(total.Add, s.cityscapes); err != nil {
			return nil, err
		}
		for _, x := range total.Scores() {
			if x.Name != "mIoU" { // that is the one of the confusion
				add(x.Name, x.Value, true)
			}
		}
	}
	return out, nil
}

// once draws every image one time.
func once(images int) []int32 {
	return slices.Repeat([]int32{1}, images)
}

func (segmentation) Statistics(c Context, recs []records.Record) ([]Statistic, error) {
	s, err := c.segmented(recs)
	if err != nil {
		return nil, err
	}
	var out []Statistic
	add := func(score string, pooled func() (metrics.Statistic, error), each func() ([]float64, error)) {
		out = append(out, Statistic{Convention: s.convention.Name, Score: score, Pooled: pooled, Each: each})
	}
	single := s.convention.OfImages()
	alone := func(of func(metrics.Areas) (float64, bool)) func() ([]float64, error) {
		return func() ([]float64, error) { return s.alone(of) }
	}
	for i, stat := range s.convention.Stats() {
		add(stat.Name, func() (metrics.Statistic, error) { return metrics.AreasStatistic(s.images, s.classes, stat.Of) }, alone(single.Stats()[i].Of))
	}
	add("mIoU-image", func() (metrics.Statistic, error) {
		values, err := s.alone(single.MIoU)
		return meanOfImages(values), err
	}, alone(single.MIoU))
	add("mIoU-image-class", func() (metrics.Statistic, error) {
		return metrics.ImageClassStatistic(s.images, s.classes, s.convention)
	}, alone(single.MIoU))
	for i := range out[len(out)-2:] {
		out[len(out)-2+i].SharesEach = true // with mIoU
	}
	if s.boundaries != nil {
		add("mBIoU", func() (metrics.Statistic, error) {
			return metrics.AreaRecordStatistic(s.boundaries, s.classes, s.convention.MIoU)
		}, nil)
	}
	if s.cityscapes != nil {
		for _, name := range []string{"iIoU", "mIoU_category", "iIoU_category"} {
			add(name, func() (metrics.Statistic, error) { return metrics.CityscapesStatistic(s.cityscapes, name) }, nil)
		}
	}
	return out, nil
}

// alone is a score of each image, NaN where it is undefined.
func (s *segmented) alone(of func(metrics.Areas) (float64, bool)) ([]float64, error) {
	values, ok, err := metrics.ImageScores(s.images, s.classes, of)
	for i := range values {
		if !ok[i] {
			values[i] = math.NaN()
		}
	}
	return values, err
}
