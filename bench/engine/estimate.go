package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"image"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"ovbench/bench/records"
	"ovbench/bench/tasks"
	"ovbench/datasets"
	"ovbench/datasets/picture"
	"ovbench/runners"
	"ovbench/runners/clip"
	"ovbench/runners/ort"
	"ovbench/runners/sam"
	"ovbench/runners/tensor"
)

// What an estimate looks at: enough to tell, little enough to wait for.
const (
	headersRead   = 64               // pictures of a data set whose sizes are read, spread evenly
	promptsTimed  = 64               // prompts that are encoded
	longestSample = 20 * time.Second // a picture expected to take longer is not measured whole
)

// Estimate says how long the plan would take on this machine and what it would write: lines for people. It measures a
// few prompts, one window of each size, and where that is quick one whole picture of each framing; the rest is
// extrapolated, and the lines say from what. Nothing is written.
func (p *Plan) Estimate(ctx context.Context, progress tasks.Progress) (lines []string, total time.Duration, err error) {
	trial := *p
	trial.request.Save, trial.request.Embeddings = Save{}, ""
	trial.targets = append([]target(nil), p.targets...)
	for i := range trial.targets {
		trial.targets[i].panels = nil
	}
	r := &run{plan: &trial, progress: progress, records: &records.File{}}
	r.schedule = runners.NewSchedule(1, r.timer.start)
	r.out = trial.describe()
	if err := r.loadImages(); err != nil {
		return nil, 0, err
	}
	defer r.closeImages()
	groups := r.groups()
	progress.Start("estimating", len(groups)+1)
	total, lines, err = r.estimateTexts(ctx)
	if err != nil {
		return nil, 0, err
	}
	bytes, unsized := 0.0, 0
	for i, g := range groups {
		progress.At(i + 1)
		e, err := r.estimate(ctx, g)
		if err != nil {
			return nil, 0, err
		}
		lines = append(lines, "  "+e.line)
		total += e.time
		bytes += e.bytes
		if e.bytes == 0 {
			unsized += e.samples
		}
	}
	summary := fmt.Sprintf("  altogether about %s, if nothing else uses this machine", roundTime(total))
	if bytes > 0 {
		summary += fmt.Sprintf("; records of about %s", roundBytes(bytes))
	}
	if unsized > 0 {
		summary += fmt.Sprintf(" (without those of %d samples, of which none was measured)", unsized)
	}
	lines = append(lines, summary+"; panels and --save come on top")
	if len(groups) > 0 {
		advice, err := r.advise(ctx, groups[0])
		if err != nil {
			return nil, 0, err
		}
		lines = append(lines, advice...)
	}
	return append([]string{fmt.Sprintf("estimate, by what was measured here on %d threads:", r.out.Runtime.Threads)},
		lines...), total, nil
}

// group is the pictures of one framing and the same targets: alike but for the pictures' sizes.
type group struct {
	framing        framing
	targets        []int
	sharedPictures []*sharedPicture
}

func (r *run) groups() (list []*group) {
	known := map[string]*group{}
	for _, e := range r.sharedPictures() {
		var targets []int
		for _, m := range e.samples {
			targets = append(targets, m.target)
		}
		key := fmt.Sprint(targets)
		if known[key] == nil {
			known[key] = &group{framing: r.plan.targets[targets[0]].framing, targets: targets}
			list = append(list, known[key])
		}
		known[key].sharedPictures = append(known[key].sharedPictures, e)
	}
	return list
}

// estimateTexts encodes a few prompts of the first data set; random embeddings stand for all others.
func (r *run) estimateTexts(ctx context.Context) (_ time.Duration, lines []string, _ error) {
	queries := 0
	r.prompts = map[int]runners.Prompts{}
	for k, t := range r.plan.targets {
		queries += len(t.Texts)
		r.texts = append(r.texts, r.anyTexts(len(t.Texts)))
		if t.council != nil {
			n := len(t.council.templates)
			r.prompts[k] = runners.NewPrompts(r.anyTexts(n*len(t.Texts)).Rows(0, n*len(t.Texts)), n)
		}
	}
	texts, err := runners.NewTexts(r.plan.library, r.plan.model.Model, r.plan.model.Tokenizer, r.session())
	if err != nil {
		return 0, nil, err
	}
	defer texts.Close()
	cut, err := r.plan.checkTexts()
	if err != nil {
		return 0, nil, err
	}
	prompts := fill(r.plan.targets[0].Texts, r.plan.templates, promptsTimed)
	if _, err := texts.Encode(ctx, prompts[:1], nil); err != nil { // the first run sets memory up
		return 0, nil, err
	}
	start := time.Now()
	if _, err := texts.Encode(ctx, prompts, nil); err != nil {
		return 0, nil, err
	}
	took := time.Since(start)
	n := queries * len(r.plan.templates)
	all := time.Duration(float64(took) / float64(len(prompts)) * float64(n))
	for _, w := range cut {
		lines = append(lines, "  warning: "+w)
	}
	return all, append(lines, fmt.Sprintf("  texts: %d prompts (%d queries, %d templates); %d took %s: %s", n, queries,
		len(r.plan.templates), len(prompts), roundTime(took), roundTime(all))), nil
}

