package engine

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

	"ovbench/datasets"
	"ovbench/metrics"
	"ovbench/runners/tensor"
)

// LabelScoring says how label maps made elsewhere are scored.
type LabelScoring struct {
	Truth, Pred string // folders of PNG label maps
	Classes     int
	Ignore      int  // value of the truth that does not count; -1 for none
	ReduceZero  bool // of the truth: 0 is ignored, k is class k-1
	Convention  string
	Boundary    bool // Boundary IoU too
	// Resamples of the images for intervals; 0 for none.
	Resamples int
	Seed      uint64
}

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
func ScoreLabels(ctx context.Context, s LabelScoring, tell Progress) (*FileScores, error) {
	convention, err := metrics.FindConvention(s.Convention)
	if err != nil {
		return nil, err
	}
	pairs, err := pairFiles(s.Truth, s.Pred)
	if err != nil {
		return nil, err
	}
	switch {
	case s.labelIDs():
		return s.cityscapes(ctx, pairs, tell)
	case convention.Name == "imagenet_s":
		return s.imageNetS(ctx, pairs, tell)
	}
	records := make([]metrics.Sparse, len(pairs))
	edges := make([]metrics.AreaRecord, len(pairs))
	err = eachPair(ctx, pairs, tell, func(i int, truth, pred datasets.Labels) (err error) {
		s.prepare(truth.Pix)
		if convention.Name == "ade20k" && s.ReduceZero {
			shift(pred.Pix) // the devkit's predictions are numbered as its truth
		}
		if s.Boundary {
			b, err := metrics.CountBoundary(truth.Pix, pred.Pix, truth.W, truth.H, s.Classes, datasets.Ignore, metrics.DilationRatio)
			if err != nil {
				return err
			}
			edges[i] = b.Boundaries()
		}
		records[i], err = metrics.Count(truth.Pix, pred.Pix, s.Classes, datasets.Ignore)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := s.fileScores(convention.Name, len(pairs))
	if err := out.confusion(records, s.Classes, convention); err != nil {
		return nil, err
	}
	out.intervals(s, func(name string) (metrics.Statistic, error) {
		for _, stat := range convention.Stats() {
			if stat.Name == name {
				return metrics.AreasStatistic(records, s.Classes, stat.Of)
			}
		}
		return nil, errNoStatistic
	})
	if s.Boundary {
		return out, out.boundaries(s, edges, convention)
	}
	return out, nil
}

// labelIDs says whether the maps are of Cityscapes' label ids, not of train ids or other classes.
func (s LabelScoring) labelIDs() bool {
	return s.Convention == metrics.CityscapesIoU.Name && s.Classes == len(metrics.CityscapesLabels)
}

func (s LabelScoring) fileScores(convention string, images int) *FileScores {
	return &FileScores{Task: "segmentation", Convention: convention, Images: images, Counts: map[string]int{}}
}

// confusion adds the scores of pooled label maps, and counts what they leave out.
func (f *FileScores) confusion(records []metrics.Sparse, classes int, v metrics.Convention) error {
	total, err := metrics.NewConfusion(classes)
	if err == nil {
		err = addAll(total.Add, records)
	}
	if err != nil {
		return err
	}
	f.Scores, f.Classes = total.Scores(v), total.PerClass(v)
	f.Counts["void_images"] = countVoid(records)
	f.Counts["undefined_classes"] = 0
	outside := 0
	for c, k := range f.Classes {
		if !hasScore(k.Scores, "IoU") {
			f.Counts["undefined_classes"]++
		}
		outside += int(total.At(c, classes))
	}
	f.Counts["pixels_out_of_range"] = outside
	if outside > 0 {
		f.Warnings = append(f.Warnings, fmt.Sprintf("%d pixels are predicted as none of the %d classes: they are misses of the true class", outside, classes))
	}
	if len(f.Scores) == 0 {
		f.Warnings = append(f.Warnings, "every pixel of the truth is ignored: no score is defined; check --ignore and --reduce-zero-label")
	}
	return nil
}

// countVoid counts images all of whose pixels are ignored.
func countVoid(records []metrics.Sparse) (n int) {
	for _, r := range records {
		if len(r) == 0 {
			n++
		}
	}
	return n
}

func hasScore(scores []metrics.Score, name string) bool {
	return slices.ContainsFunc(scores, func(s metrics.Score) bool { return s.Name == name })
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
	if iv, err := metrics.Resample(f.Images, resamples, seed, level, stat); err == nil {
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
		err = addAll(sums.Add, edges)
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

// prepare maps a truth to labels with datasets.Ignore.
func (s LabelScoring) prepare(truth []uint16) {
	for i, v := range truth {
		switch {
		case int(v) == s.Ignore:
			truth[i] = datasets.Ignore
		case s.ReduceZero && v == 0:
			truth[i] = datasets.Ignore
		case s.ReduceZero:
			truth[i] = v - 1
		}
	}
}

// shift turns labels 1..N into 0..N-1, and 0 into a label that is none.
func shift(pix []uint16) {
	for i, v := range pix {
		pix[i] = v - 1 // 0 wraps to 65535
	}
}

// cityscapes is the whole evaluation of cityscapesScripts on label ids, with instance weights where *_instanceIds.png lie beside
// the truth.
func (s LabelScoring) cityscapes(ctx context.Context, pairs []filePair, tell Progress) (*FileScores, error) {
	records := make([]metrics.CityscapesRecord, len(pairs))
	weighted := 0
	err := eachPair(ctx, pairs, tell, func(i int, truth, pred datasets.Labels) error {
		var instances []uint16
		if path, ok := instancePath(pairs[i].truth); ok {
			l, err := datasets.ReadLabels(path)
			if err != nil {
				return err
			}
			if l.W != truth.W || l.H != truth.H {
				return fmt.Errorf("%s is %dx%d, the truth %dx%d", path, l.W, l.H, truth.W, truth.H)
			}
			instances = l.Pix
		}
		s.prepare(truth.Pix)
		for i, v := range truth.Pix {
			if v == datasets.Ignore && instances != nil {
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
	for _, c := range append(total.PerClass(), total.PerCategory()...) {
		out.ClassNames = append(out.ClassNames, c.Name)
		out.Classes = append(out.Classes, metrics.ClassScores{Class: len(out.Classes), Intersection: c.Intersection, Truth: c.Truth, Pred: c.Pred, Scores: c.Scores})
	}
	if total.LooksLikeTrainIDs() {
		out.Warnings = append(out.Warnings, "the predictions look like train ids (0..18); this evaluation wants label ids (0..33)")
	}
	if weighted < len(pairs) {
		out.Warnings = append(out.Warnings, fmt.Sprintf("iIoU is left out: %d of %d images have no *_instanceIds.png beside the truth", len(pairs)-weighted, len(pairs)))
	}
	return out, nil
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

// imageNetS is the evaluation of ImageNet-S: class 0 is the background, 1000 is ignored.
func (s LabelScoring) imageNetS(ctx context.Context, pairs []filePair, tell Progress) (*FileScores, error) {
	records := make([]metrics.BoundaryRecord, len(pairs))
	err := eachPairAs(ctx, pairs, tell, datasets.ReadIDs, func(i int, truth, pred datasets.Labels) (err error) {
		s.prepare(truth.Pix)
		records[i], err = metrics.CountBoundary(truth.Pix, pred.Pix, truth.W, truth.H, s.Classes, datasets.Ignore, metrics.ImageNetSDilationRatio)
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
	out := s.fileScores("imagenet_s", len(pairs))
	out.Scores = total.Scores()
	plain, edges := make([]metrics.Sparse, len(records)), make([]metrics.AreaRecord, len(records))
	for i, r := range records {
		plain[i], edges[i] = r.Plain(), r.Boundaries()
	}
	out.Counts["void_images"] = countVoid(plain)
	out.intervals(s, func(name string) (metrics.Statistic, error) {
		switch name {
		case "mIoU":
			return metrics.AreasStatistic(plain, s.Classes, metrics.ImageNetSIoU.MIoU)
		case "mBIoU":
			return metrics.AreaRecordStatistic(edges, s.Classes, metrics.ImageNetSIoU.MIoU)
		}
		return nil, errNoStatistic
	})
	return out, nil
}

// filePair is a truth and its prediction.
type filePair struct{ name, truth, pred string }

// truthSuffix are the endings of Cityscapes' truths; predictions begin with what stands before.
var truthSuffix = regexp.MustCompile(`_gt(Fine|Coarse)_label(Train)?Ids$`)

// pairFiles finds the prediction of every truth: the PNG at the same relative path, else the only one of the same name, where
// a name of Cityscapes ends before _gtFine.
func pairFiles(truthDir, predDir string) ([]filePair, error) {
	truths, err := pngFiles(truthDir)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(truths, func(p string) bool { return truthSuffix.MatchString(stem(p)) }) {
		// Colours, instances and train ids lie in the same folders; label ids go before train ids.
		ids := "_labelIds"
		if !slices.ContainsFunc(truths, func(p string) bool { return strings.HasSuffix(stem(p), ids) }) {
			ids = "_labelTrainIds"
		}
		truths = slices.DeleteFunc(truths, func(p string) bool { return !strings.HasSuffix(stem(p), ids) })
	}
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

func eachPair(ctx context.Context, pairs []filePair, tell Progress, f func(i int, truth, pred datasets.Labels) error) error {
	return eachPairAs(ctx, pairs, tell, datasets.ReadLabels, f)
}

// eachPairAs reads all pairs on all cores and hands them to f, which is called for several at a time. Errors name the files.
func eachPairAs(ctx context.Context, pairs []filePair, tell Progress, read func(string) (datasets.Labels, error), f func(i int, truth, pred datasets.Labels) error) error {
	tell.Start("scoring", len(pairs))
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
		tell.At(int(done.Load()))
	}
	err := group.Wait()
	tell.At(int(done.Load()))
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
	table := &tagTable{images, classes, tags, pred.data, s.Difficult}
	out, err := table.scores()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Pred, err)
	}
	for _, stat := range table.statistics("") {
		out.interval(stat.score, s.Resamples, s.Seed, stat.pooled)
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
