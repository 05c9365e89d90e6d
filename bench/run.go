package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ovbench/bench/cluster"
	"ovbench/bench/engine"
	"ovbench/bench/records"
	"ovbench/bench/tasks"
	"ovbench/configs"
	"ovbench/datasets"
	"ovbench/reports"
	"ovbench/reports/results"
	"ovbench/runners/ort"
)

// suiteFlags are the flags by which a suite and its data are found and changed.
type suiteFlags struct {
	modelFlags
	segmenterFlags
	data     string
	limit    int
	only     []string
	set      []string
	methods  []string
	datasets []string
	protocol string
	models   []configs.Model // of --model, with the names that they were given
}

func (f *suiteFlags) add(c *cobra.Command) {
	f.modelFlags.add(c)
	f.addData(c)
	c.Flag("model").Usage += ", or NAME=model, as tables call it; repeated, one run of each (default: the suite's)"
	c.Flag("model").Value = &repeated{list: &f.models, last: &f.model}
	c.Flags().StringSliceVar(&f.methods, "method", nil,
		"`methods` in place of the suite's, repeated or separated by commas, with parameters as in naclip:attn=kk:sigma=3")
}

// addData adds the flags that need no model.
func (f *suiteFlags) addData(c *cobra.Command) {
	f.addSegmenter(c)
	c.Flag("segmenter").Usage += " (default: the suite's; task interactive)"
	c.Flags().StringVar(&f.data, "data", os.Getenv("OVBENCH_DATA"), "`root` of the data sets (default: OVBENCH_DATA)")
	c.Flags().IntVar(&f.limit, "limit", 0, "measure the first `N` samples of each data set")
	c.Flags().StringSliceVar(&f.only, "only", nil, "measure these sample `ids`")
	c.Flags().StringArrayVar(&f.set, "set", nil, "change the suite: `key=value`, such as protocol.size=336")
	c.Flags().StringSliceVar(&f.datasets, "dataset", nil,
		"`data sets` in place of the suite's, repeated or separated by commas")
	c.Flags().StringVar(&f.protocol, "protocol", "", "`protocol` in place of the suite's (ovbench list protocols)")
}

// load reads a suite, or makes one of a data set's name, with the changes of the flags.
func (f *suiteFlags) load(c *cobra.Command, name string) (*configs.Suite, error) {
	s, err := f.suite(c, name)
	if err != nil {
		return nil, usageError{error: err}
	}
	for _, list := range []struct {
		flag, key string
		words     []string
	}{{"dataset", "datasets", f.datasets}, {"method", "methods", f.methods}} {
		raw, err := json.Marshal(list.words) // is YAML too
		if err == nil && list.words != nil {
			err = s.Set(list.key, string(raw))
		}
		if err != nil {
			return nil, usageError{named(err, list.flag), c.CommandPath()}
		}
	}
	if f.protocol != "" {
		if err := s.Set("protocol", f.protocol); err != nil {
			return nil, usageError{named(err, "protocol"), c.CommandPath()}
		}
	}
	chosen := f.methods != nil // by the user, who wants no others
	for _, kv := range f.set {
		key, value, ok := strings.Cut(kv, "=")
		if !ok {
			return nil, usagef(c.CommandPath(), "--set %q: want key=value", kv)
		}
		if err := s.Set(key, value); err != nil {
			return nil, usageError{err, c.CommandPath()}
		}
		chosen = chosen || key == "methods"
	}
	if chosen {
		s.Grow = false
	}
	given, err := f.namedBackbones(c)
	engine.Grow(s, slices.Collect(maps.Keys(given)))
	return s, err
}

// named is an error of --set as one of the flag that was typed.
func named(err error, flag string) error {
	return errors.New(strings.ReplaceAll(err.Error(), "--set:", "--"+flag+":"))
}

// suite is one by name, or one that asks for a data set what is usual.
func (f *suiteFlags) suite(c *cobra.Command, name string) (*configs.Suite, error) {
	if !slices.ContainsFunc(datasets.All, func(e datasets.Entry) bool { return e.Name == name }) ||
		slices.Contains(configs.Names(), name) {
		return configs.Load(name, tasks.Known())
	}
	if f.models == nil && c.Flag("model") != nil {
		fmt.Fprintln(c.ErrOrStderr(),
			"ovbench: no --model is given: the built-in one, which has seen nothing but pictures of shapes")
	}
	text := fmt.Sprintf("model: demo\ndatasets: [%s]\nmethods: [clip, clip_surgery]\nprotocol: clip-surgery\n", name)
	return configs.Parse(name+".yaml", []byte(text), tasks.Known())
}

