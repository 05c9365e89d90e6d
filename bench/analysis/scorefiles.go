package analysis

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"ovbench/bench/tasks"
	"ovbench/datasets/labelmap"
	"ovbench/metrics"
	"ovbench/runners/tensor"
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
}

// defaultIgnore is the void of most data sets.
const defaultIgnore = 255

// FileScores are the scores of predictions made elsewhere.
type FileScores struct {
	Task, Convention string
	Images           int
	Scores           []metrics.Score
	Intervals        map[string][2]float64 // by score, at 95 %
	Classes          []metrics.ClassScores // by label
	ClassNames       []string              // of Classes, where the convention has some
	Counts           map[string]int        // what else a reader must know: unlabelled images, undefined classes
	Warnings         []string
}

// ScoreLabels compares two folders of label maps. Every truth needs a prediction of the same size; predictions without truth
// are an error too.
func ScoreLabels(ctx context.Context, s LabelScoring, progress tasks.Progress) (*FileScores, error) {
	convention, err := metrics.FindConvention(s.Convention)
	if err != nil {
		return nil, err
	}
	truths, ids, err := s.truths()
	if err != nil {
		return nil, err
	}
	pairs, err := pairFiles(truths, s.Truth, s.Pred)
	if err != nil {
		return nil, err
	}
	switch {
	case ids:
		return s.cityscapes(ctx, pairs, progress)
	case convention.Name == metrics.ImageNetSIoU.Name:
		return s.imageNetS(ctx, pairs, progress)
	}
	ownIgnore := s.Ignore < 0
	if ownIgnore {
		s.Ignore = defaultIgnore
	}
	records := make([]metrics.Sparse, len(pairs))
	edges := make([]metrics.AreaRecord, len(pairs))
	err = eachPair(ctx, pairs, progress, func(i int, truth, pred labelmap.Map) (err error) {
		if err := s.prepare(truth); err != nil {
			return err
		}
		if convention.Name == "ade20k" && s.ReduceZero {
			shift(pred.Pix) // the devkit's predictions are numbered as its truth
		}
		if s.Boundary {
			b, err := metrics.CountBoundary(truth.Pix, pred.Pix, truth.W, truth.H, s.Classes, labelmap.Ignore, metrics.DilationRatio)
			if err != nil {
				return err
			}
			edges[i] = b.Boundaries()
		}
		records[i], err = metrics.Count(truth.Pix, pred.Pix, s.Classes, labelmap.Ignore)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := s.fileScores(convention.Name, len(pairs))
	if ownIgnore && s.Classes > defaultIgnore {
		out.Warnings = append(out.Warnings, fmt.Sprintf("label %d of the truth is ignored, as is usual, though it is one of %d classes; give --ignore to say which value does not count", defaultIgnore, s.Classes))
	}
	if err := out.confusion(records, s.Classes, convention); err != nil {
		return nil, err
	}
	out.intervals(s, func(name string) (metrics.Statistic, error) { return pooled(records, s.Classes, convention, name) })
	if s.Boundary {
		return out, out.boundaries(s, edges, convention)
	}
	return out, nil
}

func (s LabelScoring) fileScores(convention string, images int) *FileScores {
	return &FileScores{Task: "segmentation", Convention: convention, Images: images, Counts: map[string]int{}}
}

// confusion adds the scores of pooled label maps, and counts what they leave out.
func (f *FileScores) confusion(records []metrics.Sparse, classes int, v metrics.Convention) error {
	total, err := metrics.NewConfusion(classes)
	if err == nil {
		err = tasks.AddAll(total.Add, records)
	}
	if err != nil {
		return err
	}
	f.Scores, f.Classes = total.Scores(v), total.PerClass(v)
	f.countPixels(records, classes)
	return nil
}

// countPixels counts what the scores of classes leave out, and warns where that is likely a mistake.
func (f *FileScores) countPixels(records []metrics.Sparse, classes int) {
	var outside int64
	void := 0
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
	undefined := 0
	for _, k := range f.Classes {
		if !hasScore(k.Scores, "IoU") {
			undefined++
		}
	}
	f.Counts["void_images"], f.Counts["undefined_classes"], f.Counts["pixels_out_of_range"] = void, undefined, int(outside)
	if outside > 0 {
		f.Warnings = append(f.Warnings, fmt.Sprintf("%d pixels are predicted as none of the %d classes: they are misses of the true class", outside, classes))
	}
	if len(f.Scores) == 0 {
		f.Warnings = append(f.Warnings, "every pixel of the truth is ignored: no score is defined; check --ignore and --reduce-zero-label")
	}
}

func hasScore(scores []metrics.Score, name string) bool {
	return slices.ContainsFunc(scores, func(s metrics.Score) bool { return s.Name == name })
}

// pooled is the statistic of a score of pooled label maps.
func pooled(records []metrics.Sparse, classes int, v metrics.Convention, name string) (metrics.Statistic, error) {
	for _, stat := range v.Stats() {
		if stat.Name == name {
			return metrics.AreasStatistic(records, classes, stat.Of)
		}
	}
	return nil, errNoStatistic
}

var errNoStatistic = errors.New("the score has no statistic")

// intervals adds those of the scores that are there. of finds the statistic of a score.
func (f *FileScores) intervals(s LabelScoring, of func(name string) (metrics.Statistic, error)) {
	for _, x := range f.Scores {
		if _, done := f.Intervals[x.Name]; !done {
			f.interval(x.Name, s.Resamples, s.Seed, func() (metrics.Statistic, error) { return of(x.Name) })
		}
	}
}

// interval adds one, if it is asked for and defined.
func (f *FileScores) interval(name string, resamples int, seed uint64, of func() (metrics.Statistic, error)) {
	if resamples < 1 || f.Images < 2 {
		return
	}
	stat, err := of()
	if err != nil {
		return
	}
	if iv, err := metrics.Resample(f.Images, resamples, seed, tasks.Level, stat); err == nil {
		if f.Intervals == nil {
			f.Intervals = map[string][2]float64{}
		}
		f.Intervals[name] = [2]float64{iv.Low, iv.High}
	}
}

// boundaries adds Boundary IoU.
func (f *FileScores) boundaries(s LabelScoring, edges []metrics.AreaRecord, v metrics.Convention) error {
	sums, err := metrics.NewAreaSums(s.Classes)
	if err == nil {
		err = tasks.AddAll(sums.Add, edges)
	}
	if err != nil {
		return err
	}
	if x, ok := v.MIoU(sums.Areas()); ok {
		f.Scores = append(f.Scores, metrics.Score{Name: "mBIoU", Value: x})
	}
	for c := range f.Classes {
		if x, ok := v.IoU(sums.Areas(), c); ok {
			f.Classes[c].Scores = append(f.Classes[c].Scores, metrics.Score{Name: "BIoU", Value: x})
		}
	}
	f.interval("mBIoU", s.Resamples, s.Seed, func() (metrics.Statistic, error) {
		return metrics.AreaRecordStatistic(edges, s.Classes, v.MIoU)
	})
	return nil
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
			return fmt.Errorf("truth has label %d at x %d, y %d, but there are %d classes (%d..%d) and label %d is ignored; map void labels to the ignored one, and check --classes, --ignore and --reduce-zero-label",
				v, i%truth.W, i/truth.W, s.Classes, first, first+s.Classes-1, s.Ignore)
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
			return fmt.Errorf("truth has label %d at x %d, y %d, but label ids are 0..%d; give an --ignore if this one does not count",
				v, i%truth.W, i/truth.W, len(metrics.CityscapesLabels)-1)
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

// cityscapes is the whole evaluation of cityscapesScripts on label ids, with instance weights where *_instanceIds.png lie beside
// the truth.
func (s LabelScoring) cityscapes(ctx context.Context, pairs []filePair, progress tasks.Progress) (*FileScores, error) {
	records := make([]metrics.CityscapesRecord, len(pairs))
	weighted := 0
	err := eachPair(ctx, pairs, progress, func(i int, truth, pred labelmap.Map) error {
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
	total := metrics.NewCityscapes()
	for _, r := range records {
		if r.Weighted {
			weighted++
		}
		if err := total.Add(r); err != nil {
			return nil, err
		}
	}
	out := s.fileScores("cityscapes", len(pairs))
	out.Scores, out.Counts["images_with_instances"] = total.Scores(), weighted
	out.intervals(s, func(name string) (metrics.Statistic, error) { return metrics.CityscapesStatistic(records, name) })
	out.named(total.PerClass())
	plain := make([]metrics.Sparse, len(records))
	for i, r := range records {
		plain[i] = r.Pixels
	}
	out.countPixels(plain, len(metrics.CityscapesLabels))
	out.named(total.PerCategory())
	if total.LooksLikeTrainIDs() {
		out.Warnings = append(out.Warnings, "the predictions look like train ids (0..18); this evaluation wants label ids (0..33)")
	}
	if weighted < len(pairs) {
		out.Warnings = append(out.Warnings, fmt.Sprintf("iIoU is left out: %d of %d images have no *_instanceIds.png beside the truth", len(pairs)-weighted, len(pairs)))
	}
	return out, nil
}

// named adds classes or categories by name.
func (f *FileScores) named(groups []metrics.CityscapesScores) {
	for _, c := range groups {
		f.ClassNames = append(f.ClassNames, c.Name)
		f.Classes = append(f.Classes, metrics.ClassScores{Class: len(f.Classes), Intersection: c.Intersection, Truth: c.Truth, Pred: c.Pred, Scores: c.Scores})
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
	err := eachPairAs(ctx, pairs, progress, labelmap.ReadIDs, func(i int, truth, pred labelmap.Map) (err error) {
		if err := s.prepare(truth); err != nil {
			return err
		}
		records[i], err = metrics.CountBoundary(truth.Pix, pred.Pix, truth.W, truth.H, s.Classes, labelmap.Ignore, metrics.ImageNetSDilationRatio)
		return err
	})
	if err != nil {
		return nil, err
	}
	total, err := metrics.NewImageNetS(s.Classes)
	if err != nil {
		return nil, err
	}
	for _, r := range records {
		if err := total.Add(r); err != nil {
			return nil, err
		}
	}
	plain, edges := make([]metrics.Sparse, len(records)), make([]metrics.AreaRecord, len(records))
	for i, r := range records {
		plain[i], edges[i] = r.Plain(), r.Boundaries()
	}
	out := s.fileScores(metrics.ImageNetSIoU.Name, len(pairs))
	if err := out.confusion(plain, s.Classes, metrics.ImageNetSIoU); err != nil {
		return nil, err
	}
	for _, x := range total.Scores() {
		if !hasScore(out.Scores, x.Name) {
			out.Scores = append(out.Scores, x)
		}
	}
	out.intervals(s, func(name string) (metrics.Statistic, error) {
		if name == "mBIoU" {
			return metrics.AreaRecordStatistic(edges, s.Classes, metrics.ImageNetSIoU.MIoU)
		}
		return pooled(plain, s.Classes, metrics.ImageNetSIoU, name)
	})
	return out, nil
}

// filePair is a truth and its prediction.
type filePair struct{ name, truth, pred string }

// truthSuffix are the endings of Cityscapes' truths; predictions begin with what stands before.
var truthSuffix = regexp.MustCompile(`_gt(Fine|Coarse)_label(Train)?Ids$`)

// cityscapesTrainIDs is the number of train ids, which are the evaluated ones among the label ids.
const cityscapesTrainIDs = 19

// truths lists the label maps of the truth. In folders of Cityscapes label ids, train ids, instances and colours lie side by
// side, and the number of classes says which is meant. ids says that the maps are of label ids, to be evaluated as
// cityscapesScripts does: 34 of them, of which 19 have a score.
func (s LabelScoring) truths() (paths []string, ids bool, err error) {
	paths, err = pngFiles(s.Truth)
	if err != nil {
		return nil, false, err
	}
	whole := s.Convention == metrics.CityscapesIoU.Name && s.Classes == len(metrics.CityscapesLabels)
	named := func(ending string) (out []string) {
		for _, p := range paths {
			if name := stem(p); truthSuffix.MatchString(name) && strings.HasSuffix(name, ending) {
				out = append(out, p)
			}
		}
		return out
	}
	label, train := named("_labelIds"), named("_labelTrainIds")
	switch {
	case len(label)+len(train) == 0:
		return paths, whole, nil
	case whole && len(label) == 0:
		return nil, false, fmt.Errorf("%s: the truth is of train ids (%s); --classes %d wants *_labelIds.png; score train ids with --classes %d", s.Truth, train[0], s.Classes, cityscapesTrainIDs)
	case whole:
		return label, true, nil
	case s.Classes == cityscapesTrainIDs && len(train) > 0:
		return train, false, nil
	case s.Classes == cityscapesTrainIDs && s.Convention == metrics.CityscapesIoU.Name && !s.ReduceZero && !s.Boundary:
		return label, true, nil
	case s.Classes == cityscapesTrainIDs:
		return nil, false, fmt.Errorf("%s: the truth is of label ids 0..33 (%s), not of the %d train ids; make *_labelTrainIds.png with cityscapesScripts, or score label ids with --convention cityscapes --classes %d",
			s.Truth, label[0], cityscapesTrainIDs, len(metrics.CityscapesLabels))
	case len(label) == 0:
		return train, false, nil
	}
	return label, false, nil
}

// pairFiles finds the prediction of every truth: the PNG at the same relative path, else the only one of the same name, where
// a name of Cityscapes ends before _gtFine.
func pairFiles(truths []string, truthDir, predDir string) ([]filePair, error) {
	preds, err := pngFiles(predDir)
	if err != nil {
		return nil, err
	}
	byPath, byName := map[string]string{}, map[string][]string{}
	for _, p := range preds {
		byPath[p] = p
		byName[stem(p)] = append(byName[stem(p)], p)
	}
	var (
		out     []filePair
		missing []string
	)
	used := map[string]bool{}
	for _, t := range truths {
		name := truthSuffix.ReplaceAllString(stem(t), "")
		candidates := byName[name]
		if p, ok := byPath[t]; ok {
			candidates = []string{p}
		} else if name != stem(t) {
			candidates = nil
			for _, p := range preds {
				if s := stem(p); s == name || strings.HasPrefix(s, name+"_") || strings.HasPrefix(s, name+"-") {
					candidates = append(candidates, p)
				}
			}
		}
		switch len(candidates) {
		case 0:
			missing = append(missing, t)
		case 1:
			used[candidates[0]] = true
			out = append(out, filePair{name, filepath.Join(truthDir, t), filepath.Join(predDir, candidates[0])})
		default:
			return nil, fmt.Errorf("%s: several predictions in %s: %s", t, predDir, strings.Join(candidates, ", "))
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("%s: %d of %d label maps have no prediction, the first is %s", predDir, len(missing), len(truths), missing[0])
	}
	for _, p := range preds {
		if !used[p] {
			return nil, fmt.Errorf("%s: %d predictions have no truth in %s, the first is %s", predDir, len(preds)-len(used), truthDir, p)
		}
	}
	return out, nil
}

// pngFiles lists the PNG files below dir by their paths from there, sorted.
func pngFiles(dir string) ([]string, error) {
	var out []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.EqualFold(filepath.Ext(path), ".png") {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		out = append(out, filepath.ToSlash(rel))
		return err
	})
	if err == nil && len(out) == 0 {
		err = fmt.Errorf("%s: no PNG files", dir)
	}
	return out, err
}

func stem(path string) string {
	base := filepath.Base(path)
	return strings.TrimSuffix(base, filepath.Ext(base))
}

func eachPair(ctx context.Context, pairs []filePair, progress tasks.Progress, f func(i int, truth, pred labelmap.Map) error) error {
	return eachPairAs(ctx, pairs, progress, labelmap.Read, f)
}

// eachPairAs reads all pairs on all cores and hands them to f, which is called for several at a time. Errors name the files.
func eachPairAs(ctx context.Context, pairs []filePair, progress tasks.Progress, read func(string) (labelmap.Map, error), f func(i int, truth, pred labelmap.Map) error) error {
	progress.Start("scoring", len(pairs))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.NumCPU())
	var done atomic.Int64
	for i, p := range pairs {
		if ctx.Err() != nil {
			break
		}
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			truth, err := read(p.truth)
			if err != nil {
				return err
			}
			pred, err := read(p.pred)
			if err != nil {
				return err
			}
			if truth.W != pred.W || truth.H != pred.H {
				return fmt.Errorf("%s is %dx%d, its truth %s %dx%d; predictions are scored at the size of the truth", p.pred, pred.W, pred.H, p.truth, truth.W, truth.H)
			}
			if err := f(i, truth, pred); err != nil {
				return fmt.Errorf("%s, %s: %w", p.truth, p.pred, err)
			}
			done.Add(1)
			return nil
		})
		progress.At(int(done.Load()))
	}
	err := group.Wait()
	progress.At(int(done.Load()))
	return err
}

// TagScoring says how scores of labels made elsewhere are scored.
type TagScoring struct {
	Truth, Pred string // .npy files [images, classes]; truth is 1, 0, or -1 for difficult
	Classes     int    // that both must have; 0 for any number
	Difficult   metrics.DifficultRule
	Resamples   int
	Seed        uint64
}

// ScoreTags compares a matrix of scores with one of labels: mAP in every variant, and precision and recall of the top 3 and 5.
func ScoreTags(s TagScoring) (*FileScores, error) {
	truth, err := readMatrix(s.Truth)
	if err != nil {
		return nil, err
	}
	pred, err := readMatrix(s.Pred)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(truth.shape, pred.shape) {
		return nil, fmt.Errorf("%s has shape %v, %s %v; both are [images, classes]", s.Truth, truth.shape, s.Pred, pred.shape)
	}
	images, classes := truth.shape[0], truth.shape[1]
	if s.Classes > 0 && classes != s.Classes {
		return nil, fmt.Errorf("%s has %d classes, not %d", s.Truth, classes, s.Classes)
	}
	if s.Difficult == metrics.DifficultSkip && slices.Contains(truth.data, -1) && !slices.Contains(truth.data, 0) {
		return nil, fmt.Errorf("%s: labels are 1 and -1 only, and -1 is a difficult one, so that nothing is absent; write 0 for absent, or take -1 for absent with --difficult negative", s.Truth)
	}
	tags := make([]metrics.Tag, len(truth.data))
	for i, v := range truth.data {
		switch v {
		case 0:
		case 1:
			tags[i] = metrics.TagPresent
		case -1:
			tags[i] = metrics.TagDifficult
		default:
			return nil, fmt.Errorf("%s: value %v at [%d, %d]; want 1 for present, 0 for absent, -1 for difficult", s.Truth, v, i/classes, i%classes)
		}
	}
	table := &tasks.TagTable{Images: images, Classes: classes, Tags: tags, Values: pred.data, Difficult: s.Difficult}
	made, err := table.Scores()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Pred, err)
	}
	out := &FileScores{
		Task: "multilabel", Convention: metrics.StepAP.Name, Images: images,
		Scores: made.Scores, Classes: made.Classes, Counts: made.Counts,
	}
	for _, stat := range table.Statistics("") {
		out.interval(stat.Score, s.Resamples, s.Seed, stat.Pooled)
	}
	if !hasScore(out.Scores, "mAP") {
		out.Warnings = append(out.Warnings, "no class is present in any image: mAP is undefined")
	}
	return out, nil
}

// matrix is a .npy file [images, classes].
type matrix struct {
	shape []int
	data  []float64
}

func readMatrix(path string) (matrix, error) {
	f, err := os.Open(path)
	if err != nil {
		return matrix{}, err
	}
	defer f.Close()
	shape, data, err := tensor.ReadNPY64(f)
	if err == nil && (len(shape) != 2 || shape[0] < 1 || shape[1] < 1) {
		err = fmt.Errorf("shape %v, want [images, classes], at least one of each", shape)
	}
	if err != nil {
		return matrix{}, fmt.Errorf("%s: %w", path, err)
	}
	return matrix{shape, data}, nil
}
