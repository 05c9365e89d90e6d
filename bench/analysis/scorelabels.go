package analysis

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"ovbench/bench/tasks"
	"ovbench/datasets"
	"ovbench/datasets/labelmap"
	"ovbench/metrics"
	"ovbench/reports/results"
)

// LabelScoring says how label maps made elsewhere are scored.
type LabelScoring struct {
	Truth, Pred string // folders of PNG label maps
	Classes     int
	Ignore      int  // value of the truth that does not count; below 0 the one of the convention
	ReduceZero  bool // of the truth: 0 is ignored, k is class k-1
	Convention  string
	Boundary    bool // Boundary IoU too
	// Resamples of the images for intervals; 0 for none.
	Resamples int
	Seed      uint64

	misnumbered bool // it is known already that the labels are numbered otherwise
}

// defaultIgnore is the void of most data sets.
const defaultIgnore = 255

// FileScores are the scores of predictions made elsewhere.
type FileScores struct {
	Task, Convention string
	Images           int
	Scores           []results.Score
	Classes          []metrics.ClassScores // by label
	ClassNames       []string              // of Classes, where the convention has some
	Counts           map[string]int        // what else a reader must know: unlabelled images, undefined classes
	Warnings         []string
}

// Score is one by name, nil if it is undefined.
func (f *FileScores) Score(name string) *results.Score {
	at := slices.IndexFunc(f.Scores, func(s results.Score) bool { return s.Name == name })
	if at < 0 {
		return nil
	}
	return &f.Scores[at]
}

// ScoreLabels compares two folders of label maps. Every truth needs a prediction of the same size; predictions
// without truth are an error too.
func ScoreLabels(ctx context.Context, s LabelScoring, progress tasks.Progress) (*FileScores, error) {
	convention, err := metrics.FindConvention(s.Convention)
	if err != nil {
		return nil, err
	}
	pairs, ids, notes, err := s.pairs()
	if err != nil {
		return nil, err
	}
	var out *FileScores
	switch {
	case ids:
		out, err = s.cityscapes(ctx, pairs, progress)
	case convention.Name == metrics.ImageNetSIoU.Name:
		out, err = s.imageNetS(ctx, pairs, progress)
	default:
		out, err = s.plain(ctx, pairs, convention, progress)
	}
	if err != nil {
		return nil, err
	}
	out.Warnings = append(notes, out.Warnings...)
	return out, nil
}

// pairs lists truths and predictions. ids says that they are label ids of Cityscapes, notes what is left out.
func (s LabelScoring) pairs() (pairs []filePair, ids bool, notes []string, err error) {
	truths, noteTruth, err := pngFiles(s.Truth)
	if err != nil {
		return nil, false, nil, err
	}
	preds, notePred, err := pngFiles(s.Pred)
	if err != nil {
		return nil, false, nil, err
	}
	if truths, ids, err = s.truths(truths); err != nil {
		return nil, false, nil, err
	}
	pairs, err = pairFiles(truths, preds, s.Truth, s.Pred)
	for _, n := range []string{noteTruth, notePred} {
		if n != "" {
			notes = append(notes, n)
		}
	}
	return pairs, ids, notes, err
}

