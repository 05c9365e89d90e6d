package analysis

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"ovbench/bench/records"
	"ovbench/bench/tasks"
	"ovbench/metrics"
	"ovbench/reports/results"
)

// Load reads a run folder: what it measured, and the records behind its scores, in the order of data sets and
// samples. Samples that failed are left out, and those that an earlier run in the folder measured beyond the last
// one's plan.
func Load(dir string) (*results.Run, []records.Record, error) {
	run, err := results.Read(dir)
	if err != nil {
		return nil, nil, err
	}
	recs, err := load(dir, run, nil)
	return run, recs, err
}

// load reads the records of a run, with the evidence of some methods; nil is all.
func load(dir string, run *results.Run, methods []string) ([]records.Record, error) {
	log, err := openLog(dir, run)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	planned, err := records.Planned(run)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	var recs []records.Record
	for _, r := range log.Records {
		if _, wanted := slices.BinarySearch(planned[r.Dataset], r.Index); r.Error != "" || !wanted {
			continue
		}
		if r, err = r.Loaded(methods...); err != nil {
			return nil, err
		}
		recs = append(recs, r)
	}
	slices.SortFunc(recs, records.ByIndex)
	return recs, nil
}

// openLog opens the records of a run.
func openLog(dir string, run *results.Run) (*records.Log, error) {
	log, err := records.OpenLog(filepath.Join(dir, records.FileName))
	if err != nil {
		return nil, err
	}
	if log.Header.Fingerprint != run.Fingerprint {
		err := fmt.Errorf("%s: %s belongs to another run than %s", dir, records.FileName, results.FileName)
		return nil, errors.Join(err, log.Close())
	}
	return log, nil
}

// Side is one score of one run: one half of a comparison.
type Side struct {
	Run     *results.Run
	Records []records.Record // of all data sets; see [Load]
	Dataset string
	Method  string
	// Score is its name, such as "mIoU". Where the cells of a method have several conventions, "softmax:mAP" names one of
	// them; "mAP" is that of the first.
	Score string
}

// records are those of the side's data set, failed samples left out, in the order of samples.
func (s Side) records() []records.Record {
	of := slices.DeleteFunc(slices.Clone(s.Records),
		func(r records.Record) bool { return r.Dataset != s.Dataset || r.Error != "" })
	slices.SortFunc(of, records.ByIndex)
	return of
}

// bind finds the side's score and binds it to records.
func (s Side) bind(recs []records.Record) (tasks.Statistic, error) {
	stats, err := s.statistics(recs)
	if err != nil {
		return tasks.Statistic{}, err
	}
	convention, score, named := strings.Cut(s.Score, ":")
	if !named {
		convention, score = "", s.Score
	}
	return tasks.Find(stats, convention, score)
}

// statistics are those of all scores of the side's data set and method, bound to records.
func (s Side) statistics(recs []records.Record) ([]tasks.Statistic, error) {
	d, m := s.Run.Dataset(s.Dataset), s.Run.Method(s.Method)
	switch {
	case d == nil:
		return nil, fmt.Errorf("data set %q is not in the run", s.Dataset)
	case m == nil:
		return nil, fmt.Errorf("method %q is not in the run; it has %s", s.Method, strings.Join(names(s.Run), ", "))
	}
	name := taskOf(s.Run, s.Dataset, s.Method)
	t, ok := tasks.All[name]
	if !ok {
		return nil, fmt.Errorf("task %q is not known", name)
	}
	cells, err := t.Cells(tasks.Context{Run: s.Run, Dataset: *d, Method: s.Method}, recs)
	return tasks.Statistics(cells), err
}

// taskOf is what a run did: its cells say.
func taskOf(run *results.Run, dataset, method string) string {
	if c := run.Cell(dataset, method); c != nil && c.Task != "" {
		return c.Task
	}
	return "segmentation"
}

// PairOptions are what a paired comparison needs to be repeated.
type PairOptions struct {
	Resamples int // of the bootstrap; 0 for no interval
	Flips     int // random sign patterns, where there are more than 20 images; 0 is 10,000
	Seed      uint64
}

// Pair is a paired comparison of one score on the images that both sides measured.
type Pair struct {
	Convention, Score string
	Images            int      // in both
	OnlyA, OnlyB      []string // ids that the other side lacks
	A, B              float64  // the score of each side on the images of both
	Difference        float64  // A - B
	// Low and High bound the difference with confidence Level: the score of both sides is pooled anew over Resamples
	// draws of the images, the same draws for both. Resamples is 0 where no interval was asked for, or none is defined.
	Low, High, Level float64
	Resamples        int
	// SignFlip tests the differences image by image; nil for scores that one image does not have.
	SignFlip *SignFlipTest
	// McNemar tests events, for scores of hits and misses; nil for others.
	McNemar *McNemarTest
	// Each are the values of the images on which both are defined; nil as SignFlip is.
	Each []PairedImage
}

// PairedImage is the score of one image on both sides.
type PairedImage struct {
	ID   string
	A, B float64
}

// SignFlipTest is the permutation test of per-image differences; see [metrics.SignFlip].
type SignFlipTest struct {
	P          float64
	Exact      bool    // all sign patterns were tried
	Images     int     // with a value on both sides
	MeanA      float64 // mean of the values of single images, which is not the pooled score
	MeanB      float64
	Wins, Ties int // images where A is higher, or equal
}

