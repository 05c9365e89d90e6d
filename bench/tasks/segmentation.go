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
	"ovbench/runners/sam"
)

// segmentation gives every pixel a class.
type segmentation struct{}

func (segmentation) Needs() Needs { return Needs{Compares: true, Pixels: true} }

func (segmentation) Check(s datasets.Sample) error {
	if s.Labels.W == 0 {
		return fmt.Errorf("it has no label maps, which task segmentation needs")
	}
	return nil
}

func (segmentation) Measure(v *View) (Measured, error) {
	var maps [][]uint16
	m, err := v.each(func(s *Seen) (records.Evidence, error) {
		labels, err := Decode(v.Target, v.Sample.Labels, &s.Similarity)
		if err == nil && v.Protocol.SAMRefine > 0 {
			err = v.refine(labels, &s.Similarity)
		}
		if err != nil {
			return records.Evidence{}, err
		}
		if s.Settle != nil {
			s.Settle(labels, v.Sample.Labels.W, v.Sample.Labels.H)
		}
		maps = append(maps, labels)
		return LabelEvidence(v.Target, v.Index, v.Sample.Labels, labels)
	})
	m.Labels = maps
	return m, err
}

// maxRefined bounds the pixels of a picture whose maps are refined: weights take 64 bytes for each.
const maxRefined = 1 << 25

// Decode is the label map of a picture, of the size of its truth, which only an oracle looks into. Windows are
// stitched on the input first, and so is a single map whose protocol resizes it twice.
func Decode(t *Target, truth labelmap.Map, sim *Similarity) ([]uint16, error) {
	w, h := truth.W, truth.H
	if (t.Protocol.PAMR > 0 || t.Protocol.SAMRefine > 0) && w*h > maxRefined {
		return nil, fmt.Errorf("a picture of %dx%d pixels is too large to be refined (%d pixels at most): measure it with "+
			"protocol.pamr and protocol.sam_refine 0", w, h, maxRefined)
	}
	labels := make([]uint16, w*h)
	texts, b := len(t.Texts), t.ballot(truth)
	switch {
	case t.Protocol.PAMR > 0:
		t.mosaic(truth, sim, &b).Refine(labels, w, h, b.rule, sim.Refiner(w, h), t.Protocol.PAMR)
	case t.once():
		b.rule.Decode(labels, w, h, b.read(sim.Patches, texts), sim.Cols, sim.Rows, len(b.columns))
	default:
		t.mosaic(truth, sim, &b).Decode(labels, w, h, b.rule)
	}
	return labels, t.hear(labels, w, h, sim)
}

// OnPicture is a stitched map of a picture of w x h pixels as pixels are decided by it.
func (t *Target) OnPicture(m resample.Mosaic, w, h int) resample.Mosaic {
	if one := m.Tiles[0]; t.once() {
		return resample.Whole(one.Logits, one.Cols, one.Rows, m.Queries, w, h)
	}
	return m
}

// hear lets class experts, if the protocol has some, decide pixels of labels that were read without them.
func (t *Target) hear(labels []uint16, w, h int, sim *Similarity) error {
	if !t.Protocol.HasExperts() {
		return nil
	}
	if sim.Experts == nil {
		return errors.New("class experts are to decide pixels, and these maps hold none of their texts")
	}
	claims := resample.NewClaims(w, h)
	err := sim.Experts(func(class int, m resample.Mosaic) error {
		claims.Hear(t.OnPicture(m, w, h), t.Rule, class)
		return nil
	})
	claims.Settle(labels, t.Rule.Threshold)
	return err
}

// once reports whether maps of patches become those of pixels in one step.
func (t *Target) once() bool { return t.Whole && t.Protocol.DecodeResize != "bilinear-twice" }

// mosaic is the map of what competes for the pixels of a picture.
func (t *Target) mosaic(truth labelmap.Map, sim *Similarity, b *ballot) resample.Mosaic {
	if t.once() {
		return b.mosaic(resample.Whole(sim.Patches, sim.Cols, sim.Rows, len(t.Texts), truth.W, truth.H))
	}
	return b.mosaic(sim.Stitched())
}

// refine corrects a label map by a segmenter.
func (v *View) refine(labels []uint16, sim *Similarity) error {
	truth := v.Sample.Labels
	b := v.ballot(truth)
	return v.Refine(sam.LabelMap{W: truth.W, H: truth.H, Classes: len(v.Info.Classes), Labels: labels,
		Probability: v.mosaic(truth, sim, &b).Probabilities(truth.W, truth.H, b.rule)})
}

// LabelEvidence compares a label map with its truth.
func LabelEvidence(t *Target, index int, truth labelmap.Map, labels []uint16) (records.Evidence, error) {
	classes := len(t.Info.Classes)
	cells, err := metrics.Count(truth.Pix, labels, classes, labelmap.Ignore)
	if err != nil {
		return records.Evidence{}, err
	}
	e := records.Evidence{Confusion: cells}
	if 2*classes <= metrics.MaxClasses {
		b, err := metrics.CountBoundary(truth.Pix, labels, truth.W, truth.H, classes, labelmap.Ignore, metrics.DilationRatio)
		if err != nil {
			return records.Evidence{}, err
		}
		e.Boundary = b.Boundaries()
	}
	e.Instances, err = instancesOf(t, index, labels)
	return e, err
}