// plain scores label maps of classes.
func (s LabelScoring) plain(ctx context.Context, pairs []filePair, convention metrics.Convention,
	progress tasks.Progress) (*FileScores, error) {
	ownIgnore := s.Ignore < 0
	if ownIgnore {
		s.Ignore = defaultIgnore
	}
	images, boundaries := make([]metrics.Sparse, len(pairs)), make([]metrics.AreaRecord, len(pairs))
	numbering := s.numbering(convention)
	numbering.Sure = !ownIgnore
	stored := newStoredValues()
	err := eachPair(ctx, pairs, progress, func(i int, truth, pred labelmap.Map) (err error) {
		stored.add(truth, pred)
		if err := s.prepare(truth); err != nil {
			return err
		}
		if numbering.PredFromOne {
			shift(pred.Pix)
		}
		if s.Boundary {
			b, err := metrics.CountBoundary(truth.Pix, pred.Pix, truth.W, truth.H, s.Classes, labelmap.Ignore,
				metrics.DilationRatio)
			if err != nil {
				return err
			}
			boundaries[i] = b.Boundaries()
		}
		images[i], err = metrics.Count(truth.Pix, pred.Pix, s.Classes, labelmap.Ignore)
		return err
	})
	if err != nil {
		return nil, err
	}
	warnings, err := numbering.Mistakes(stored.truth, stored.pred)
	if err != nil {
		return nil, err
	}
	s.misnumbered = len(warnings) > 0
	out, err := s.maps(convention, nil, images, boundaries)
	if err == nil {
		out.Warnings = append(warnings, out.Warnings...)
	}
	if ownIgnore && s.Classes > defaultIgnore && err == nil {
		out.Warnings = append(out.Warnings, fmt.Sprintf(
			"label %d of the truth is ignored, as is usual, though it is one of %d classes; give --ignore to say which value "+
				"does not count", defaultIgnore, s.Classes))
	}
	return out, err
}

// storedValues are what the files of truths and predictions hold, before anything is mapped.
type storedValues struct {
	mu          sync.Mutex
	truth, pred labelmap.Histogram
}

func newStoredValues() *storedValues {
	return &storedValues{truth: labelmap.Histogram{}, pred: labelmap.Histogram{}}
}

func (v *storedValues) add(truth, pred labelmap.Map) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.truth.Add(truth)
	v.pred.Add(pred)
}

// numbering says how stored values are read. Predictions of ADE20K's devkit are numbered as its truth.
func (s LabelScoring) numbering(convention metrics.Convention) datasets.Numbering {
	return datasets.Numbering{Classes: s.Classes, Ignore: s.Ignore, ReduceZero: s.ReduceZero,
		PredFromOne: s.ReduceZero && convention.Name == metrics.ADE20K.Name}
}

// maps scores label maps of classes; halved are those of ImageNet-S's evaluator, or nil.
func (s LabelScoring) maps(
	convention metrics.Convention,
	halved []metrics.BoundaryRecord,
	images []metrics.Sparse,
	boundaries []metrics.AreaRecord,
) (*FileScores, error) {
	maps, err := tasks.NewSegmented(convention, s.Classes)
	if err != nil {
		return nil, err
	}
	for _, image := range images {
		if err := maps.Add(image); err != nil {
			return nil, err
		}
	}
	if s.Boundary || halved != nil {
		if maps.Boundaries, err = metrics.NewAreaPool(s.Classes, boundaries...); err != nil {
			return nil, err
		}
	}
	maps.ImageNetS = halved
	return s.score(maps, images)
}

// score scores label maps, and counts what the scores leave out.
func (s LabelScoring) score(maps *tasks.Segmented, images []metrics.Sparse) (_ *FileScores, err error) {
	out := &FileScores{Task: "segmentation", Convention: maps.Convention.Name,
		Images: max(len(images), len(maps.Cityscapes)), Counts: map[string]int{}}
	// Scores of single images are those of runs.
	stats := slices.DeleteFunc(maps.Statistics(), func(s tasks.Statistic) bool { return s.SharesEach })
	out.Scores, err = tasks.Evaluate(stats, out.Images, s.Resamples, metrics.NewLots(out.Images, s.Seed))
	if err != nil || maps.Total == nil {
		return out, err
	}
	out.Classes = maps.Convention.PerClass(metrics.AreasOf(maps.Total.Matrix))
	out.countPixels(images, maps.Classes)
	if shifted := maps.Shifted(); shifted != "" && !s.misnumbered {
		out.Warnings = append(out.Warnings, shifted)
	}
	if !s.Boundary {
		return out, nil
	}
	edges := maps.Boundaries.Sum()
	for c := range out.Classes {
		if x, ok := maps.Convention.IoU(edges, c); ok {
			out.Classes[c].Scores = append(out.Classes[c].Scores, metrics.Score{Name: "BIoU", Value: x})
		}
	}
	return out, nil
}

