package analysis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"golang.org/x/text/unicode/norm"

	"ovbench/bench/tasks"
	"ovbench/datasets/files"
	"ovbench/datasets/labelmap"
	"ovbench/metrics"
)

// filePair is a truth and its prediction.
type filePair struct{ name, truth, pred string }

// truthSuffix are the endings of Cityscapes' truths; predictions begin with what stands before.
var truthSuffix = regexp.MustCompile(`_gt(Fine|Coarse)_label(Train)?Ids$`)

// cityscapesTrainIDs is the number of train ids, which are the evaluated ones among the label ids.
const cityscapesTrainIDs = 19

// truths lists the label maps of the truth. In folders of Cityscapes label ids, train ids, instances and colours lie
// side by side, and the number of classes says which is meant. ids says that the maps are of label ids, to be
// evaluated as cityscapesScripts does: 34 of them, of which 19 have a score.
func (s LabelScoring) truths(paths []string) (chosen []string, ids bool, err error) {
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
		return nil, false, fmt.Errorf(
			"%s: the truth is of train ids (%s); --classes %d wants *_labelIds.png; score train ids with --classes %d",
			s.Truth, train[0], s.Classes, cityscapesTrainIDs)
	case whole:
		return label, true, nil
	case s.Classes == cityscapesTrainIDs && len(train) > 0:
		return train, false, nil
	case s.Classes == cityscapesTrainIDs && s.Convention == metrics.CityscapesIoU.Name && !s.ReduceZero && !s.Boundary:
		return label, true, nil
	case s.Classes == cityscapesTrainIDs:
		return nil, false, fmt.Errorf(
			"%s: the truth is of label ids 0..33 (%s), not of the %d train ids; make *_labelTrainIds.png with "+
				"cityscapesScripts, or score label ids with --convention cityscapes --classes %d", s.Truth, label[0],
			cityscapesTrainIDs, len(metrics.CityscapesLabels))
	case len(label) == 0:
		return train, false, nil
	}
	return label, false, nil
}

// pairFiles finds the prediction of every truth: the PNG at the same relative path, else the only one of the same
// name, where a name of Cityscapes ends before _gtFine. Names are compared composed (NFC) and without their ending.
func pairFiles(truths, preds []string, truthDir, predDir string) ([]filePair, error) {
	byPath, byName := map[string]string{}, map[string][]string{}
	for _, p := range preds {
		byPath[pathID(p)] = p
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
		if p, ok := byPath[pathID(t)]; ok {
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
		return nil, fmt.Errorf("%s: %d of %d label maps have no prediction, the first is %s", predDir, len(missing),
			len(truths), missing[0])
	}
	for _, p := range preds {
		if !used[p] {
			return nil, fmt.Errorf("%s: %d predictions have no truth in %s, the first is %s", predDir, len(preds)-len(used),
				truthDir, p)
		}
	}
	return out, nil
}

// pngFiles lists the PNG files below dir by their paths from there, through links too. note says what is left out.
func pngFiles(dir string) (paths []string, note string, err error) {
	all, err := files.Tree(dir)
	if err != nil {
		return nil, "", err
	}
	var rest []string
	for _, p := range all {
		if strings.EqualFold(filepath.Ext(p), ".png") {
			paths = append(paths, p)
		} else {
			rest = append(rest, p)
		}
	}
	if len(rest) > 0 {
		note = fmt.Sprintf("%s: %d files left out, the first is %s; label maps end in .png", dir, len(rest), rest[0])
	}
	if len(paths) == 0 {
		return nil, "", errors.New(cmp.Or(note, dir+": no PNG files"))
	}
	return paths, note, nil
}

// stem is the name of a file without its ending, pathID its path.
func stem(path string) string { return pathID(filepath.Base(path)) }

func pathID(path string) string { return norm.NFC.String(strings.TrimSuffix(path, filepath.Ext(path))) }

func eachPair(ctx context.Context, pairs []filePair, progress tasks.Progress,
	f func(i int, truth, pred labelmap.Map) error) error {
	return eachPairAs(ctx, pairs, progress, labelmap.Read, f)
}

// eachPairAs reads all pairs on all cores and hands them to f, which is called for several at a time. Errors name the
// files.
func eachPairAs(ctx context.Context, pairs []filePair, progress tasks.Progress,
	read func(string) (labelmap.Map, error), f func(i int, truth, pred labelmap.Map) error) error {
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
				return fmt.Errorf("%s is %dx%d, its truth %s %dx%d; predictions are scored at the size of the truth", p.pred,
					pred.W, pred.H, p.truth, truth.W, truth.H)
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
