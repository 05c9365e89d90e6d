package analysis

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"ovbench/bench/tasks"
	"ovbench/datasets/labelmap"
	"ovbench/metrics"
)

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
