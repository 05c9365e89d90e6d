package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"ovbench/bench/predictions"
	"ovbench/bench/records"
	"ovbench/bench/tasks"
	"ovbench/configs"
	"ovbench/datasets"
	"ovbench/datasets/labelmap"
	"ovbench/metrics"
	"ovbench/reports/results"
	"ovbench/runners/methods"
	"ovbench/runners/resample"
)

// Redecision says how the pixels of a run are to be decided anew, from the maps that it kept.
type Redecision struct {
	Dir       string   // of the run
	Data      string   // root of the data sets; "" for where the run had them
	Methods   []string // nil for all
	Datasets  []string // nil for all
	Resamples int      // of intervals; negative for as many as the run had
	// Variants are the ways to decide, by name, that there are for a data set under its protocol.
	Variants func(d *results.Dataset, p configs.Protocol) []Variant
}

// Variant is a way to decide pixels.
type Variant struct {
	Name     string
	Protocol configs.Protocol
}

// Redecided is a data set of a run, decided anew. Its methods are those of the run, each in every way.
type Redecided struct {
	Run       *results.Run // of this data set alone, with scores
	Records   []records.Record
	Set       string // which data set it is, whatever the run calls it
	Protocol  configs.Protocol
	Missing   int  // planned samples without maps
	Whole     bool // the maps are those that the run decided by, not stitched ones read at the centres of patches
	Unrefined bool // the run refined its maps, which these are not
}

// Label is the name of a method under a variant.
func Label(method, variant string) string { return method + " · " + variant }

// keptMaps is where a run keeps the maps of a data set by a method.
func keptMaps(dir, dataset, method string) string {
	return filepath.Join(dir, "maps", records.Clean(dataset), records.Clean(method))
}

// NoMapsError says that a run kept no maps, and how to get some.
type NoMapsError struct{ Dir, Dataset, Method, Command string }

func (e NoMapsError) Error() string {
	return fmt.Sprintf("%s keeps no maps of %s by %s: measure again with --save maps: %s", e.Dir, e.Dataset, e.Method,
		e.Command)
}

// Redecide decides the pixels of a run of task segmentation anew, in several ways, from the maps that it kept and the
// truth, without a network.
func Redecide(ctx context.Context, q Redecision, progress tasks.Progress) ([]Redecided, error) {
	run, err := results.Read(q.Dir)
	if err != nil {
		return nil, err
	}
	suite, err := configs.Parse(run.Suite.File, []byte(run.Suite.Text), tasks.Known())
	if err != nil {
		return nil, fmt.Errorf("%s: its suite: %w", q.Dir, err)
	}
	if !tasks.All[suite.Task].Needs().Pixels {
		return nil, fmt.Errorf("%s is of task %s, which gives no pixel a class", q.Dir, suite.Task)
	}
	planned, err := records.Planned(run)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", q.Dir, err)
	}
	var out []Redecided
	for _, d := range suite.Datasets {
		if q.Datasets != nil && !slices.Contains(q.Datasets, d.Label()) {
			continue
		}
		one, err := q.redecide(ctx, run, suite, d, planned[d.Label()], progress)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s has none of the data sets %s", q.Dir, strings.Join(q.Datasets, ", "))
	}
	return out, nil
}

// methods are those of a run that are wanted and have maps of a data set.
func (q *Redecision) methods(run *results.Run, dataset string) (out []results.Method, err error) {
	for _, name := range q.Methods {
		if run.Method(name) == nil {
			return nil, fmt.Errorf("%s has no method %q", q.Dir, name)
		}
	}
	for _, m := range run.Methods {
		if q.Methods != nil && !slices.Contains(q.Methods, m.Name) {
			continue
		}
		if _, err := os.Stat(keptMaps(q.Dir, dataset, m.Name)); err != nil {
			return nil, NoMapsError{q.Dir, dataset, m.Name, savingMaps(run.Command, q.Dir)}
		}
		out = append(out, m)
	}
	return out, nil
}