// countPixels counts what the scores of classes leave out, and warns where that is likely a mistake.
func (f *FileScores) countPixels(records []metrics.Sparse, classes int) {
	var outside int64
	void, undefined := 0, 0
	for _, r := range records {
		if len(r) == 0 {
			void++
		}
		for _, c := range r {
			if int(c.Pred) == classes {
				outside += c.Count
			}
		}
	}
	for _, k := range f.Classes {
		if !slices.ContainsFunc(k.Scores, func(s metrics.Score) bool { return s.Name == "IoU" }) {
			undefined++
		}
	}
	f.Counts["void_images"], f.Counts["undefined_classes"], f.Counts["pixels_out_of_range"] = void, undefined, int(outside)
	if outside > 0 {
		f.Warnings = append(f.Warnings,
			fmt.Sprintf("%d pixels are predicted as none of the %d classes: they are misses of the true class", outside,
				classes))
	}
	if len(f.Scores) == 0 {
		f.Warnings = append(f.Warnings,
			"every pixel of the truth is ignored: no score is defined; check --ignore and --reduce-zero-label")
	}
}

// prepare maps a truth to labels with labelmap.Ignore, and refuses values that are neither a class nor ignored.
func (s LabelScoring) prepare(truth labelmap.Map) error {
	first := 0
	if s.ReduceZero {
		first = 1
	}
	for i, v := range truth.Pix {
		label := int(v) - first
		switch {
		case int(v) == s.Ignore || label < 0:
			truth.Pix[i] = labelmap.Ignore
		case label < s.Classes:
			truth.Pix[i] = uint16(label)
		default:
			return fmt.Errorf(
				"truth has label %d at x %d, y %d, but there are %d classes (%d..%d) and label %d is ignored; map void labels to "+
					"the ignored one, and check --classes, --ignore and --reduce-zero-label%s", v, i%truth.W, i/truth.W, s.Classes,
				first, first+s.Classes-1, s.Ignore,
				datasets.Numbering{Classes: s.Classes, ReduceZero: s.ReduceZero}.OneOff(truth, v))
		}
	}
	return nil
}

// prepareIDs is prepare for Cityscapes' label ids, of which all are counted.
func (s LabelScoring) prepareIDs(truth labelmap.Map) error {
	for i, v := range truth.Pix {
		switch {
		case int(v) == s.Ignore:
			truth.Pix[i] = labelmap.Ignore
		case int(v) >= len(metrics.CityscapesLabels):
			return fmt.Errorf(
				"truth has label %d at x %d, y %d, but label ids are 0..%d; score train ids with --classes 19, or give an "+
					"--ignore if this one does not count", v, i%truth.W, i/truth.W, len(metrics.CityscapesLabels)-1)
		}
	}
	return nil
}

// shift turns labels 1..N into 0..N-1, and 0 into a label that is none.
func shift(pix []uint16) {
	for i, v := range pix {
		pix[i] = v - 1 // 0 wraps to 65535
	}
}