// request is what the flags ask of a suite.
func (f *suiteFlags) request(c *cobra.Command, s *configs.Suite) (engine.Request, error) {
	if c.Flag("limit").Changed && f.limit == 0 {
		return engine.Request{},
			usagef(c.CommandPath(), "--limit 0 measures nothing: leave --limit out to measure all samples")
	}
	switch {
	case f.limit < 0:
		return engine.Request{}, usagef(c.CommandPath(), "--limit %d: want 1 or more", f.limit)
	case f.threads < 0:
		return engine.Request{}, usagef(c.CommandPath(), "--threads %d: want 0 or more", f.threads)
	}
	if err := ort.CheckDevice(f.device, f.precision); err != nil {
		return engine.Request{}, usageError{err, c.CommandPath()}
	}
	backbones, err := f.namedBackbones(c)
	if err != nil {
		return engine.Request{}, err
	}
	embeddings, err := f.folder()
	if err != nil {
		return engine.Request{}, err
	}
	model := f.options()
	if len(f.models) == 1 {
		model.Title = f.models[0].Name
	}
	return engine.Request{
		Segmenter: f.segmenter, Embeddings: embeddings,
		Device: f.device, Precision: f.precision, Backbones: backbones,
		Suite: s, Model: model, Data: f.data, Limit: f.limit, Only: f.only,
		Threads: f.threads, Mmap: f.mmap, Runtime: f.runtime,
	}, nil
}

// runFlags are the flags of a run.
type runFlags struct {
	suiteFlags
	out    string
	save   []string
	resume bool
	shard  shardFlag
	jobs   int
	batch  int

	verbose bool
	profile string
}

func (f *runFlags) add(c *cobra.Command) {
	f.suiteFlags.add(c)
	c.Flags().StringVar(&f.out, "out", "", "`folder` to write")
	c.Flags().StringSliceVar(&f.save, "save", nil, "keep more `kinds` of files: maps, labels, masks")
	c.Flags().BoolVar(&f.resume, "resume", false, "continue an earlier run in --out")
	c.Flags().Var(&f.shard, "shard", "measure part i of n; auto/n takes i from the scheduler and writes below "+
		"--out/shards")
	c.Flags().IntVar(&f.jobs, "jobs", 2, "`N` samples at a time: one is in the network while others are read and "+
		"scored")
	c.Flags().IntVar(&f.batch, "batch", 1, "`N` pictures or windows of one size at most go through the network together; it "+
		"raises --jobs to twice as many. Cores gain nothing by it, a GPU may")
	c.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "say at the end where the time went")
	c.Flags().StringVar(&f.profile, "profile", "", "`folder` for profiles: cpu.pprof and heap.pprof of the program, "+
		"onnxruntime-*.json of the networks")
}

func runCommand() *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:   "run SUITE...",
		Short: "Measure suites",
		Long: `Measure suites: files, or names of built-in ones, or of a data set, which asks for what is usual. All methods of a suite run in one pass. The folder --out gets

  results.json    what was asked, resolved and measured (ovbench report makes tables and pictures of it)
  records.jsonl   one line per sample, from which every score is computed
  panels/         pictures, label maps and similarity maps of a few samples

and, with --save maps, the cosines of every query with each patch [T, rows, cols] as .npy under maps/ and with the
class token [T] under cls/ (of windows the stitched maps alone); with --save labels, every predicted label map as PNG
under labels/; with --save masks, the prompts of task interactive as .json and the logits of their masks [P, 4, h, w] as
.npy under masks/. With several suites, each gets a folder of its own below --out. An interrupted run continues with
--resume. --shard 2/8 measures every eighth sample, from the second; ovbench merge joins the parts. In a job of an array,
--shard auto/8 takes the number from the scheduler (Slurm, Kubernetes, PBS, LSF, SGE, or OVBENCH_SHARD from 1 to 8) and
writes OUT/shards/002-of-008; ovbench submit writes such jobs.

Built-in suites (ovbench list suites says what each is):
` + indented(configs.Names(), 100),
		Example: `  ovbench run demo --out out/demo
  ovbench run voc20 --data /data --model openai/clip-vit-base-patch16 --out out/voc20
  ovbench run voc20 --protocol naclip --method clip,naclip:sigma=3 --data /data --out out/naclip
  ovbench run folder --data pictures --model openai/clip-vit-base-patch16 --method clip --method clip_surgery --out out/own
  ovbench run mine.yaml --data /data --out out/mine --shard 2/8`,
		Args: arguments(1, -1),

		ValidArgsFunction: completeSuites,
	}
	f.add(c)
	c.RunE = func(c *cobra.Command, names []string) error {
		if f.out == "" {
			return usagef(c.CommandPath(), "--out is missing: name the folder to write")
		}
		if f.jobs < 1 || f.jobs > 4096 {
			return usagef(c.CommandPath(), "--jobs %d: want 1 to 4096", f.jobs)
		}
		if f.batch < 1 || f.batch > 1024 {
			return usagef(c.CommandPath(), "--batch %d: want 1 to 1024", f.batch)
		}
		if err := f.shard.resolve(c.ErrOrStderr()); err != nil {
			return usageError{err, c.CommandPath()}
		}
		keep, err := parseSave(f.save)
		if err != nil {
			return usageError{err, c.CommandPath()}
		}
		suites, err := f.loadAll(c, names)
		if err != nil {
			return err
		}
		plans, err := f.plan(c, suites, keep)
		if err != nil {
			return err
		}
		var missing error
		for i, a := range suites {
			if err := f.runSuite(c, plans[i], f.folder(a)); err != nil {
				if m := (missingError{}); !errors.As(err, &m) {
					return err
				}
				missing = errors.Join(missing, err)
			}
		}
		return missing
	}
	return c
}