// savingMaps is the command of a run that keeps maps too, in another folder.
func savingMaps(command []string, dir string) string {
	if len(command) < 2 || command[1] != "run" {
		command = []string{"ovbench", "run", "SUITE"}
	}
	words := []string{}
	for i := 0; i < len(command); i++ {
		switch w := command[i]; {
		case (w == "--out" || w == "--save") && i+1 < len(command):
			i++
		case w == "--resume", strings.HasPrefix(w, "--out="), strings.HasPrefix(w, "--save="):
		default:
			words = append(words, w)
		}
	}
	return strings.Join(append(words, "--save", "maps", "--out", filepath.Clean(dir)+"-maps"), " ")
}

// reopen opens a data set as a run had it.
func (q *Redecision) reopen(run *results.Run, suite *configs.Suite, d configs.Dataset) (*target, error) {
	recorded := run.Dataset(d.Label())
	if recorded == nil {
		return nil, fmt.Errorf("%s: its results lack data set %s", q.Dir, d.Label())
	}
	if recorded.Experts != nil {
		return nil, fmt.Errorf("%s: class experts decided the pixels of %s, of whose texts maps hold nothing: name the "+
			"other data sets with --datasets", q.Dir, d.Label())
	}
	if d.Root != configs.DemoRoot {
		d.Root = ""
	}
	root := q.Data
	if root == "" {
		root = recorded.Root
	}
	p := &Plan{request: Request{Data: root}, suite: suite, task: tasks.All[suite.Task]}
	t, err := p.openTarget(d)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.Label(), err)
	}
	if t.Info.ListSHA256 != recorded.ListSHA256 || !slices.Equal(t.Info.Classes, recorded.Classes) {
		return nil, fmt.Errorf("%s: other samples or classes are in %s than when it was measured: name its root with --data",
			d.Label(), t.Info.Root)
	}
	if !slices.EqualFunc(t.queries, recorded.Queries, slices.Equal) {
		return nil, fmt.Errorf("%s: the queries %s are not those that it was measured with", d.Label(), t.set)
	}
	return &t, nil
}

