package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"ovbench/bench/records"
	"ovbench/bench/tasks"
	"ovbench/datasets"
	"ovbench/reports/results"
	"ovbench/runners"
	"ovbench/runners/methods"
	"ovbench/runners/ort"
	"ovbench/runners/sam"
	"ovbench/runners/tensor"
	"ovbench/runners/textcache"
	"ovbench/runners/vit"
)

// run is the state of one execution of a plan.
type run struct {
	plan   *Plan
	out    *results.Run
	images *runners.Images
	// the unchanged model, of tasks that probe, by how pixels are normalised
	plain     map[vit.Normalization]*runners.Images
	texts     []tensor.Dense          // normalised query embeddings [T, E] of each target
	asker     *runners.Asker          // asks texts of class experts; nil without
	prompts   map[int]runners.Prompts // of the experts, by target
	segmenter *sam.Segmenter          // nil without
	records   *records.File
	progress  tasks.Progress
	timer     timer
	schedule  *runners.Schedule // of networks: one uses all threads
	mu        sync.Mutex        // guards records, out.Failures and counters below
	done      int
	failed    int // in a row from the start
}

// Run measures, once. The returned run holds what was measured even if err is not nil, as long as any work was done;
// its Complete says whether every planned sample was. When ctx ends, finished samples are kept.
func (p *Plan) Run(ctx context.Context, progress tasks.Progress) (*results.Run, error) {
	r := &run{plan: p, progress: progress}
	r.schedule = runners.NewSchedule(p.request.atOnce(), r.timer.start)
	r.out = p.describe()
	start, cpu := time.Now(), cpuTime()
	if err := errors.Join(records.CheckFolder(p.request.Out), os.MkdirAll(p.request.Out, 0o777)); err != nil {
		return nil, err
	}
	if err := r.prepare(ctx); err != nil {
		return nil, err
	}
	defer r.closeImages()
	defer r.settle()()
	loopErr := r.loop(ctx)
	if err := r.records.Close(); err != nil && loopErr == nil {
		loopErr = err
	}
	r.out.Finished = time.Now()
	r.out.Timing = results.Timing{Seconds: r.timer.seconds(), Wall: time.Since(start).Seconds(),
		CPU: (cpuTime() - cpu).Seconds()}
	if err := r.finish(); err != nil {
		return nil, errors.Join(loopErr, err)
	}
	return r.out, loopErr
}

// settle gives back what loading took and measuring does not use; undo ends it. Processes that share their weights have
// little more memory than what is freed late, so there it is freed sooner.
func (r *run) settle() (undo func()) {
	if r.plan.model != nil {
		r.plan.model.Tokenizer = nil
	}
	undo = func() {}
	if r.plan.request.Mmap && os.Getenv("GOGC") == "" {
		before := debug.SetGCPercent(25)
		undo = func() { debug.SetGCPercent(before) }
	}
	debug.FreeOSMemory()
	ort.Trim()
	return undo
}

// prepare loads what samples are shown to, and opens the records.
func (r *run) prepare(ctx context.Context) error {
	if r.plan.imported != nil {
		return r.prepareImport()
	}
	hashed := make(chan error, 1)
	go func() { hashed <- hashAll(r.out) }()
	if err := r.loadImages(); err != nil {
		return err
	}
	err := errors.Join(<-hashed, r.plan.checkWeights(r.out))
	if err == nil {
		err = r.openRecords() // before the texts: a folder in use is told at once
	}
	if err == nil {
		if err = r.encodeTexts(ctx); err != nil {
			err = errors.Join(err, r.records.Close())
		}
	}
	if err != nil {
		r.closeImages()
	}
	return err
}

func (r *run) session() ort.Options {
	q, m := r.plan.request, r.plan.model
	o := ort.Options{Threads: q.Threads, Mmap: q.Mmap, Device: q.Device, Precision: q.Precision, Profile: q.Profile}
	if q.Mmap && m != nil && m.Config.Stages == [4]int{} {
		o.Optimize = ort.OptimizeExtended // the most copies the first layer in another order, which pays for ResNets alone
	}
	return o
}

