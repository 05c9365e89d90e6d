package engine

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"ovbench/bench/records"
	"ovbench/bench/tasks"
	"ovbench/configs"
	"ovbench/datasets"
	"ovbench/datasets/picture"
	"ovbench/runners"
	"ovbench/runners/clip"
	"ovbench/runners/methods"
	"ovbench/runners/ort"
	"ovbench/runners/resample"
	"ovbench/runners/sam"
	"ovbench/runners/vit"
)

// Request is what a user asks for.
type Request struct {
	Suite      *configs.Suite
	Model      ModelOptions // a Name overrides the suite's
	Segmenter  string       // overrides the suite's
	Embeddings string       // folder where the segmenter's embeddings are kept; empty for none
	Data       string       // root of data sets whose suite names none
	Out        string       // run folder
	Limit      int          // samples of each data set, 0 for all
	Only       []string     // sample ids, nil for all
	Shard      Shard
	Jobs       int // samples at a time
	Batch      int // pictures or windows that go through the network together, if they wait for it
	Threads    int // of a session, 0 for all cores
	Device     ort.Device
	Precision  ort.Precision
	Backbones  map[string]string // networks beside the model, by the names that methods ask with, before the suite's
	Mmap       bool
	Profile    string // beginning of the paths of the networks' profiles, empty for none
	Save       Save
	Resume     bool
	Runtime    string   // library path, empty to search
	Command    []string // as typed, for the record
}

// atOnce is how many networks run at a time: on a GPU one is copied to while another computes, cores do one thing.
func (r *Request) atOnce() int {
	if r.Device.Provider == ort.CUDA {
		return 2
	}
	return 1
}

// Shard is part Index of Count, counted from 1; the zero Shard is everything.
type Shard struct{ Index, Count int }

// String is i/n, or nothing for everything.
func (s Shard) String() string {
	if s.Count == 0 {
		return ""
	}
	return fmt.Sprintf("%d/%d", s.Index, s.Count)
}

func (s Shard) has(i int) bool { return s.Count == 0 || i%s.Count == s.Index-1 }

// Save says what to keep beyond records and panels. Masks are of a segmenter, with their prompts.
type Save struct{ Maps, Labels, Masks bool }

// Plan is a request with all names resolved and all files opened.
type Plan struct {
	request   Request
	suite     *configs.Suite
	model     *Model
	backbones []Backbone
	unopened  bool // some of those that are named could not be opened, which is said
	library   *ort.Library
	task      tasks.Task
	methods   []runners.Named          // of the suite
	network   []runners.Named          // these, each as often as its parameters differ between data sets
	forms     []methods.FeatureSurgery // feature surgery of each method's maps
	size      [2]int                   // height, width of what the network sees, if always the same; else 0
	endings   []methods.Ending         // of each method's maps
	positions vit.Interpolation
	templates []string
	segmenter *sam.Info // nil without
	targets   []target
	imported  *imported // in place of a model, if maps are read

	see func(at labelled, labels []uint16) // is shown every label map, if not nil; by several goroutines

	normalised map[vit.Normalization]*clip.Model // the model on other pixels than it wants
}

// target is one data set of a plan.
type target struct {
	tasks.Target
	framing framing
	network []int      // of each method of the suite, which of the plan's network it is here
	set     string     // name of the query set
	queries [][]string // by class
	samples string     // of the whole plan, whatever the shard, as ranges
	all     []int      // samples of the whole plan, whatever the shard, ascending
	indices []int      // samples to measure, ascending
	panels  []int      // of these, the ones kept for pictures

	diagnosis *datasets.Diagnosis // of the samples measured here

	regions, regionsHash string         // folder of masks of regions, and what they are; empty where no method reads them
	regionFiles          map[int]string // of the samples

	council *council // class experts, who decide pixels; nil without
}

// NewPlan resolves a request. The error joins every fault found.
func NewPlan(r Request) (*Plan, error) {
	p := &Plan{request: r, suite: r.Suite, task: tasks.All[r.Suite.Task]}
	faults := []error{p.openModel(), p.openBackbones(), p.openLibrary(), p.openSegmenter(), p.makeMethods(),
		p.readProtocol(), p.openTargets()}
	if errors.Join(faults...) == nil {
		p.size = fixedSize(p.targets)
		faults = append(faults, p.fitMethods(), p.checkOnly(), p.checkNetworks(), p.checkRegions())
	}
	if errors.Join(faults...) == nil {
		faults = append(faults, p.openExperts())
	}
	return p, errors.Join(faults...)
}

