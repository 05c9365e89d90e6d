package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"ovbench/configs"
	"ovbench/datasets"
	"ovbench/reports/results"
	"ovbench/runners"
	"ovbench/runners/methods"
	"ovbench/runners/ort"
	"ovbench/runners/tensor"
)

// Progress is told how far the work is. Its methods are called from one goroutine at a time.
type Progress interface {
	// Start begins a stage of total steps; Start ends the stage before it.
	Start(stage string, total int)
	// At says how many steps are done.
	At(done int)
}

// run is the state of one execution of a plan.
type run struct {
	*Plan
	out     *results.Run
	images  *runners.Images
	plain   *runners.Images // the unchanged model, of tasks that probe
	texts   []tensor.Dense  // normalised query embeddings [T, E] of each job
	records *records
	tell    Progress
	watch   stopwatch
	forward chan struct{} // held while the session runs: one forward uses all threads
	mu      sync.Mutex    // guards records, out.Failures and counters below
	done    int
	failed  int // in a row from the start
}

// Run measures. The returned run holds what was measured even if err is not nil, as long as any work was done;
// its Complete says whether every planned sample was. When ctx ends, finished samples are kept.
func (p *Plan) Run(ctx context.Context, tell Progress) (*results.Run, error) {
	r := &run{Plan: p, tell: tell, forward: make(chan struct{}, 1)}
	r.out = p.describe()
	start := time.Now()
	hashed := make(chan error, 1)
	go func() { hashed <- hashFiles(&r.out.Model) }()
	if err := os.MkdirAll(p.request.Out, 0o777); err != nil {
		return nil, err
	}
	if err := r.loadImages(); err != nil {
		return nil, err
	}
	defer r.images.Close()
	if r.plain != nil {
		defer r.plain.Close()
	}
	if err := <-hashed; err != nil {
		return nil, err
	}
	if err := r.openRecords(); err != nil { // before the texts: a folder in use is told at once
		return nil, err
	}
	if err := r.encodeTexts(ctx); err != nil {
		return nil, errors.Join(err, r.records.close())
	}
	loopErr := r.loop(ctx)
	if err := r.records.close(); err != nil && loopErr == nil {
		loopErr = err
	}
	r.out.Finished = time.Now()
	r.out.Timing = results.Timing{Seconds: r.watch.seconds(), Wall: time.Since(start).Seconds()}
	if err := r.finish(); err != nil {
		return nil, errors.Join(loopErr, err)
	}
	return r.out, loopErr
}

func (r *run) session() ort.Options {
	return ort.Options{Threads: r.request.Threads, Mmap: r.request.Mmap}
}

func (r *run) loadImages() (err error) {
	defer r.watch.start("load")()
	r.images, err = runners.NewImages(r.library, r.model.Model, r.network, runners.ImageOptions{
		Height: r.size[0], Width: r.size[1], Positions: r.positions, Similarities: true, Session: r.session(),
	})
	if err == nil {
		if err = r.loadProbe(); err != nil {
			err = errors.Join(err, r.images.Close())
		}
	}
	return err
}

// encodeTexts encodes the queries of every data set.
func (r *run) encodeTexts(ctx context.Context) error {
	defer r.watch.start("text")()
	texts, err := runners.NewTexts(r.library, r.model.Model, r.model.Tokenizer, r.session())
	if err != nil {
		return err
	}
	defer texts.Close()
	for i := range r.jobs {
		j := &r.jobs[i]
		began := false
		all := j.texts
		if r.asksEmpty() {
			all = append(slices.Clone(all), "")
		}
		e, err := texts.Ensemble(ctx, all, r.templates, func(done, total int) {
			if !began {
				began = true
				r.tell.Start("encoding prompts of "+j.info.Name, total)
			}
			r.tell.At(done)
		})
		if err != nil {
			return fmt.Errorf("class names of %s: %w", j.info.Name, err)
		}
		r.texts = append(r.texts, e)
	}
	return nil
}