// folder is where a suite is measured into.
func (f *runFlags) folder(a asked) string {
	out := filepath.Join(f.out, a.folder)
	if f.shard.auto {
		out = cluster.Folder(out, f.shard.Index, f.shard.Count)
	}
	return out
}

// plan resolves what all suites name before the first is measured, and reports the faults of all of them, each once.
func (f *runFlags) plan(c *cobra.Command, suites []asked, keep engine.Save) ([]*engine.Plan, error) {
	var (
		plans  []*engine.Plan
		faults []error
	)
	for _, a := range suites {
		req, err := f.request(c, a.Suite)
		if err != nil {
			return nil, err
		}
		req.Out, req.Save, req.Resume, req.Shard, req.Jobs = f.folder(a), keep, f.resume, f.shard.Shard, f.jobs
		if f.batch > 1 {
			req.Batch, req.Jobs = f.batch, max(f.jobs, 2*f.batch)
		}
		req.Command = append([]string{"ovbench"}, os.Args[1:]...)
		if f.profile != "" {
			req.Profile = filepath.Join(f.profile, "onnxruntime")
		}
		if out := filepath.Clean(f.out); filepath.Clean(req.Out) != out {
			if err := cluster.CheckOut(out); err != nil {
				return nil, err
			}
		}
		if f.shard.auto {
			if err := cluster.CheckCount(filepath.Join(f.out, a.folder), f.shard.Count); err != nil {
				return nil, err
			}
		}
		plan, err := engine.NewPlan(req)
		plans = append(plans, plan)
		if err != nil && !slices.ContainsFunc(faults, func(e error) bool { return e.Error() == err.Error() }) {
			faults = append(faults, err)
		}
	}
	return plans, errors.Join(faults...)
}

// repeated is --model, which may be given several times, each with a name or without.
type repeated struct {
	list  *[]configs.Model
	last  *string
	typed []string
}

func (r *repeated) String() string { return *r.last }
func (r *repeated) Type() string   { return "model" }