func (p *Plan) openModel() error {
	o := p.request.Model
	if o.Name == "" {
		o.Name, o.Title = configs.Home(p.suite.Model.Path), p.suite.Model.Name
	}
	m, err := OpenModel(o)
	if err != nil && p.request.Model.Name == "" {
		return p.suite.Fault("model", "%v", err)
	}
	if err != nil {
		return fmt.Errorf("--model: %w", err)
	}
	p.model = m
	return nil
}

func (p *Plan) openLibrary() (err error) {
	p.library, err = ort.LoadFor(p.request.Runtime, p.request.Device.Provider)
	return err
}

func (p *Plan) makeMethods() error {
	var faults []error
	for i, m := range p.suite.Methods {
		method, err := methods.New(m.Kind, m.Params)
		if err == nil {
			err = p.checkTask(m.Name, method.Traits())
		}
		if err == nil && p.model != nil {
			err = p.checkMethod(m.Name, method)
		}
		if err != nil {
			faults = append(faults, p.suite.Fault(fmt.Sprintf("methods[%d]", i), "%v", err))
			continue
		}
		form := method.Traits().Form()
		if f, given, err := methods.ParseFeatureSurgery(p.suite.Protocol.Redundant); given && err == nil {
			form = f
		}
		traits := method.Traits()
		if traits.Explains {
			form = methods.NoSurgery // there are no cosines to take anything from
		}
		p.methods = append(p.methods, runners.Named{Name: m.Name, Method: method})
		p.endings = append(p.endings, p.endingOf(traits))
		p.forms = append(p.forms, form)
	}
	return errors.Join(faults...)
}

// checkTask says why the task cannot take what a method gives.
func (p *Plan) checkTask(name string, t methods.Traits) error {
	needs := p.task.Needs()
	switch {
	case t.Explains && needs.Global:
		return fmt.Errorf("task %s reads the token of the whole picture, which %s does not give", p.suite.Task, name)
	case t.Explains && needs.Compares && !t.Comparable:
		return fmt.Errorf("task %s compares texts at every pixel, but %s explains each text by itself: tasks explain and "+
			"faithfulness take it", p.suite.Task, name)
	}
	return nil
}

// endingOf is how maps are made of a method's values: as the protocol says, or as its authors do.
func (p *Plan) endingOf(t methods.Traits) methods.Ending {
	if e, err := methods.ParseEnding(p.suite.Protocol.Ending); err == nil && e != "" {
		return e
	}
	return t.Ending
}

// explains reports whether some method explains texts.
func (p *Plan) explains() bool {
	return slices.ContainsFunc(p.methods,
		func(n runners.Named) bool { return n.Method != nil && n.Method.Traits().Explains })
}

func (p *Plan) readProtocol() error {
	proto := p.suite.Protocol
	var faults []error
	note := func(key string, err error) {
		if err != nil {
			faults = append(faults, p.suite.Fault("protocol."+key, "%v", err))
		}
	}
	var err error
	p.positions, err = vit.ParseInterpolation(proto.Positions)
	note("positions", err)
	p.templates, err = clip.Templates(p.suite.Words(proto.Templates))
	note("templates", err)
	return errors.Join(faults...)
}

func (p *Plan) openTargets() error {
	var faults []error
	for i, d := range p.suite.Datasets {
		t, err := p.openTarget(d)
		if err != nil {
			faults = append(faults, p.suite.Fault(fmt.Sprintf("datasets[%d]", i), "%v", err))
			continue
		}
		p.targets = append(p.targets, t)
	}
	if len(faults) == 0 {
		faults = append(faults, p.checkDecision())
	}
	return errors.Join(faults...)
}