// instancesOf counts the things of a sample, of data sets that tell them apart by Cityscapes' ids. It is nil where
// the copy on disk does not have them.
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
	return &records.Instances{Found: r.Instances}, nil
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
	out.Instances = in.Found
	return out, nil
}

// Segmented is what is known of the label maps of a data set, image by image.
type Segmented struct {
	Convention metrics.Convention
	Classes    int
	Total      *metrics.Total             // nil where there are label ids of Cityscapes alone
	Void       int                        // images whose every pixel is ignored
	Boundaries *metrics.AreaPool          // nil if some image has none
	Cityscapes []metrics.CityscapesRecord // nil unless the convention is Cityscapes', on its classes
	ImageNetS  []metrics.BoundaryRecord   // nil unless the convention is ImageNet-S's, of files

	areas *metrics.AreaPool // of the images, shared by the scores of all pixels together
}

// NewSegmented is of no images; [Segmented.Add] adds them.
func NewSegmented(convention metrics.Convention, classes int) (s *Segmented, err error) {
	s = &Segmented{Convention: convention, Classes: classes}
	if s.Total, err = metrics.NewTotal(classes); err == nil {
		s.areas, err = metrics.NewAreaPool(classes)
	}
	return s, err
}

// Add adds an image, of which areas are kept.
func (s *Segmented) Add(image metrics.Sparse) error {
	if len(image) == 0 {
		s.Void++
	}
	if err := s.Total.Add(image); err != nil {
		return err
	}
	areas, err := image.Areas(s.Classes)
	if err != nil {
		return err
	}
	return s.areas.Add(areas)
}

// pooled is a score of all pixels of a data set together, under its convention.
func pooled(name, doc string, score func(metrics.Convention, metrics.Areas) (float64, bool)) metric[*Segmented] {
	return metric[*Segmented]{
		name: name, doc: doc, has: func(s *Segmented) bool { return s.Total != nil },
		of: func(s *Segmented) (metrics.Statistic, error) {
			return s.areas.Statistic(func(a metrics.Areas) (float64, bool) { return score(s.Convention, a) }), nil
		},
		each: func(s *Segmented) ([]float64, error) {
			single := s.Convention.OfImages()
			return s.areas.Alone(func(a metrics.Areas) (float64, bool) { return score(single, a) }), nil
		},
	}
}

// segmentationMetrics are the scores of task segmentation.
var segmentationMetrics = slices.Concat([]metric[*Segmented]{
	pooled("mIoU", "mean over classes of intersection over union: pixels that truth and prediction both give to a class, "+
		"divided by those that either gives to it, pooled over the data set", metrics.Convention.MIoU),
	pooled("mAcc", "mean over classes of recall", metrics.Convention.MAcc),
	pooled("aAcc", "share of pixels that are right", alike(metrics.AAcc)),
	pooled("FWIoU", "IoU weighted by the classes' share of pixels", metrics.Convention.FWIoU),
	pooled("mDice", "mean over classes of 2I/(T+P)", alike(metrics.MDice)),
	pooled("Final", "convention ade20k: mean of mIoU and aAcc", metrics.Convention.Final).
		where(func(s *Segmented) bool { return s.Total != nil && s.Convention.Name == metrics.ADE20K.Name }),
	pooled("mIoU-image", "mean over images of the mIoU of each image alone", metrics.Convention.MIoU).
		by(func(s *Segmented) (metrics.Statistic, error) {
			return metrics.MeanStatistic(s.areas.Alone(s.Convention.OfImages().MIoU)), nil
		}),
	pooled("mIoU-image-class", "mean over classes of their mean IoU in single images", metrics.Convention.MIoU).
		by(func(s *Segmented) (metrics.Statistic, error) {
			return s.areas.ClassMeans(s.Convention), nil
		}),
	{name: "mBIoU", doc: "mIoU of the boundaries of classes, 2 % of the image diagonal wide",
		has: func(s *Segmented) bool { return s.Boundaries != nil },
		of: func(s *Segmented) (metrics.Statistic, error) {
			return s.Boundaries.Statistic(s.Convention.MIoU), nil
		}},
	ofCityscapes("mIoU", "").where(func(s *Segmented) bool { return s.Total == nil && s.Cityscapes != nil }),
	ofCityscapes("iIoU", "convention cityscapes: mIoU with things weighted by their size"),
	ofCityscapes("mIoU_category", "convention cityscapes: mIoU of the seven categories"),
	ofCityscapes("iIoU_category", "convention cityscapes: iIoU of the categories of things"),
}, imageNetSMetrics())

// alike is a score that is the same under all conventions.
func alike(score func(metrics.Areas) (float64, bool)) func(metrics.Convention, metrics.Areas) (float64, bool) {
	return func(_ metrics.Convention, a metrics.Areas) (float64, bool) { return score(a) }
}