func (r *run) imageOptions() runners.ImageOptions {
	return runners.ImageOptions{
		Height: r.plan.size[0], Width: r.plan.size[1], Positions: r.plan.positions, Similarities: true, Session: r.session(),
		Schedule:  r.schedule,
		Together:  r.plan.request.Batch,
		Backbones: Towers(r.plan.backbones),
	}
}

func (r *run) loadImages() (err error) {
	defer r.timer.start("load")()
	r.images, err = runners.NewImages(r.plan.library, r.plan.model.Model, r.plan.network, r.imageOptions())
	if err == nil {
		if err = errors.Join(r.loadProbe(), r.loadSegmenter(), r.loadAsker()); err != nil {
			r.closeImages()
		}
	}
	return err
}

func (r *run) loadAsker() (err error) {
	if r.plan.councils() {
		r.asker, err = runners.NewAsker(r.plan.library, r.plan.model.Embed, r.imageOptions())
	}
	return err
}

func (r *run) closeImages() {
	if r.images != nil {
		r.images.Close()
	}
	for _, plain := range r.plain {
		plain.Close()
	}
	if r.segmenter != nil {
		r.segmenter.Close()
	}
	if r.asker != nil {
		r.asker.Close()
	}
}

// encodeTexts encodes the queries of every data set, each distinct one once.
func (r *run) encodeTexts(ctx context.Context) error {
	defer r.timer.start("text")()
	texts, err := r.openTexts()
	if err != nil {
		return err
	}
	defer texts.Close()
	cut, err := r.plan.checkTexts()
	if err != nil {
		return err
	}
	r.out.Warnings = append(r.out.Warnings, cut...)
	var (
		distinct []string
		row      = map[string]int{}
		asked    = make([][]string, len(r.plan.targets))
	)
	for k, t := range r.plan.targets {
		asked[k] = t.Texts
		if r.plan.asksEmpty() {
			asked[k] = append(slices.Clone(t.Texts), "")
		}
		for _, text := range asked[k] {
			if _, known := row[text]; !known {
				row[text] = len(distinct)
				distinct = append(distinct, text)
			}
		}
	}
	all, err := texts.Ensemble(ctx, distinct, r.plan.templates, r.counting("encoding prompts"))
	if err != nil {
		return fmt.Errorf("class names: %w", err)
	}
	for _, list := range asked {
		e := tensor.New(len(list), r.plan.model.Embed)
		for i, text := range list {
			copy(e.At(i).Data, all.At(row[text]).Data)
		}
		r.texts = append(r.texts, e)
	}
	r.prompts = map[int]runners.Prompts{}
	for k, t := range r.plan.targets {
		if t.council != nil && err == nil {
			r.prompts[k], err = texts.Prompts(ctx, t.Texts, t.council.templates, nil) // which the cache knows by now
		}
	}
	return err
}

// counting shows the progress of work that may turn out to be none, from the first time that it is told.
func (r *run) counting(title string) func(done, total int) {
	began := false
	return func(done, total int) {
		if !began {
			began = true
			r.progress.Start(title, total)
		}
		r.progress.At(done)
	}
}

// checkTexts refuses class names that the model cannot read, and says of which it reads a part.
func (p *Plan) checkTexts() (warnings []string, err error) {
	for _, t := range p.targets {
		cut, err := runners.CheckTexts(p.model.Model, p.model.Tokenizer, t.Texts, p.templates)
		if err != nil {
			return nil, fmt.Errorf("%s: class names: %w", t.Info.Name, err)
		}
		if cut != "" {
			warnings = append(warnings, t.Info.Name+": class names: "+cut)
		}
	}
	return warnings, nil
}