// cityscapes is the whole evaluation of cityscapesScripts on label ids, with instance weights where *_instanceIds.png
// lie beside the truth.
func (s LabelScoring) cityscapes(ctx context.Context, pairs []filePair, progress tasks.Progress) (*FileScores, error) {
	records := make([]metrics.CityscapesRecord, len(pairs))
	stored := newStoredValues()
	err := eachPair(ctx, pairs, progress, func(i int, truth, pred labelmap.Map) error {
		stored.add(truth, pred)
		var instances []uint16
		if path, ok := instancePath(pairs[i].truth); ok {
			l, err := labelmap.Read(path)
			if err != nil {
				return err
			}
			if l.W != truth.W || l.H != truth.H {
				return fmt.Errorf("%s is %dx%d, the truth %dx%d", path, l.W, l.H, truth.W, truth.H)
			}
			instances = l.Pix
		}
		if err := s.prepareIDs(truth); err != nil {
			return err
		}
		for i, v := range truth.Pix {
			if v == labelmap.Ignore && instances != nil {
				instances[i] = 0
			}
		}
		var err error
		records[i], err = metrics.CountCityscapes(truth.Pix, pred.Pix, instances)
		return err
	})
	if err != nil {
		return nil, err
	}
	out, err := s.score(
		&tasks.Segmented{Convention: metrics.CityscapesIoU, Classes: len(metrics.CityscapesLabels), Cityscapes: records}, nil)
	if err != nil {
		return nil, err
	}
	classes, categories, trainIDs, err := metrics.CityscapesGroups(records)
	if err != nil {
		return nil, err
	}
	weighted := 0
	plain := make([]metrics.Sparse, len(records))
	for i, r := range records {
		plain[i] = r.Pixels
		if r.Weighted {
			weighted++
		}
	}
	out.Warnings = append(out.Warnings, datasets.LabelIDMistakes(stored.truth)...)
	out.Counts["images_with_instances"] = weighted
	out.named(classes)
	out.countPixels(plain, len(metrics.CityscapesLabels))
	out.named(categories)
	if trainIDs {
		out.Warnings = append(out.Warnings,
			"the predictions look like train ids (0..18); this evaluation wants label ids (0..33)")
	}
	if weighted < len(pairs) {
		out.Warnings = append(out.Warnings,
			fmt.Sprintf("iIoU is left out: %d of %d images have no *_instanceIds.png beside the truth", len(pairs)-weighted,
				len(pairs)))
	}
	return out, nil
}

// named adds classes or categories by name.
func (f *FileScores) named(groups []metrics.CityscapesScores) {
	for _, c := range groups {
		f.ClassNames = append(f.ClassNames, c.Name)
		f.Classes = append(
			f.Classes,
			metrics.ClassScores{
				Class:        len(f.Classes),
				Intersection: c.Intersection,
				Truth:        c.Truth,
				Pred:         c.Pred,
				Scores:       c.Scores,
			},
		)
	}
}

// instancePath is the map of instances that belongs to a truth of label ids.
func instancePath(truth string) (string, bool) {
	path, ok := strings.CutSuffix(truth, "_labelIds.png")
	path += "_instanceIds.png"
	if !ok {
		return "", false
	}
	_, err := os.Stat(path)
	return path, err == nil
}

const imageNetSIgnore = 1000

// imageNetS is the evaluation of ImageNet-S: class 0 is the background, 1000 is ignored.
func (s LabelScoring) imageNetS(ctx context.Context, pairs []filePair, progress tasks.Progress) (*FileScores, error) {
	if s.Ignore < 0 {
		s.Ignore = imageNetSIgnore
	}
	records := make([]metrics.BoundaryRecord, len(pairs))
	stored := newStoredValues()
	err := eachPairAs(ctx, pairs, progress, labelmap.ReadIDs, func(i int, truth, pred labelmap.Map) (err error) {
		stored.add(truth, pred)
		if err := s.prepare(truth); err != nil {
			return err
		}
		records[i], err = metrics.CountBoundary(truth.Pix, pred.Pix, truth.W, truth.H, s.Classes, labelmap.Ignore,
			metrics.ImageNetSDilationRatio)
		return err
	})
	if err != nil {
		return nil, err
	}
	warnings, err := s.numbering(metrics.ImageNetSIoU).Mistakes(stored.truth, stored.pred)
	if err != nil {
		return nil, err
	}
	var images []metrics.Sparse
	var boundaries []metrics.AreaRecord
	for _, r := range records {
		images, boundaries = append(images, r.Plain()), append(boundaries, r.Boundaries())
	}
	out, err := s.maps(metrics.ImageNetSIoU, records, images, boundaries)
	if err == nil {
		out.Warnings = append(warnings, out.Warnings...)
	}
	return out, err
}