// McNemarTest is the exact test of events; see [metrics.McNemar]. An event is one class in one image.
type McNemarTest struct {
	P                           float64
	Both, OnlyA, OnlyB, Neither int // events hit
}

// Paired compares two sides. Samples are matched by id; both sides must have the same classes and know the same
// truth, which the caller's protocol check says. The error names the score where it has no statistics.
func Paired(a, b Side, o PairOptions) (*Pair, error) {
	recsA, recsB, p := match(a.records(), b.records())
	if p.Images == 0 {
		return nil, fmt.Errorf("no image of %s was measured by both", a.Dataset)
	}
	ma, err := a.bind(recsA)
	if err != nil {
		return nil, err
	}
	mb, err := b.bind(recsB)
	if err != nil {
		return nil, err
	}
	p.Convention, p.Score = ma.Convention, ma.Score
	if err := p.pool(ma, mb, o); err != nil {
		return nil, fmt.Errorf("%s: %w", ma.Score, err)
	}
	if err := p.flip(ma, mb, recsA, o); err != nil {
		return nil, fmt.Errorf("%s: %w", ma.Score, err)
	}
	if ma.Events != nil && mb.Events != nil {
		p.McNemar, err = mcnemar(ma.Events, mb.Events)
	}
	return p, err
}

// match keeps the records of samples on both sides, in the order of a.
func match(a, b []records.Record) (inA, inB []records.Record, p *Pair) {
	p = &Pair{}
	byID := map[string]records.Record{}
	for _, r := range b {
		byID[r.ID] = r
	}
	seen := map[string]bool{}
	for _, r := range a {
		seen[r.ID] = true
		if other, ok := byID[r.ID]; ok {
			inA, inB = append(inA, r), append(inB, other)
			continue
		}
		p.OnlyA = append(p.OnlyA, r.ID)
	}
	for _, r := range b {
		if !seen[r.ID] {
			p.OnlyB = append(p.OnlyB, r.ID)
		}
	}
	p.Images = len(inA)
	return inA, inB, p
}

// pool computes the score of both sides, and the interval of their difference.
func (p *Pair) pool(a, b tasks.Statistic, o PairOptions) error {
	var stats [2]metrics.Statistic
	for i, m := range []tasks.Statistic{a, b} {
		var err error
		if stats[i], err = m.Pooled(); err != nil {
			return err
		}
		v, ok := stats[i].Once(p.Images)
		if !ok {
			return fmt.Errorf("it is undefined on the %d images of both runs", p.Images)
		}
		*[]*float64{&p.A, &p.B}[i] = v
	}
	p.Difference = p.A - p.B
	if o.Resamples < 1 || p.Images < 2 {
		return nil
	}
	iv, err := metrics.Resample(p.Images, o.Resamples, o.Seed, tasks.Level, metrics.Difference(stats[0], stats[1]))
	if err == nil { // else it is undefined on every draw: the difference stands without
		p.Low, p.High, p.Level, p.Resamples = iv.Low, iv.High, tasks.Level, iv.Resamples
	}
	return nil
}

// defaultFlips is the number of random sign patterns.
const defaultFlips = 10_000

// flip tests the differences image by image.
func (p *Pair) flip(a, b tasks.Statistic, recs []records.Record, o PairOptions) error {
	if a.Each == nil || b.Each == nil {
		return nil
	}
	va, err := a.Each()
	if err != nil {
		return err
	}
	vb, err := b.Each()
	if err != nil {
		return err
	}
	var diffs []float64
	t := &SignFlipTest{}
	for i, r := range recs {
		if va[i] != va[i] || vb[i] != vb[i] {
			continue
		}
		p.Each = append(p.Each, PairedImage{r.ID, va[i], vb[i]})
		diffs = append(diffs, va[i]-vb[i])
		t.MeanA += va[i]
		t.MeanB += vb[i]
		switch {
		case va[i] > vb[i]:
			t.Wins++
		case va[i] == vb[i]:
			t.Ties++
		}
	}
	if len(diffs) == 0 {
		return nil
	}
	t.Images = len(diffs)
	t.MeanA /= float64(t.Images)
	t.MeanB /= float64(t.Images)
	flips := o.Flips
	if flips == 0 {
		flips = defaultFlips
	}
	if t.P, t.Exact, err = metrics.SignFlip(diffs, flips, o.Seed); err != nil {
		return err
	}
	p.SignFlip = t
	return nil
}

// mcnemar counts the events that both sides judged.
func mcnemar(a, b []tasks.Event) (*McNemarTest, error) {
	type key struct{ image, class int }
	hits := map[key]bool{}
	for _, e := range b {
		hits[key{e.Image, e.Class}] = e.Hit
	}
	t := &McNemarTest{}
	for _, e := range a {
		other, judged := hits[key{e.Image, e.Class}]
		switch {
		case !judged:
		case e.Hit && other:
			t.Both++
		case e.Hit:
			t.OnlyA++
		case other:
			t.OnlyB++
		default:
			t.Neither++
		}
	}
	if t.Both+t.OnlyA+t.OnlyB+t.Neither == 0 {
		return nil, nil
	}
	var err error
	t.P, err = metrics.McNemar(t.OnlyA, t.OnlyB)
	return t, err
}