// openTexts is the text tower, with what earlier runs on this machine encoded by the same weights in the same way.
func (r *run) openTexts() (*runners.Texts, error) {
	texts, err := runners.NewTexts(r.plan.library, r.plan.model.Model, r.plan.model.Tokenizer, r.session())
	if err != nil {
		return nil, err
	}
	root, err := ort.CacheDir()
	if err != nil {
		return texts, nil // no home, no cache
	}
	key := []string{fmt.Sprintf("%+v", r.plan.model.Config.Text), r.out.Runtime.Name, r.out.Runtime.Version,
		r.session().Exact().Device.String()}
	cache, err := textcache.Open(filepath.Join(root, "prompts"), r.plan.model.Embed,
		append(key, r.out.Model.Hashes()...)...)
	if err == nil { // a folder that cannot be written is no cache
		texts.Remember(cache)
	}
	return texts, nil
}

// asksEmpty reports whether the form of some method's feature surgery takes the empty text.
func (p *Plan) asksEmpty() bool {
	return slices.Contains(p.forms, methods.Empty)
}

func (r *run) openRecords() error {
	header, err := r.plan.header(r.out)
	if err != nil {
		return err
	}
	r.out.Fingerprint = header.Fingerprint
	header.Made = fmt.Sprintf("ovbench %s, %s %s", r.out.Tool.Version, r.out.Runtime.Name, r.out.Runtime.Version)
	if r.records, err = records.Open(r.plan.request.Out, header, r.plan.request.Resume); err != nil {
		return err
	}
	if r.records.Unlocked {
		r.out.Warnings = append(r.out.Warnings,
			r.plan.request.Out+" is on a file system without locks: nothing kept another run from writing there at the same "+
				"time")
	}
	if made := r.records.Made; made != "" && made != header.Made {
		r.out.Warnings = append(r.out.Warnings, fmt.Sprintf("begun with %s, went on with %s", made, header.Made))
	}
	if err := r.checkDone(); err != nil {
		return errors.Join(err, r.records.Close())
	}
	return nil
}