// checkDecision refuses keys about the decision of pixels that decide nothing here.
func (p *Plan) checkDecision() error {
	var margin, joined *target // some target that asks for it
	thresholds, aliases := false, false
	for i := range p.targets {
		t := &p.targets[i]
		if key := t.Protocol.Decides(); key != "" && !p.task.Needs().Pixels {
			return p.suite.Fault("protocol."+key, "protocol.%s is about the class of a pixel, which task %s does not decide; "+
				"leave it out", key, p.suite.Task)
		}
		if t.Rule.Margin {
			margin, thresholds = t, thresholds || t.Rule.Threshold > 0
		}
		if t.Protocol.JoinsAliases() {
			joined, aliases = t, aliases || t.hasAliases()
		}
	}
	switch {
	case margin != nil && !thresholds:
		return p.suite.Fault("protocol.background_rule", "protocol.background_rule margin compares with protocol.threshold, "+
			"which is 0 on %s; set it", margin.Info.Name)
	case joined != nil && !aliases:
		return p.suite.Fault("protocol.aliases", "protocol.aliases %s joins the words of a class, but no class of %s has "+
			"several (queries %s); take a query set that has (ovbench list datasets)", joined.Protocol.Aliases,
			joined.Info.Name, joined.set)
	case p.refines() && p.explains():
		return p.suite.Fault("protocol.sam_refine", "protocol.sam_refine reads probabilities, which explanations are not; "+
			"leave it out")
	case joined != nil && p.explains():
		return p.suite.Fault("protocol.aliases", "protocol.aliases joins cosines, which explanations are not; leave it out")
	}
	return nil
}

// hasAliases reports whether some class has several words.
func (t *target) hasAliases() bool {
	return slices.ContainsFunc(t.queries, func(words []string) bool { return len(words) > 1 })
}

func (p *Plan) openTarget(d configs.Dataset) (target, error) {
	root := p.request.Data
	switch {
	case d.Root == configs.DemoRoot:
		var err error
		if root, err = demoData(); err != nil {
			return target{}, err
		}
	case d.Root != "":
		root = p.suite.Path(d.Root)
	}
	ds, err := datasets.Open(d.Name, p.options(d, root))
	if err != nil {
		return target{}, err
	}
	// A sample that cannot be read is measured, and recorded, as failed; here it only tells nothing.
	if first, err := sampleZero(ds); err == nil {
		if err := p.task.Check(first); err != nil {
			return target{}, fmt.Errorf("%s does not do: %w", d.Label(), err)
		}
	}
	proto := p.suite.ProtocolOf(d)
	set := p.suite.Words(proto.Queries)
	t := target{
		Target:  tasks.Target{Dataset: ds, Info: ds.Info(), Protocol: proto},
		framing: framingOf(proto, d), set: set,
	}
	t.Info.Name, t.Info.Title = d.Label(), cmp.Or(d.Title, d.ID, t.Info.Title)
	t.Whole = t.framing.whole()
	if err := p.checkFraming(t); err != nil {
		return target{}, err
	}
	if t.queries, err = datasets.QueriesOf(ds, set); err != nil {
		return target{}, err
	}
	if note := datasets.SharedQueries(t.Info.Classes, t.queries); note != "" {
		t.Info.Notes = append(t.Info.Notes, note)
	}
	t.diagnosis = datasets.NewDiagnosis(ds)
	t.Rule = ruleOf(proto, nil)
	if proto.Redundant == string(methods.Sigmoid) && p.model != nil && !p.model.Sigmoid {
		return target{}, fmt.Errorf("protocol.redundant sigmoid is for models of a sigmoid loss such as SigLIP, which %s "+
			"is not: set it to labels", p.model.Name)
	}
	if t.Rule.Margin && p.model != nil && p.model.Sigmoid {
		return target{}, fmt.Errorf("protocol.background_rule margin compares probabilities of a softmax, and %s scores "+
			"each text by itself: set it to probability", p.model.Name)
	}
	if p.model != nil && p.model.Sigmoid { // which knows its own scale
		t.Rule.Scale, t.Rule.Bias, t.Rule.Sigmoid = p.model.LogitScale, p.model.LogitBias, true
	}
	for class, queries := range t.queries {
		for _, q := range queries {
			t.Texts = append(t.Texts, q)
			t.Rule.Classes = append(t.Rule.Classes, class)
		}
	}
	if t.Rule.Threshold > 0 && !t.Info.Background {
		return target{}, fmt.Errorf("%s has no background, so protocol.threshold %v would turn its first class into one; "+
			"set it to 0", d.Label(), t.Rule.Threshold)
	}
	if t.Rule.Area > 0 && !t.Info.Background {
		return target{}, fmt.Errorf("%s has no background, so protocol.area_threshold %v would spare its first class "+
			"alone; set it to 0", d.Label(), t.Rule.Area)
	}
	if (t.Rule.Threshold > 0 || t.Rule.Area > 0) && p.explains() {
		return target{}, fmt.Errorf("%s has a threshold of probabilities, which explanations are not: set "+
			"protocol.threshold and protocol.area_threshold to 0", d.Label())
	}
	if err := t.Rule.Check(len(t.Texts)); err != nil {
		return target{}, err
	}
	t.choose(p.request, d.Limit, p.suite.Panels)
	return t, nil
}

