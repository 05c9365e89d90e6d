package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"time"

	"github.com/google/renameio/v2"
	"golang.org/x/sync/errgroup"

	"ovbench/bench/records"
	"ovbench/bench/tasks"
	"ovbench/configs"
	"ovbench/datasets"
	"ovbench/datasets/picture"
	"ovbench/runners"
	"ovbench/runners/files"
)

// ExpertSearch says how class experts are looked for.
type ExpertSearch struct {
	Request        // Out is the file to write
	Split   string // of all data sets; "" for the suite's
	Top     int    // experts of a class
	Every   int    // entropies are read at every so many pixels of rows and columns
}

// FindExperts finds class experts (FLOSS, arXiv 2504.10487, section 3): for each class c and template t the mean
// entropy
//
//	H = -1/n Σ_i Σ_k p_ik log p_ik
//
// over the n pixels that the classifier of t alone gives to c, in all pictures; p is the softmax over all words of the
// protocol's scale times the cosines. The experts of c are the templates of the least H. No label map is opened for it.
//
// What is found is written to q.Out, and until then to that with .part behind, from which q.Resume goes on; the
// result is the same.
func FindExperts(ctx context.Context, q ExpertSearch, progress tasks.Progress) (*configs.Experts, error) {
	part := q.Out + ".part"
	for _, path := range []string{q.Out, part} {
		if _, err := os.Lstat(path); err == nil && !(path == part && q.Resume) {
			return nil, fmt.Errorf("%s exists: choose another --out, delete it%s", path,
				map[bool]string{true: ", or go on with --resume"}[path == part])
		} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	q.Suite = withoutExperts(q.Suite, q.Split)
	p, err := NewPlan(q.Request)
	if err != nil {
		return nil, err
	}
	if !p.task.Needs().Pixels {
		return nil, fmt.Errorf("%s is of task %s, which gives no pixel a class, as class experts do", p.suite.Name,
			p.suite.Task)
	}
	for k := range p.targets {
		if err := p.checkReadings(&p.targets[k]); err != nil {
			return nil, p.expertFault(fmt.Sprintf("datasets[%d]", k), &p.targets[k], err)
		}
	}
	if err := os.MkdirAll(filepath.Dir(q.Out), 0o777); err != nil {
		return nil, err
	}
	s := &search{run: &run{plan: p, progress: progress, out: p.describe()}, every: q.Every, part: part}
	s.schedule = runners.NewSchedule(p.request.atOnce(), s.timer.start)
	if err := s.prepare(ctx); err != nil {
		return nil, err
	}
	defer s.closeImages()
	err = s.look(ctx)
	if saving := s.save(); err != nil || saving != nil {
		return nil, errors.Join(err, saving)
	}
	e := s.experts(q.Top)
	if err := renameio.WriteFile(q.Out, e.Write(), 0o666); err != nil {
		return nil, err
	}
	e.File = q.Out
	return e, os.Remove(part)
}

// withoutExperts is a suite with the words, methods and framings of s, each once, and nobody to decide by.
func withoutExperts(s *configs.Suite, split string) *configs.Suite {
	c := *s
	c.Protocol = s.Protocol.WithoutExperts()
	c.Datasets = nil
	for _, d := range s.Datasets {
		d.Experts, d.Split = "", cmp.Or(split, d.Split)
		known := d
		if !slices.ContainsFunc(c.Datasets, func(o configs.Dataset) bool {
			known.ID, known.Title = o.ID, o.Title
			return reflect.DeepEqual(o, known)
		}) {
			c.Datasets = append(c.Datasets, d)
		}
	}
	return &c
}

// search is a look for class experts.
type search struct {
	*run
	every int
	part  string
	found progressOf
	saved time.Time
}

// progressOf is what a search has found so far, as its file has it.
type progressOf struct {
	Identity string `json:"identity"` // of all that entropies depend on
	Sets     []seen `json:"sets"`     // by target
}

// seen is the pictures of a data set that were looked at, and by method, template and class the points that were
// given to the class, with the sum of their entropies.
type seen struct {
	Name    string        `json:"name"`
	Done    string        `json:"done"` // ranges of indices
	Points  [][][]int     `json:"points"`
	Entropy [][][]float64 `json:"entropy"`

	done []int
}

// prepare loads the networks and encodes every word in every template.
func (s *search) prepare(ctx context.Context) error {
	if err := hashAll(s.out); err != nil {
		return err
	}
	if err := s.resume(); err != nil {
		return err
	}
	if err := s.loadImages(); err != nil {
		return err
	}
	var err error
	s.asker, err = runners.NewAsker(s.plan.library, s.plan.model.Embed, s.imageOptions())
	if err == nil {
		err = s.encodePrompts(ctx)
	}
	if err != nil {
		s.closeImages()
	}
	return err
}

func (s *search) encodePrompts(ctx context.Context) error {
	texts, err := s.openTexts()
	if err != nil {
		return err
	}
	defer texts.Close()
	if _, err := s.plan.checkTexts(); err != nil {
		return err
	}
	s.prompts = map[int]runners.Prompts{}
	for k, t := range s.plan.targets {
		s.prompts[k], err = texts.Prompts(ctx, t.Texts, s.plan.templates, s.counting("encoding prompts of "+t.Info.Name))
		if err != nil {
			return fmt.Errorf("class names: %w", err)
		}
	}
	return nil
}

// maxSearch bounds what is read of an unfinished search.
const maxSearch = 1 << 30

// resume begins anew, or where the file of an unfinished search ended, which must be of the same.
func (s *search) resume() error {
	header, err := s.plan.header(s.out)
	if err != nil {
		return err
	}
	s.found.Identity = fmt.Sprintf("%s every %d", header.Fingerprint, s.every)
	for _, t := range s.plan.targets {
		one := seen{Name: t.Info.Name}
		for range s.plan.methods {
			points, entropy := make([][]int, len(s.plan.templates)), make([][]float64, len(s.plan.templates))
			for m := range points {
				points[m], entropy[m] = make([]int, len(t.Info.Classes)), make([]float64, len(t.Info.Classes))
			}
			one.Points, one.Entropy = append(one.Points, points), append(one.Entropy, entropy)
		}
		s.found.Sets = append(s.found.Sets, one)
	}
	raw, err := files.Read(s.part, maxSearch)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var old progressOf
	if err := json.Unmarshal(raw, &old); err != nil {
		return fmt.Errorf("%s: %w: delete it and begin anew", s.part, err)
	}
	if old.Identity != s.found.Identity || !s.alike(old.Sets) {
		return fmt.Errorf("%s was begun with another model, suite, templates or --every: delete it, or choose another --out",
			s.part)
	}
	for k := range old.Sets {
		one := &old.Sets[k]
		one.done, err = records.ParseRanges(one.Done)
		indices := s.plan.targets[k].indices
		if n := len(one.done); err != nil || n > len(indices) || !slices.Equal(one.done, indices[:n]) {
			return fmt.Errorf("%s has looked at the samples %s of %s, which are not the first of those wanted: delete it, or "+
				"choose another --out", s.part, one.Done, one.Name)
		}
	}
	s.found = old
	return nil
}

// alike reports whether sets have the shapes of those to be found.
func (s *search) alike(sets []seen) bool {
	for k, one := range sets {
		if k >= len(s.found.Sets) {
			return false
		}
		want := s.found.Sets[k]
		if one.Name != want.Name || len(one.Points) != len(want.Points) || len(one.Entropy) != len(want.Entropy) {
			return false
		}
		for i := range want.Points {
			same := func(a, b []int) bool { return len(a) == len(b) }
			sameLength := func(a, b []float64) bool { return len(a) == len(b) }
			if !slices.EqualFunc(one.Points[i], want.Points[i], same) ||
				!slices.EqualFunc(one.Entropy[i], want.Entropy[i], sameLength) {
				return false
			}
		}
	}
	return len(sets) == len(s.found.Sets)
}

// saveEvery is how long a search works before it keeps what it has.
const saveEvery = 30 * time.Second

func (s *search) save() error {
	s.saved = time.Now()
	for k := range s.found.Sets {
		s.found.Sets[k].Done = records.Ranges(s.found.Sets[k].done)
	}
	raw, err := json.Marshal(s.found)
	if err != nil {
		return err
	}
	return renameio.WriteFile(s.part, raw, 0o666)
}

// look looks at all pictures that were not seen yet.
func (s *search) look(ctx context.Context) error {
	s.saved = time.Now()
	done := 0
	for k := range s.found.Sets {
		done += len(s.found.Sets[k].done)
	}
	s.progress.Start("looking for class experts", s.plan.Samples())
	s.progress.At(done)
	for k := range s.plan.targets {
		for _, index := range s.plan.targets[k].indices[len(s.found.Sets[k].done):] {
			if err := s.lookAt(ctx, k, index); err != nil {
				return err
			}
			s.found.Sets[k].done = append(s.found.Sets[k].done, index)
			done++
			s.progress.At(done)
			if time.Since(s.saved) > saveEvery {
				if err := s.save(); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// picture is that of a sample; its truth is not read where it is a file of its own.
func (t *target) pictureOf(index int) (*image.NRGBA, error) {
	if f, ok := t.Dataset.(datasets.Located); ok {
		if path, _ := f.Files(index); path != "" {
			orientation := picture.AsStored
			if t.framing.upright {
				orientation = picture.Upright
			}
			return picture.Read(path, orientation)
		}
	}
	s, err := t.Dataset.At(index)
	return s.Image, err
}

// lookAt adds a picture's entropies by all methods.
func (s *search) lookAt(ctx context.Context, k, index int) error {
	t := &s.plan.targets[k]
	fail := func(err error) error {
		return fmt.Errorf("%s: %s: %w", t.Info.Name, t.Dataset.ID(index), err)
	}
	img, err := t.pictureOf(index)
	if err != nil {
		return fail(err)
	}
	pixels, err := t.framing.input.Pixels(img)
	if err != nil {
		return fail(err)
	}
	regions, err := t.regionsOf(index, img.Rect.Dx(), img.Rect.Dy())
	if err != nil {
		return fail(err)
	}
	basis := runners.Basis(s.plan.model.Embed)
	one := &encoded{basis: [2]int{0, s.plan.model.Embed}}
	one.scan, err = s.images.Scan(ctx, runners.Picture{Pixels: pixels, Image: img, Regions: regions}, t.framing.sliding,
		basis)
	if err != nil {
		return fail(err)
	}
	w, h := points(img.Rect.Dx(), s.every), points(img.Rect.Dy(), s.every)
	type sums struct {
		points  []int
		entropy []float64
	}
	for i := range s.plan.methods {
		tokens := one.tokens(t, i)
		each := make([]sums, len(s.plan.templates))
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(runtime.NumCPU())
		for m := range each {
			group.Go(func() error {
				got, err := s.asker.Cosines(ctx, tokens, s.prompts[k].Ensemble([]int{m}))
				if err != nil {
					return err
				}
				one := sums{make([]int, len(t.Info.Classes)), make([]float64, len(t.Info.Classes))}
				t.OnPicture(got, w, h).Entropy(w, h, t.Rule, func(class int, nats float64) {
					one.points[class]++
					one.entropy[class] += nats
				})
				each[m] = one
				return nil
			})
		}
		if err := group.Wait(); err != nil {
			return fail(err)
		}
		for m, one := range each {
			for c, n := range one.points {
				s.found.Sets[k].Points[i][m][c] += n
				s.found.Sets[k].Entropy[i][m][c] += one.entropy[c]
			}
		}
	}
	return nil
}

// points is how many points a side of n pixels has, at every so many pixels.
func points(n, every int) int { return (n + every - 1) / every }

// experts are the templates of the least mean entropy; of equal ones the first.
func (s *search) experts(top int) *configs.Experts {
	e := &configs.Experts{Version: configs.ExpertsVersion, Templates: s.plan.templateList()}
	e.Model, e.Networks = expertNetworks(s.out)
	for k := range s.plan.targets {
		t, found := &s.plan.targets[k], &s.found.Sets[k]
		set := configs.ExpertSet{Name: t.Info.Name, Split: cmp.Or(t.Info.Split, "all"), Samples: found.Done,
			Pictures: len(found.done), Protocol: t.Protocol.String(), Scale: t.Rule.Scale, Classes: t.expertClasses()}
		for i := range s.plan.methods {
			m := s.plan.expertMethod(t, i)
			for c, name := range t.Info.Classes {
				if list := s.surest(k, i, c, top); len(list) > 0 {
					m.Classes = append(m.Classes, configs.ClassExperts{Class: name, Experts: list})
				}
			}
			set.Methods = append(set.Methods, m)
		}
		e.Datasets = append(e.Datasets, set)
	}
	return e
}

// surest are the experts of a class by a method.
func (s *search) surest(k, method, class, top int) (list []configs.Expert) {
	found := &s.found.Sets[k]
	for m, template := range s.plan.templates {
		n := found.Points[method][m][class]
		if n == 0 || slices.Index(s.plan.templates, template) < m {
			continue
		}
		list = append(list, configs.Expert{Template: template, Entropy: found.Entropy[method][m][class] / float64(n),
			Points: n})
	}
	slices.SortStableFunc(list, func(a, b configs.Expert) int { return cmp.Compare(a.Entropy, b.Entropy) })
	list = list[:min(top, len(list))]
	for i := range list {
		list[i].Entropy = math.Round(list[i].Entropy*1e6) / 1e6
	}
	return list
}