// Set takes NAME=model, unless a file is called so.
func (r *repeated) Set(v string) error {
	m := configs.Model{Path: v}
	name, path, named := strings.Cut(v, "=")
	if _, err := os.Lstat(v); named && err != nil && !strings.ContainsAny(name, `/\`) {
		if m = (configs.Model{Name: name, Path: path}); name == "" || path == "" {
			return fmt.Errorf("want NAME=model, such as ours=finetuned.pt, or a model")
		}
	}
	*r.list, *r.last, r.typed = append(*r.list, m), m.Path, append(r.typed, v)
	return nil
}

// asked is a suite to measure with one model, and the folder of it below that of all.
type asked struct {
	*configs.Suite
	folder string
}

// withModels are a suite with each of its models, or of those of the flag.
func (f *suiteFlags) withModels(c *cobra.Command, s *configs.Suite, folder string) ([]asked, error) {
	list := s.Models
	if f.models != nil {
		list = f.models
	}
	if len(list) < 2 {
		if len(s.Models) == 1 {
			s.Model = s.Models[0] // of the suite: the flag is none or one
		}
		s.Models = nil
		return []asked{{s, folder}}, nil
	}
	f.model = "" // each suite says it
	var out []asked
	seen := map[string]string{}
	for _, m := range list {
		name := records.Clean(cmp.Or(m.Name, strings.TrimSuffix(filepath.Base(m.Path), filepath.Ext(m.Path))))
		if before, ok := seen[name]; ok {
			return nil, usagef(c.CommandPath(), "the models %s and %s would both be measured into %s: give one a name of its "+
				"own (--model NAME=%[2]s, or in a suite {name: NAME, model: %[2]s})", before, m.Path, filepath.Join(folder, name))
		}
		seen[name] = m.Path
		one := *s
		one.Model, one.Models = m, nil
		out = append(out, asked{&one, filepath.Join(folder, name)})
	}
	return out, nil
}

// indented is words as lines of at most width columns, two of them blank.
func indented(words []string, width int) string {
	var b strings.Builder
	column := width
	for _, w := range words {
		if column += 1 + len(w); column > width {
			b.WriteString("\n ")
			column = 2 + len(w)
		}
		b.WriteString(" " + w)
	}
	return b.String()
}

// loadAll reads all suites, with each of their models, and reports the faults of all of them at once.
func (f *suiteFlags) loadAll(c *cobra.Command, names []string) ([]asked, error) {
	var (
		suites []asked
		faults []error
	)
	seen := map[string]string{}
	for _, name := range names {
		s, err := f.load(c, name)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		if before, ok := seen[s.Name]; ok {
			faults = append(faults, usagef(c.CommandPath(), "%s and %s are both named %q: their results would "+
				"share a folder", before, s.File, s.Name))
		}
		seen[s.Name] = s.File
		folder := "" // of one of several suites: each has its own
		if len(names) > 1 {
			folder = s.Name
		}
		each, err := f.withModels(c, s, folder)
		if err != nil {
			faults = append(faults, err)
		}
		suites = append(suites, each...)
	}
	return suites, errors.Join(faults...)
}

func parseSave(names []string) (engine.Save, error) {
	var s engine.Save
	for _, n := range names {
		switch n {
		case "maps":
			s.Maps = true
		case "labels":
			s.Labels = true
		case "masks":
			s.Masks = true
		default:
			return s, fmt.Errorf("--save %q is not known; known are maps, labels, masks", n)
		}
	}
	return s, nil
}

func (f *runFlags) runSuite(c *cobra.Command, plan *engine.Plan, out string) (err error) {
	if f.profile != "" {
		stop, err := startProfile(f.profile)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, stop()) }()
	}
	return runPlan(c, plan, out, f.verbose)
}

// runPlan measures and shows what came of it, and if verbose where the time went.
func runPlan(c *cobra.Command, plan *engine.Plan, out string, verbose bool) error {
	bar := newProgress(c.ErrOrStderr())
	r, err := plan.Run(c.Context(), bar)
	bar.finish()
	if err != nil {
		return err
	}
	if verbose {
		fmt.Fprint(c.ErrOrStderr(), spent(r))
	}
	return summarise(c, r, out)
}

// summarise prints a run's table and says what is missing.
func summarise(c *cobra.Command, r *results.Run, dir string) error {
	out, width, colour := terminal(c.OutOrStdout())
	if err := reports.Terminal(out, []*results.Run{r}, reports.Layout{}, width, colour); err != nil {
		return err
	}
	fmt.Fprintf(c.ErrOrStderr(), "results are in %s; next: ovbench report %s --format md --out %s\n", dir, dir,
		filepath.Join(dir, "report"))
	return incomplete(r)
}

// incomplete is the error of a run with omissions, or nil.
func incomplete(r *results.Run) error {
	if r.Complete {
		return nil
	}
	if len(r.Failures) == 0 {
		return missingError{fmt.Errorf("some planned samples were not measured")}
	}
	f := r.Failures[0]
	return missingError{fmt.Errorf("%d samples failed, the first in %s: %s: %s", len(r.Failures), f.Stage, f.ID,
		f.Error)}
}

func checkCommand() *cobra.Command {
	var (
		f     suiteFlags
		audit bool
	)
	c := &cobra.Command{
		Use:   "check SUITE...",
		Short: "Open all that suites name, and estimate what a run takes",
		Long: `Open all that suites name (model, vocabulary, data sets, every picture and label file) and report every
fault at once. Where there is none, say how long a run would take here and what its records would weigh: a few prompts, one
window of each size and, where that is quick, one picture of each kind are measured, the rest is extrapolated. Nothing is kept.

With --precision-audit, say instead how much another --device or --precision changes: the first samples of each data set
(20, or --limit) are measured so and in f32 on the CPU, and labels and scores compared.`,
		Example: `  ovbench check ovs8 --data /data --model openai/clip-vit-base-patch16
  ovbench check voc20 --data /data --device openvino --precision bf16 --precision-audit --limit 50`,
		Args: arguments(1, -1),

		ValidArgsFunction: completeSuites,
	}
	f.add(c)
	c.Flags().BoolVar(&audit, "precision-audit", false, "measure what --device and --precision change")
	c.RunE = func(c *cobra.Command, names []string) error {
		suites, err := f.loadAll(c, names)
		if err != nil {
			return err
		}
		var faults []error
		for _, s := range suites {
			req, err := f.request(c, s.Suite)
			if err != nil {
				return err
			}
			bar := newProgress(c.ErrOrStderr())
			look := engine.Check
			if audit {
				look = engine.Audit
			}
			lines, err := look(c.Context(), req, bar)
			bar.finish()
			faults = append(faults, err, printFolded(c.OutOrStdout(), lines))
		}
		return errors.Join(faults...)
	}
	return c
}