// ruleOf is how a protocol decides pixels; classes are those of the queries.
func ruleOf(p configs.Protocol, classes []int) resample.Rule {
	return resample.Rule{Classes: classes, Scale: p.Scale, Threshold: p.Threshold, Area: p.AreaThreshold,
		Margin: p.BackgroundRule == configs.BackgroundMargin}
}

// options are what the suite says of a data set. Files it names lie in the suite's folder, those of folder below root.
func (p *Plan) options(d configs.Dataset, root string) datasets.Options {
	o := datasets.Options{Root: root, Split: d.Split, LabelledOnly: d.LabelledOnly}
	if d.ApplyEXIF {
		o.Orientation = picture.Upright
	}
	if d.LabelNames != "" {
		o.LabelNames = p.suite.Path(d.LabelNames)
	}
	if d.Name == "folder" {
		o.Folder = &datasets.FolderOptions{
			Images: d.Images, Labels: d.Labels, Classes: d.Classes, List: d.List, ImageSuffix: d.ImageSuffix,
			LabelSuffix: d.LabelSuffix,
			Ignore:      d.Ignore, ReduceZero: d.ReduceZero, Background: d.Background,
		}
	}
	return o
}

func sampleZero(ds datasets.Dataset) (datasets.Sample, error) {
	if ds.Len() == 0 {
		return datasets.Sample{}, fmt.Errorf("%s has no samples", ds.Info().Name)
	}
	return ds.At(0)
}

// choose picks the samples to measure and, evenly among them, the panels.
func (t *target) choose(r Request, limit, panels int) {
	if r.Limit > 0 {
		limit = r.Limit
	}
	for i := range t.Dataset.Len() {
		if r.Only != nil && !slices.Contains(r.Only, t.Dataset.ID(i)) {
			continue
		}
		if limit > 0 && len(t.indices) == limit {
			break
		}
		t.indices = append(t.indices, i)
	}
	n := min(panels, len(t.indices))
	for k := range n {
		t.panels = append(t.panels, t.indices[int(math.Round(float64(k)*float64(len(t.indices)-1)/float64(max(n-1, 1))))])
	}
	t.samples, t.all = records.Ranges(t.indices), slices.Clone(t.indices)
	t.indices = slices.DeleteFunc(t.indices, func(i int) bool { return !r.Shard.has(i) })
	t.panels = slices.DeleteFunc(t.panels, func(i int) bool { return !r.Shard.has(i) })
}

// checkOnly names ids that no data set has.
func (p *Plan) checkOnly() error {
	var faults []error
	for _, id := range p.request.Only {
		found := slices.ContainsFunc(p.targets, func(t target) bool {
			for i := range t.Dataset.Len() {
				if t.Dataset.ID(i) == id {
					return true
				}
			}
			return false
		})
		if !found {
			faults = append(faults, fmt.Errorf("sample %q is in none of the suite's data sets", id))
		}
	}
	return errors.Join(faults...)
}

// Samples is the number of images the plan measures.
func (p *Plan) Samples() int {
	n := 0
	for _, t := range p.targets {
		n += len(t.indices)
	}
	return n
}

// computing is what the run computes on and in, as results say it: nothing for the CPU and float32.
func (p *Plan) computing() (device, precision string) {
	if d := p.request.Device; d != (ort.Device{}) {
		device = d.String()
	}
	if p.request.Precision != ort.F32 {
		precision = p.request.Precision.String()
	}
	return device, precision
}