// fill is up to most distinct prompts, spread over the queries.
func fill(queries, templates []string, most int) (prompts []string) {
	seen := map[string]bool{}
	for i := 0; len(prompts) < most && i < len(queries)*len(templates); i++ {
		p := clip.Fill(templates[i/len(queries)], queries[i%len(queries)])
		if !seen[p] {
			seen[p] = true
			prompts = append(prompts, p)
		}
	}
	return prompts
}

// anyTexts are normalised embeddings that mean nothing, one more than the queries where feature surgery may ask for it.
func (r *run) anyTexts(queries int) tensor.Dense {
	out := tensor.New(queries, r.plan.model.Embed)
	if r.plan.asksEmpty() {
		out = tensor.New(queries+1, r.plan.model.Embed)
	}
	for i := range out.Data {
		out.Data[i] = float32(math.Sin(float64(i)) / math.Sqrt(float64(r.plan.model.Embed)/2))
	}
	return out
}

// estimated is what one group would take.
type estimated struct {
	time    time.Duration
	bytes   float64 // of records; 0 if none was made
	samples int
	line    string
}

func (r *run) estimate(ctx context.Context, g *group) (e estimated, err error) {
	sized, err := r.sizes(ctx, g)
	if err != nil {
		return e, err
	}
	window, err := r.timeWindow(ctx, g, sized.window)
	if err != nil {
		return e, err
	}
	prompt, err := r.timePrompt(ctx)
	if err != nil {
		return e, err
	}
	window.picture += prompt
	var names []string
	for _, k := range g.targets {
		names = append(names, r.plan.targets[k].Info.Name)
	}
	n := len(g.sharedPictures)
	e.samples = n * len(g.targets)
	windows := sized.perPicture * float64(n)
	e.time = window.of(n, windows)
	how := fmt.Sprintf("one window took %s; reading and scoring come on top", roundTime(window.window))
	if window.of(1, float64(sized.first)) <= longestSample {
		start, before := time.Now(), r.segmenting()
		recs := r.measure(ctx, g.sharedPictures[sized.at])
		took := time.Since(start)
		window.picture = r.segmenting() - before
		window.window = (took - window.picture) / time.Duration(sized.first)
		for _, rec := range recs {
			if rec.Error != "" {
				return e, fmt.Errorf("%s of %s: %s: %s", rec.ID, rec.Dataset, rec.Stage, rec.Error)
			}
			line, err := json.Marshal(rec)
			if err != nil {
				return e, err
			}
			e.bytes += float64(len(line)+1) * float64(n)
		}
		e.time = window.of(n, windows)
		how = fmt.Sprintf("one picture of %d windows took %s", sized.first, roundTime(took))
	}
	if window.picture > 0 {
		how += fmt.Sprintf("; Segment Anything takes %s, once a picture", roundTime(window.picture))
	}
	e.line = fmt.Sprintf("%s: %d pictures, %.0f windows of %dx%d (%s); %s: %s", strings.Join(names, ", "), n, windows,
		sized.window.H, sized.window.W, sized.how, how, roundTime(e.time))
	return e, ctx.Err()
}

// sizes is what is known of the windows of a group.
type sizes struct {
	perPicture float64 // windows
	at, first  int     // a picture that could be read, and its windows
	window     runners.Window
	how        string
}

// sizes reads the headers of some pictures of a group.
func (r *run) sizes(ctx context.Context, g *group) (s sizes, err error) {
	read, windows := 0, 0
	n := min(len(g.sharedPictures), headersRead)
	var last error
	for k := range n {
		at := k * len(g.sharedPictures) / n
		m := g.sharedPictures[at].samples[0]
		h, w, err := r.plan.targets[m.target].pictureSize(m.index)
		if err != nil {
			last = err
			continue
		}
		list := g.framing.sliding.Windows(g.framing.input.Size(h, w))
		if read++; read == 1 {
			s.at, s.first, s.window = at, len(list), list[0]
		}
		windows += len(list)
	}
	if read == 0 {
		return s, last
	}
	s.perPicture = float64(windows) / float64(read)
	s.how = fmt.Sprintf("counted on %d pictures", read)
	if read == len(g.sharedPictures) {
		s.how = "counted"
	}
	return s, ctx.Err()
}

// pictureSize is the height and width of a sample's picture, from its header where the data set knows its files.
func (t *target) pictureSize(index int) (h, w int, err error) {
	if f, ok := t.Dataset.(datasets.Located); ok && !t.framing.upright {
		if path, _ := f.Files(index); path != "" {
			w, h, err = picture.Size(path, picture.AsStored)
			return h, w, err
		}
	}
	s, err := t.Dataset.At(index)
	if err != nil {
		return 0, 0, err
	}
	return s.Image.Rect.Dy(), s.Image.Rect.Dx(), nil
}