// where is the metric, of records that have what it needs.
func (m metric[E]) where(has func(E) bool) metric[E] {
	m.has = has
	return m
}

// by is the metric with another value of all images together; single images keep theirs.
func (m metric[E]) by(of func(E) (metrics.Statistic, error)) metric[E] {
	m.of, m.sharesEach = of, true
	return m
}

func ofCityscapes(name, doc string) metric[*Segmented] {
	return metric[*Segmented]{name: name, doc: doc, has: func(s *Segmented) bool { return s.Cityscapes != nil },
		of: func(s *Segmented) (metrics.Statistic, error) { return metrics.CityscapesStatistic(s.Cityscapes, name) }}
}

// imageNetSMetrics are the scores that ImageNet-S's evaluator alone has: of the objects of a size, and of images.
func imageNetSMetrics() (out []metric[*Segmented]) {
	for _, name := range metrics.ImageNetSScores {
		if name == "mIoU" || name == "mBIoU" {
			continue // those of all classes, under the convention
		}
		out = append(out, metric[*Segmented]{
			name: name, bare: true, has: func(s *Segmented) bool { return s.ImageNetS != nil },
			of: func(s *Segmented) (metrics.Statistic, error) {
				return metrics.ImageNetSStatistic(s.ImageNetS, s.Classes, name)
			},
		})
	}
	return out
}

// Shifted names what gives predictions away that are numbered otherwise than the truth; it is nothing where none do.
func (s *Segmented) Shifted() string {
	if s.Total == nil {
		return ""
	}
	by, share := s.Total.Shift()
	if by == 0 {
		return ""
	}
	return fmt.Sprintf("%.0f %% of the pixels are predicted as the class %s the true one: predictions and truth seem to be "+
		"numbered from different numbers, so that every class is scored as its neighbour; number both from 0, or say "+
		"--reduce-zero-label (import: predictions, score: truth)", 100*share, map[int]string{1: "after", -1: "before"}[by])
}

// Statistics lists the scores that the label maps have.
func (s *Segmented) Statistics() []Statistic {
	return statisticsOf(s.Convention.Name, segmentationMetrics, s)
}

func (segmentation) Cells(c Context, recs []records.Record) (_ []Cell, err error) {
	convention := metrics.MMSeg
	if name, ok := c.field("convention").(string); ok {
		if convention, err = metrics.FindConvention(name); err != nil {
			return nil, err
		}
	}
	s, err := NewSegmented(convention, len(c.Dataset.Classes))
	if err != nil {
		return nil, err
	}
	if s.Boundaries, err = metrics.NewAreaPool(s.Classes); err != nil {
		return nil, err
	}
	whole := s.Convention.Name == metrics.CityscapesIoU.Name && isCityscapes(c.Dataset.Classes)
	bounded := true
	for _, r := range recs {
		e, err := r.Evidence(c.Method)
		if err == nil {
			err = s.Add(e.Confusion)
		}
		if err == nil {
			bounded = bounded && (len(e.Boundary) > 0 || len(e.Confusion) == 0)
			err = s.Boundaries.Add(e.Boundary)
		}
		if err != nil {
			return nil, err
		}
		if whole {
			city, err := cityscapesRecord(e.Confusion, e.Instances)
			if err != nil {
				return nil, fmt.Errorf("the record of %s: %w", r.ID, err)
			}
			s.Cityscapes = append(s.Cityscapes, city)
		}
	}
	if !bounded { // measured before there were boundaries, or of too many classes
		s.Boundaries = nil
	}
	return []Cell{
		{s.Convention.Name, s.Statistics(), func(cell *results.Cell) error { return s.describe(cell, c.Dataset.Classes) }},
	}, nil
}

// isCityscapes says whether classes are the 19 of Cityscapes, in their order.
func isCityscapes(classes []string) bool {
	return len(classes) == len(cityscapesIDs) && !slices.ContainsFunc(cityscapesIDs, func(id uint16) bool {
		return classes[slices.Index(cityscapesIDs, id)] != metrics.CityscapesLabels[id].Name
	})
}

// describe adds confusions, classes and counts.
func (s *Segmented) describe(cell *results.Cell, classes []string) error {
	cell.Confusions = confusions(s.Total.Matrix)
	cell.Classes = classRows(classes, s.Convention.PerClass(metrics.AreasOf(s.Total.Matrix)))
	undefined := 0
	for _, k := range cell.Classes {
		if k.IoU == nil {
			undefined++
		}
	}
	cell.Counts["void_images"], cell.Counts["undefined_classes"] = s.Void, undefined
	if shifted := s.Shifted(); shifted != "" {
		cell.Warnings = append(cell.Warnings, shifted)
	}
	if s.Cityscapes == nil {
		return nil
	}
	looked := 0
	for _, r := range s.Cityscapes {
		if r.Weighted {
			looked++
		}
	}
	cell.Counts["images_with_instances"] = looked
	if all := len(s.Cityscapes); looked < all {
		cell.Warnings = append(cell.Warnings,
			fmt.Sprintf("iIoU is left out: %d of %d images have no *_gtFine_instanceIds.png and no polygons", all-looked, all))
	}
	return nil
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