// loop measures every sample that has no record yet.
func (r *run) loop(ctx context.Context) error {
	sharedPictures, left := r.sharedPictures(), 0
	for _, e := range sharedPictures {
		left += len(e.samples)
	}
	r.done = r.plan.Samples() - left
	r.records.Expect(r.plan.Samples(), r.done)
	r.progress.Start("measuring "+r.plan.suite.Name, r.plan.Samples())
	r.progress.At(r.done)
	group, ctx := errgroup.WithContext(ctx)
	queue := make(chan *sharedPicture)
	group.Go(func() error {
		defer close(queue)
		for _, e := range sharedPictures {
			select {
			case queue <- e:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	for range max(r.plan.request.Jobs, 1) {
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

// maxLeadingFailures is the number of samples that must fail, with none succeeding, before a run gives up.
const maxLeadingFailures = 20

// keep writes a sample's record. A sample that only failed because ctx ended leaves none.
func (r *run) keep(ctx context.Context, rec records.Record) error {
	if rec.Error != "" && ctx.Err() != nil {
		return ctx.Err()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.records.Add(rec); err != nil {
		return err
	}
	r.done++
	r.progress.At(r.done)
	if rec.Error == "" {
		r.failed = -1 << 30
		return nil
	}
	if r.failed++; r.failed == maxLeadingFailures {
		return fmt.Errorf("the first %d samples all failed, the last one with: %s: %s", maxLeadingFailures, rec.ID, rec.Error)
	}
	return nil
}

// measure measures one picture with all methods, for all data sets that ask for it. What goes wrong is in the records.
func (r *run) measure(ctx context.Context, e *sharedPicture) []records.Record {
	recs := make([]records.Record, len(e.samples))
	samples := make([]datasets.Sample, len(e.samples))
	var readable []int // of samples
	var first *datasets.Sample
	for i, m := range e.samples {
		t := &r.plan.targets[m.target]
		recs[i] = records.Record{Dataset: t.Info.Name, Index: m.index, ID: t.Dataset.ID(m.index)}
		stop := r.timer.start("decode")
		s, err := t.sample(m.index, first)
		stop()
		if err != nil {
			t.diagnosis.Fail(err)
			recs[i].Fail("decode", err)
			continue
		}
		t.diagnosis.Add(m.index, s)
		if err := r.plan.task.Check(s); err != nil {
			recs[i].Fail("score", err)
			continue
		}
		recs[i].Picture, recs[i].Truth = digests(s)
		samples[i] = s
		readable = append(readable, i)
		if first == nil {
			first = &samples[i]
		}
	}
	if first == nil {
		return recs
	}
	if r.plan.imported != nil {
		for i, m := range e.samples {
			if recs[i].Error == "" {
				r.recordImported(ctx, &recs[i], m, samples[i])
			}
		}
		return recs
	}
	stage, picture, err := r.encodeSamples(ctx, e, samples, readable)
	for i, m := range e.samples {
		switch {
		case recs[i].Error != "":
		case err != nil:
			recs[i].Fail(stage, err)
		default:
			r.record(ctx, &recs[i], m, samples[i], picture)
		}
	}
	return recs
}

// sample reads a sample, with the picture that another data set has read of it, if there is one.
func (t *target) sample(index int, read *datasets.Sample) (datasets.Sample, error) {
	if shared, ok := t.Dataset.(datasets.Sharing); ok && read != nil {
		return shared.AtWith(index, read.Image)
	}
	return t.Dataset.At(index)
}

// encodeSamples takes the picture of samples through the network. An error comes with the stage where it arose.
func (r *run) encodeSamples(ctx context.Context, e *sharedPicture, samples []datasets.Sample,
	readable []int) (stage string, _ *encoded, err error) {
	var targets []int
	for _, i := range readable {
		targets = append(targets, e.samples[i].target)
	}
	f := r.plan.targets[targets[0]].framing
	stop := r.timer.start("preprocess")
	pixels, err := f.input.Pixels(samples[readable[0]].Image)
	stop()
	if err != nil {
		return "preprocess", nil, err
	}
	explained := make([][]int, len(readable))
	for k, i := range readable {
		v := r.view(ctx, e.samples[i], samples[i], pixels, f)
		if explained[k], err = r.explained(&v, &r.plan.targets[targets[k]]); err != nil {
			return "network", nil, err
		}
	}
	image := samples[readable[0]].Image
	regions, err := r.plan.targets[targets[0]].regionsOf(e.samples[readable[0]].index, image.Rect.Dx(),
		image.Rect.Dy())
	if err != nil {
		return "decode", nil, err
	}
	picture, err := r.encode(ctx, runners.Picture{Pixels: pixels, Image: image, Regions: regions}, f, targets, explained)
	if err == nil {
		picture.sitting = r.segmented(ctx, image)
	}
	return "network", picture, err
}

// explained are the texts whose maps are read, where that saves methods work; nil is all.
func (r *run) explained(v *tasks.View, t *target) ([]int, error) {
	classes := r.plan.task.Needs().Classes
	if !r.plan.explains() || classes == nil || r.plan.request.Save.Maps {
		return nil, nil
	}
	wanted, err := classes(v)
	if err != nil {
		return nil, err
	}
	if slices.Contains(t.panels, v.Index) && v.Sample.Labels.W > 0 {
		wanted = append(wanted, mainClass(t, v.Sample.Labels.Pix))
	}
	texts := []int{}
	for i, class := range t.Rule.Classes {
		if slices.Contains(wanted, class) {
			texts = append(texts, i)
		}
	}
	return texts, nil
}

// view is a sample that no method has seen yet.
func (r *run) view(ctx context.Context, at sampleRef, s datasets.Sample, pixels tensor.Dense, f framing) tasks.View {
	return tasks.View{Target: &r.plan.targets[at.target].Target, Index: at.index, Sample: s,
		Cosines: r.cosines(ctx, at.target),
		Pixels:  pixels.Data, Grey: f.colours.Grey(), Height: pixels.Shape[2], Width: pixels.Shape[3]}
}

// record fills in the record of one sample from what the network made of its picture.
func (r *run) record(ctx context.Context, rec *records.Record, at sampleRef, s datasets.Sample, picture *encoded) {
	scoring := r.timer.start("score")
	pause := func() (resume func()) { // the networks' time is not the score's
		scoring()
		return func() { scoring = r.timer.start("score") }
	}
	t := &r.plan.targets[at.target]
	v := r.view(ctx, at, s, picture.pixels, picture.framing)
	if cosines := v.Cosines; cosines != nil {
		v.Cosines = func(images [][]float32) ([][]float32, error) {
			defer pause()()
			return cosines(images)
		}
	}
	if segment := picture.sitting.segment; segment != nil {
		v.KeepMasks = r.plan.request.Save.Masks
		v.Segment = func(p sam.Prompt) (*sam.Masks, error) {
			defer pause()()
			return segment(p)
		}
		if threshold := t.Protocol.SAMRefine; threshold > 0 {
			v.Refine = r.refine(threshold, picture.sitting.seen(), v.Segment)
		}
	}
	for k, m := range r.plan.methods {
		sim := picture.similarity(t, at.target, m.Method, k)
		sim.Experts = r.heard(ctx, picture, at.target, k, pause)
		v.Methods = append(v.Methods, tasks.Seen{Name: m.Name, Form: r.plan.forms[k], Ending: r.plan.endings[k],
			Similarity: sim})
	}
	made, err := r.plan.task.Measure(&v)
	scoring()
	if err != nil {
		rec.Fail("score", err)
		return
	}
	r.complete(rec, t, &v, made)
}

// complete fills in a record with what a task made of its sample, and keeps what was asked for.
func (r *run) complete(rec *records.Record, t *target, v *tasks.View, made tasks.Measured) {
	rec.Methods, rec.Tags = map[string]records.Evidence{}, made.Tags
	for k, m := range r.plan.methods {
		rec.Methods[m.Name] = made.Evidence[k]
		rec.Size = made.Evidence[k].Size()
	}
	if err := rec.Check(); err != nil {
		rec.Fail("score", err)
		return
	}
	defer r.timer.start("save")()
	if err := r.save(t, v, &made); err != nil {
		rec.Fail("save", err)
	}
}

// finish turns records into the run's scores and writes results.
func (r *run) finish() error {
	log, err := records.OpenLog(filepath.Join(r.plan.request.Out, records.FileName))
	if err != nil {
		return err
	}
	defer log.Close()
	recs := slices.DeleteFunc(log.Records, func(rec records.Record) bool {
		_, done := r.records.Done[rec.Key()]
		return !done // it failed before, and was not tried again
	})
	for _, t := range r.plan.targets {
		for _, f := range t.diagnosis.Faults() {
			r.out.Warnings = append(r.out.Warnings, t.Info.Name+": "+f.Error())
		}
	}
	return tasks.Finish(r.out, recs, r.planned(), r.plan.request.Out, r.plan.suite)
}

// planned are the samples of each data set that the run was to measure.
func (r *run) planned() map[string][]int {
	out := map[string][]int{}
	for _, t := range r.plan.targets {
		out[t.Info.Name] = t.indices
	}
	return out
}

// timer adds up the time of stages over all workers. The zero value is ready.
type timer struct {
	mu    sync.Mutex
	total map[string]time.Duration
}

// start begins a stretch of a stage; the returned function ends it.
func (s *timer) start(stage string) func() {
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

// cpuTime is what all cores together have worked for this process.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func (s *timer) seconds() map[string]float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]float64{}
	for k, d := range s.total {
		out[k] = d.Seconds()
	}
	return out
}