// asksEmpty reports whether the form of some method's feature surgery takes the empty text.
func (p *Plan) asksEmpty() bool {
	return slices.ContainsFunc(p.forms, func(m methodOf) bool { return m.form == methods.Empty })
}

func (r *run) openRecords() error {
	fingerprint, err := r.fingerprint(hashesOf(r.out))
	if err != nil {
		return err
	}
	r.out.Fingerprint = fingerprint
	r.records, err = openRecords(r.request.Out, fingerprint, r.request.Resume)
	return err
}

// loop measures every sample that has no record yet.
func (r *run) loop(ctx context.Context) error {
	errands, left := r.errands(), 0
	for _, e := range errands {
		left += len(e.members)
	}
	r.done = r.Samples() - left
	r.tell.Start("measuring", r.Samples())
	r.tell.At(r.done)
	group, ctx := errgroup.WithContext(ctx)
	queue := make(chan *errand)
	group.Go(func() error {
		defer close(queue)
		for _, e := range errands {
			select {
			case queue <- e:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	for range max(r.request.Jobs, 1) {
		group.Go(func() error {
			for e := range queue {
				for _, rec := range r.measure(ctx, e) {
					if err := r.keep(ctx, rec); err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// hopeless is the number of samples that must fail, with none succeeding, before a run gives up.
const hopeless = 20

// keep writes a sample's record. A sample that only failed because ctx ended leaves none.
func (r *run) keep(ctx context.Context, rec Record) error {
	if rec.Error != "" && ctx.Err() != nil {
		return ctx.Err()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.records.add(rec); err != nil {
		return err
	}
	r.done++
	r.tell.At(r.done)
	if rec.Error == "" {
		r.failed = -1 << 30
		return nil
	}
	if r.failed++; r.failed == hopeless {
		return fmt.Errorf("the first %d samples all failed, the last one with: %s: %s", hopeless, rec.ID, rec.Error)
	}
	return nil
}

// measure measures one picture with all methods, for all data sets that ask for it. What goes wrong is in the records.
func (r *run) measure(ctx context.Context, e *errand) []Record {
	recs := make([]Record, len(e.members))
	samples := make([]datasets.Sample, len(e.members))
	var jobs []int // of members that can be read
	var first *datasets.Sample
	for i, m := range e.members {
		j := &r.jobs[m.job]
		recs[i] = Record{Dataset: j.info.Name, Index: m.index, ID: j.dataset.ID(m.index)}
		stop := r.watch.start("decode")
		s, err := j.sample(m.index, first)
		stop()
		if err != nil {
			recs[i].fail("decode", err)
			continue
		}
		if err := r.task.check(s); err != nil {
			recs[i].fail("score", err)
			continue
		}
		samples[i] = s
		jobs = append(jobs, m.job)
		if first == nil {
			first = &samples[i]
		}
	}
	if first == nil {
		return recs
	}
	stage, picture, err := r.show(ctx, first, r.jobs[jobs[0]].framing, jobs)
	for i, m := range e.members {
		switch {
		case recs[i].Error != "":
		case err != nil:
			recs[i].fail(stage, err)
		default:
			r.read(ctx, &recs[i], m, samples[i], picture)
		}
	}
	return recs
}

// sample reads a sample, with the picture that another data set has read of it, if there is one.
func (j *job) sample(index int, read *datasets.Sample) (datasets.Sample, error) {
	if shared, ok := j.dataset.(datasets.Sharing); ok && read != nil {
		return shared.AtWith(index, read.Image)
	}
	return j.dataset.At(index)
}

// show takes a sample's picture through the network. An error comes with the stage where it arose.
func (r *run) show(ctx context.Context, s *datasets.Sample, f framing, jobs []int) (stage string, _ *seen, err error) {
	stop := r.watch.start("preprocess")
	pixels, err := f.input.Pixels(s.Image)
	stop()
	if err != nil {
		return "preprocess", nil, err
	}
	picture, err := r.look(ctx, pixels, f, jobs)
	return "forward", picture, err
}

// read fills in the record of one sample from what the network saw.
func (r *run) read(ctx context.Context, rec *Record, m member, s datasets.Sample, picture *seen) {
	defer r.watch.start("score")()
	j := &r.jobs[m.job]
	sims := make([]similarity, len(r.forms))
	readings := make([]reading, len(r.forms))
	for k := range r.forms {
		sims[k] = picture.similarity(j, m.job, k)
		var err error
		if readings[k], err = r.task.read(j, &r.forms[k], m.index, s, sims[k]); err != nil {
			rec.fail("score", err)
			return
		}
	}
	if err := r.probe(ctx, m.job, m.index, picture.pixels, sims, readings); err != nil {
		rec.fail("probe", err)
		return
	}
	rec.Methods = map[string]Evidence{}
	for k := range readings {
		rec.Methods[r.forms[k].name] = readings[k].evidence
	}
	if t, ok := r.task.(tagger); ok {
		rec.Tags = t.tags(j, s)
	}
	if err := r.save(j, m.index, s, sims, readings); err != nil {
		rec.fail("save", err)
	}
}

// finish turns records into the run's scores and writes results.
func (r *run) finish() error {
	var recs []Record
	for _, rec := range r.records.done {
		recs = append(recs, rec)
	}
	return finish(r.out, recs, r.planned(), r.request.Out, r.suite)
}

// planned are the samples of each data set that the run was to measure.
func (r *run) planned() map[string][]int {
	out := map[string][]int{}
	for _, j := range r.jobs {
		out[j.info.Name] = j.indices
	}
	return out
}

// finish completes and writes a run from its records. Planned samples without a good record make it incomplete.
func finish(out *results.Run, recs []Record, planned map[string][]int, dir string, suite *configs.Suite) error {
	wanted, good := map[recordKey]bool{}, map[recordKey]bool{}
	for name, indices := range planned {
		for _, i := range indices {
			wanted[recordKey{name, i}] = true
		}
	}
	var kept []Record
	out.Failures = nil
	for _, rec := range recs {
		if !wanted[recordKey{rec.Dataset, rec.Index}] {
			continue
		}
		if rec.Error != "" {
			out.Failures = append(out.Failures, results.Failure{Dataset: rec.Dataset, ID: rec.ID, Stage: rec.Stage, Error: rec.Error})
			continue
		}
		good[recordKey{rec.Dataset, rec.Index}] = true
		kept = append(kept, rec)
	}
	slices.SortFunc(out.Failures, func(a, b results.Failure) int {
		return slices.Compare([]string{a.Dataset, a.ID}, []string{b.Dataset, b.ID})
	})
	out.Complete = true
	for i := range out.Datasets {
		d := &out.Datasets[i]
		d.Measured = 0
		for _, k := range planned[d.Name] {
			if good[recordKey{d.Name, k}] {
				d.Measured++
			} else {
				out.Complete = false
			}
		}
	}
	out.Panels = wholePanels(dir, out.Panels)
	var err error
	if out.Cells, err = Score(out, suite.Task, kept, suite.Resamples, suite.Seed); err != nil {
		return err
	}
	return out.Write(dir)
}

// stopwatch adds up the time of stages over all workers. The zero value is ready.
type stopwatch struct {
	mu    sync.Mutex
	total map[string]time.Duration
}

// start begins a stretch of a stage; the returned function ends it.
func (s *stopwatch) start(stage string) func() {
	t := time.Now()
	return func() {
		d := time.Since(t)
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.total == nil {
			s.total = map[string]time.Duration{}
		}
		s.total[stage] += d
	}
}

func (s *stopwatch) seconds() map[string]float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]float64{}
	for k, d := range s.total {
		out[k] = d.Seconds()
	}
	return out
}