func (q *Redecision) redecide(ctx context.Context, run *results.Run, suite *configs.Suite, d configs.Dataset,
	planned []int, progress tasks.Progress) (out Redecided, err error) {
	kept, err := q.methods(run, d.Label())
	if err != nil {
		return out, err
	}
	t, err := q.reopen(run, suite, d)
	if err != nil {
		return out, err
	}
	recorded := *run.Dataset(d.Label())
	out = Redecided{Set: d.Name, Protocol: t.Protocol, Unrefined: t.Protocol.PAMR > 0 || t.Protocol.SAMRefine > 0 ||
		slices.ContainsFunc(kept, settles),
		Whole: t.framing.whole() && t.Protocol.DecodeResize != "bilinear-twice"}
	t.Whole, t.Protocol.PAMR, t.Protocol.SAMRefine, t.Protocol.DecodeResize = true, 0, 0, "bilinear"
	if m := &run.Model; m.Sigmoid() {
		t.Rule.Scale, t.Rule.Bias, t.Rule.Sigmoid = m.LogitScale, m.LogitBias, true
	}
	r := redecider{target: t, dir: q.Dir, methods: kept, exact: out.Whole && !out.Unrefined,
		recorded: map[int]records.Record{}}
	log, err := records.OpenLog(filepath.Join(q.Dir, records.FileName))
	if err != nil {
		return out, err
	}
	defer log.Close()
	for _, rec := range log.Records {
		if rec.Dataset == d.Label() {
			r.recorded[rec.Index] = rec
		}
	}
	for _, v := range q.Variants(&recorded, t.Protocol) {
		if r.rule(v).Check(len(t.Texts)) == nil { // margins are of a softmax
			r.variants = append(r.variants, v)
		}
	}
	recs := make([]*records.Record, len(planned))
	progress.Start("deciding "+d.Label(), len(planned))
	var mu sync.Mutex
	done := 0
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.NumCPU())
	for i, index := range planned {
		group.Go(func() (err error) {
			if err := ctx.Err(); err != nil {
				return err
			}
			recs[i], err = r.record(index)
			mu.Lock()
			defer mu.Unlock()
			done++
			progress.At(done)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return out, err
	}
	for _, rec := range recs {
		if rec != nil {
			out.Records = append(out.Records, *rec)
		}
	}
	if out.Missing = len(recs) - len(out.Records); len(out.Records) == 0 {
		return out, fmt.Errorf("%s: no sample of %s has maps", q.Dir, d.Label())
	}
	return out, q.score(&out, run, suite, recorded, &r)
}

// score makes a run of what was decided, with scores.
func (q *Redecision) score(out *Redecided, run *results.Run, suite *configs.Suite, d results.Dataset,
	r *redecider) error {
	again := *run
	again.Datasets, again.Cells, again.Failures, again.Panels, again.Methods = []results.Dataset{d}, nil, nil, nil, nil
	for _, m := range r.methods {
		for _, v := range r.variants {
			named := m
			named.Name = Label(m.Name, v.Name)
			again.Methods = append(again.Methods, named)
		}
	}
	asked := *suite
	asked.Metrics = []string{"mIoU"}
	if q.Resamples >= 0 {
		asked.Resamples = q.Resamples
	}
	var err error
	again.Cells, err = tasks.Score(&again, &asked, out.Records)
	out.Run = &again
	return err
}

// redecider decides the samples of a data set.
type redecider struct {
	*target
	dir      string
	methods  []results.Method
	variants []Variant
	recorded map[int]records.Record
	exact    bool // maps give what was recorded, where pixels are decided as they were
}

// rule is how a variant decides the pixels of the run's model.
func (r *redecider) rule(v Variant) resample.Rule {
	rule := ruleOf(v.Protocol, r.Rule.Classes)
	if r.Rule.Sigmoid {
		rule.Scale, rule.Bias, rule.Sigmoid = r.Rule.Scale, r.Rule.Bias, true
	}
	return rule
}

// record decides a sample by all methods in all ways; it is nil if a method has no map of it.
func (r *redecider) record(index int) (*records.Record, error) {
	id := r.Dataset.ID(index)
	rec := &records.Record{Dataset: r.Info.Name, Index: index, ID: id, Methods: map[string]records.Evidence{}}
	var truth datasets.Sample
	before := r.recorded[index]
	for _, m := range r.methods {
		path := filepath.Join(keptMaps(r.dir, r.Info.Name, m.Name), records.Clean(id)+predictions.NPY)
		got, err := predictions.Read(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if shape := got.Scores.Shape; len(shape) != 3 || shape[0] != len(r.Texts) {
			return nil, fmt.Errorf("%s: an array of shape %v, but there are %d queries", path, shape, len(r.Texts))
		}
		if truth.Labels.W == 0 {
			if truth, err = r.Dataset.At(index); err != nil {
				return nil, err
			}
			if _, now := digests(truth); before.Truth != "" && before.Truth != now {
				return nil, fmt.Errorf("%s of %s has another truth than when it was measured: the data in %s has changed", id,
					r.Info.Name, r.Info.Root)
			}
		}
		sim := similarityOf(got.Scores, truth.Labels)
		for _, v := range r.variants {
			t := r.Target
			t.Protocol = v.Protocol
			t.Rule = r.rule(v)
			labels, err := tasks.Decode(&t, truth.Labels, &sim)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
			cells, err := metrics.Count(truth.Labels.Pix, labels, len(r.Info.Classes), labelmap.Ignore)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
			if e, err := before.Evidence(m.Name); err == nil && r.exact &&
				v.Protocol.Fingerprint() == r.Protocol.Fingerprint() && !slices.Equal(e.Confusion, cells) {
				return nil, fmt.Errorf("%s does not give what was recorded of %s: the map or the record has changed; measure "+
					"again with --save maps", path, id)
			}
			rec.Methods[Label(m.Name, v.Name)] = records.Evidence{Confusion: cells}
		}
	}
	return rec, nil
}

// settles says whether a method has a word on label maps that its maps do not show.
func settles(m results.Method) bool {
	made, err := methods.New(m.Kind, nil)
	return err == nil && made.Traits().Regions
}