// cost is the time of one window, and of what a picture takes once, however many windows it has.
type cost struct{ window, picture time.Duration }

// of is the time of pictures that have so many windows together.
func (c cost) of(pictures int, windows float64) time.Duration {
	return time.Duration(windows*float64(c.window)) + time.Duration(pictures)*c.picture
}

// segmenting is the time that segmenters took so far.
func (r *run) segmenting() time.Duration {
	return time.Duration(r.timer.seconds()[runners.Segmenting] * float64(time.Second))
}

// timePrompt is the time of a picture and a prompt in the segmenter, if there is one.
func (r *run) timePrompt(ctx context.Context) (time.Duration, error) {
	if r.segmenter == nil {
		return 0, nil
	}
	before := r.segmenting()
	_, err := r.segmented(ctx, image.NewNRGBA(image.Rect(0, 0, 64, 64))).segment(
		sam.Prompt{Points: []sam.Point{{X: 32, Y: 32, Positive: true}}})
	return r.segmenting() - before, err
}

// timeWindow is the time of one window in the network, after a first that sets memory up.
func (r *run) timeWindow(ctx context.Context, g *group, w runners.Window) (took cost, err error) {
	pixels := tensor.New(1, 3, w.H, w.W)
	for range 2 {
		start, before := time.Now(), r.segmenting()
		if _, err := r.encode(ctx, runners.Picture{Pixels: pixels},
			framing{sliding: runners.Sliding{Pad: g.framing.sliding.Pad}}, g.targets,
			slices.Repeat([][]int{{0}}, len(g.targets))); err != nil {
			return cost{}, err
		}
		took.picture = r.segmenting() - before
		took.window = time.Since(start) - took.picture
	}
	return took, nil
}

// advise measures whether several processes with a part of the threads each do more than one with all: every network
// waits for itself between its layers. It says nothing where there are few threads, or where the weights would fill
// memory.
func (r *run) advise(ctx context.Context, g *group) (lines []string, err error) {
	threads := r.out.Runtime.Threads
	if threads < 4 || r.plan.request.Device != (ort.Device{}) {
		return nil, nil
	}
	sized, err := r.sizes(ctx, g)
	if err != nil {
		return nil, err
	}
	weights := int64(0)
	for _, path := range r.plan.model.Files {
		if info, err := os.Stat(path); err == nil {
			weights += info.Size()
		}
	}
	var rates []string
	best, most := 1, 0.0
	for k := 1; k <= 8 && threads/k >= 2 && (k == 1 || 4*int64(k)*weights < Host().MemoryBytes); k *= 2 {
		rate, err := r.together(ctx, g, sized.window, k, threads/k)
		if err != nil {
			return nil, err
		}
		rates = append(rates, fmt.Sprintf("%d x %d: %.2g", k, threads/k, rate))
		if rate > 1.05*most {
			best, most = k, rate
		}
	}
	line := fmt.Sprintf("  processes x threads: windows a second are %s", strings.Join(rates, ", "))
	if best > 1 {
		line += fmt.Sprintf("; parts do most: --shard 1/%d to %d/%d, each with --threads %d", best, best, best, threads/best)
	}
	return append(lines, line), nil
}

// together is how many windows a second so many networks do at the same time, with so many threads each.
func (r *run) together(ctx context.Context, g *group, w runners.Window, networks, threads int) (rate float64,
	err error) {
	runs := make([]*run, networks)
	for i := range runs {
		plan := *r.plan
		plan.request.Threads = threads
		runs[i] = &run{plan: &plan, texts: r.texts, out: r.out}
		runs[i].schedule = runners.NewSchedule(1, runs[i].timer.start)
		if err := runs[i].loadImages(); err != nil {
			return 0, err
		}
		defer runs[i].closeImages()
	}
	var start time.Time
	for range 2 { // the first round sets memory up
		start = time.Now()
		group, ctx := errgroup.WithContext(ctx)
		for _, one := range runs {
			group.Go(func() error {
				_, err := one.timeWindow(ctx, g, w)
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return 0, err
		}
	}
	return float64(2*networks) / time.Since(start).Seconds(), nil // timeWindow takes two
}

// roundTime is a duration with two figures or so.
func roundTime(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%.0f ms", float64(d)/1e6)
	case d < 100*time.Second:
		return fmt.Sprintf("%.2g s", d.Seconds())
	case d < 100*time.Minute:
		return fmt.Sprintf("%.0f min", d.Minutes())
	}
	return fmt.Sprintf("%.0f h", d.Hours())
}

func roundBytes(n float64) string {
	for _, unit := range []string{"B", "kB", "MB", "GB"} {
		if n < 1000 {
			return fmt.Sprintf("%.3g %s", n, unit)
		}
		n /= 1000
	}
	return fmt.Sprintf("%.3g TB", n)
}
