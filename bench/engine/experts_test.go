package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ovbench/bench/records"
	"ovbench/configs"
	"ovbench/datasets"
	"ovbench/datasets/labelmap"
	"ovbench/reports/results"
	"ovbench/runners/resample"
	"ovbench/runners/tensor"
)

// someTemplates are few, and unlike.
var someTemplates = []string{"{}", "a photo of a {}.", "a drawing of many {}, seen from above", "the old {}",
	"itap of my {}."}

// templateFile is a protocol's value for a list of templates.
func templateFile(t *testing.T, list ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "templates.txt")
	if err := os.WriteFile(file, []byte(strings.Join(list, "\n")+"\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	return file
}

// find looks for experts by all pixels.
func find(t *testing.T, r Request, top int) *configs.Experts {
	t.Helper()
	r.Out = filepath.Join(t.TempDir(), "experts.yaml")
	if _, err := FindExperts(t.Context(), ExpertSearch{Request: r, Top: top, Every: 1}, quiet{}); err != nil {
		t.Fatal(err)
	}
	e, err := configs.ReadExperts(r.Out)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// reading is what one pixel of a picture is by the softmax over all queries: the best query's class and probability,
// and the entropy.
type reading struct {
	class      int
	p, entropy float64
}

// read runs the suite with other templates, and reads all pixels of what it keeps by plain loops, by method and sample.
func read(t *testing.T, r Request, samples []datasets.Sample, classes []int, templates ...string) map[string][]reading {
	t.Helper()
	r.Out = t.TempDir()
	s := *r.Suite
	s.Protocol.Templates, s.Protocol.Experts = templateFile(t, templates...), ""
	r.Suite, r.Save = &s, Save{Maps: true}
	run, err := measure(t, t.Context(), r, quiet{})
	if err != nil || len(run.Failures) > 0 {
		t.Fatal(run, err)
	}
	out := map[string][]reading{}
	for _, m := range run.Methods {
		for _, x := range samples {
			f, err := os.Open(filepath.Join(keptMaps(r.Out, "voc21", m.Name), records.Clean(x.ID)+".npy"))
			if err != nil {
				t.Fatal(err)
			}
			maps, err := tensor.ReadNPY(f)
			f.Close()
			if err != nil {
				t.Fatal(err)
			}
			w, h := x.Labels.W, x.Labels.H
			planes := make([][]float32, maps.Shape[0])
			for q := range planes {
				planes[q] = make([]float32, w*h)
				resample.Bilinear(planes[q], w, h, maps.At(q).Data, maps.Shape[2], maps.Shape[1])
			}
			for pixel := range w * h {
				var one reading
				p, sum := make([]float64, len(planes)), 0.0
				for q := range planes {
					p[q] = math.Exp(s.Protocol.Scale * float64(planes[q][pixel]))
					sum += p[q]
				}
				for q := range p {
					p[q] /= sum
					one.entropy -= p[q] * math.Log(p[q])
					if p[q] > one.p {
						one.p, one.class = p[q], classes[q]
					}
				}
				out[m.Name+" "+x.ID] = append(out[m.Name+" "+x.ID], one)
			}
		}
	}
	return out
}

// Experts are found, and decide, as the equations of FLOSS say (arXiv 2504.10487, section 3): plain loops over the
// pixels of maps that runs with other lists of templates keep.
func TestExpertsEqualPlain(t *testing.T) {
	const scale, threshold, top = 40, 0.03, 2
	r := suite(t, demo(t), "[{name: voc21, root: <demo>, limit: 2}]", "{base: clip-surgery, size: 60, queries: sclip, "+
		fmt.Sprintf("scale: %d, threshold: %v, templates: %s}", scale, threshold, templateFile(t, someTemplates...)))
	plan, err := NewPlan(r)
	if err != nil {
		t.Fatal(err)
	}
	target := &plan.targets[0]
	var samples []datasets.Sample
	for _, i := range target.indices {
		s, err := target.Dataset.At(i)
		if err != nil {
			t.Fatal(err)
		}
		samples = append(samples, s)
	}
	classes := target.Rule.Classes
	e := find(t, r, top)
	var single []map[string][]reading
	for _, template := range someTemplates {
		single = append(single, read(t, r, samples, classes, template))
	}
	for i, m := range e.Datasets[0].Methods {
		name := plan.methods[i].Name
		at := 0
		for c, class := range target.Info.Classes {
			var want []configs.Expert
			for k, template := range someTemplates {
				sum, n := 0.0, 0
				for _, s := range samples {
					for _, x := range single[k][name+" "+s.ID] {
						if x.class == c {
							sum += x.entropy
							n++
						}
					}
				}
				if n > 0 {
					want = append(want, configs.Expert{Template: template, Entropy: sum / float64(n), Points: n})
				}
			}
			slices.SortStableFunc(want, func(a, b configs.Expert) int {
				return int(math.Copysign(1, a.Entropy-b.Entropy))
			})
			if len(want) == 0 {
				continue
			}
			got := m.Classes[at]
			at++
			if d := cmp.Diff(want[:min(top, len(want))], got.Experts, cmpopts.EquateApprox(0, 1e-5)); got.Class != class ||
				d != "" {
				t.Errorf("%s, %s: experts of %s (-want +got)\n%s", name, class, got.Class, d)
			}
		}
		if at != len(m.Classes) || at < 3 {
			t.Errorf("%s: %d classes have experts, want %d, and a few", name, len(m.Classes), at)
		}
	}

	plain := read(t, r, samples, classes, someTemplates...)
	r.Suite.Protocol.Experts = e.File
	r.Save.Labels = true
	if run, err := measure(t, t.Context(), r, quiet{}); err != nil || len(run.Failures) > 0 {
		t.Fatal(run, err)
	}
	known := map[string]map[string][]reading{}
	moved, far := 0, 0
	for i, m := range e.Datasets[0].Methods {
		name := plan.methods[i].Name
		for _, s := range samples {
			got, err := labelmap.Read(filepath.Join(r.Out, "labels", "voc21", records.Clean(name), records.Clean(s.ID)+".png"))
			if err != nil {
				t.Fatal(err)
			}
			best := slices.Clone(plain[name+" "+s.ID])
			claimed := make([]float64, len(best))
			close := make([]bool, len(best))
			for _, x := range m.Classes {
				var list []string
				for _, expert := range x.Experts {
					list = append(list, expert.Template)
				}
				key := strings.Join(list, "\n")
				if known[key] == nil {
					known[key] = read(t, r, samples, classes, list...)
				}
				for pixel, says := range known[key][name+" "+s.ID] {
					if target.Info.Classes[says.class] != x.Class {
						continue
					}
					close[pixel] = close[pixel] || math.Abs(says.p-claimed[pixel]) < 1e-6
					if says.p > claimed[pixel] {
						claimed[pixel], best[pixel] = says.p, says
					}
				}
			}
			for pixel, x := range best {
				if x.p < threshold {
					x.class = 0
				}
				if before := plain[name+" "+s.ID][pixel]; x.class != before.class && before.p >= threshold {
					moved++
				}
				if int(got.Pix[pixel]) != x.class && !close[pixel] && math.Abs(x.p-threshold) > 1e-6 {
					far++
				}
			}
		}
	}
	if far > 0 || moved < 50 {
		t.Errorf("%d pixels have another label than by plain loops; experts move %d", far, moved)
	}
}

// Experts who all know all templates change nothing, however pictures are shown; and what experts decide does not
// depend on interruptions, shards or other data sets beside.
func TestExpertsInEveryFraming(t *testing.T) {
	const both = "[{name: voc21, root: <demo>, limit: 4}, {name: voc20, root: <demo>, limit: 4}]"
	templates := templateFile(t, someTemplates...)
	for name, keys := range map[string]string{
		"squash":      "base: clip-surgery, size: 64",
		"windows":     "base: sclip, size: 56, window: 32, stride: 20, datasets: {voc21: {threshold: 0.02}}",
		"padded":      "base: clearclip, size: 50, window: 50, stride: 25",
		"whole twice": "base: maskclip, size: 52, long: 60",
	} {
		t.Run(name, func(t *testing.T) {
			keys += ", pamr: 0, area_threshold: 0, templates: " + templates
			r := suite(t, demo(t), both, "{"+keys+"}")
			plain, err := measure(t, t.Context(), r, quiet{})
			if err != nil || len(plain.Failures) > 0 {
				t.Fatal(plain, err)
			}
			few := find(t, r, 1)
			all := find(t, r, 1)
			for i := range all.Datasets {
				for j := range all.Datasets[i].Methods {
					m := &all.Datasets[i].Methods[j]
					m.Classes = nil
					for _, class := range all.Datasets[i].Classes {
						c := configs.ClassExperts{Class: class.Name}
						for _, template := range someTemplates {
							c.Experts = append(c.Experts, configs.Expert{Template: template})
						}
						m.Classes = append(m.Classes, c)
					}
				}
			}
			if err := os.WriteFile(all.File, all.Write(), 0o666); err != nil {
				t.Fatal(err)
			}
			r = suite(t, r, both, "{"+keys+", experts: "+all.File+"}")
			same, err := measure(t, t.Context(), r, quiet{})
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(plain.Cells, same.Cells, cmpopts.IgnoreFields(results.Cell{}, "Warnings")); d != "" {
				t.Errorf("cells differ (-plain +all templates)\n%s", d)
			}
			r = suite(t, r, both, "{"+keys+", experts: "+few.File+"}")
			whole, err := measure(t, t.Context(), r, quiet{})
			if err != nil || len(whole.Failures) > 0 {
				t.Fatal(whole, err)
			}
			if cmp.Equal(plain.Cells, whole.Cells) {
				t.Error("experts of one template change nothing")
			}
			if d := whole.Dataset("voc20"); d.Experts == nil || d.Experts.File.SHA256 != few.SHA256 || d.Experts.Pictures != 4 {
				t.Errorf("results say of the experts %+v", d.Experts)
			}
			r.Out = t.TempDir()
			interrupt(t, r, 3)
			resumes(t, r, whole)
			r.Resume = false
			merges(t, r, whole, 3)

			// One data set twice, with experts and without, each as alone.
			three := strings.ReplaceAll(both, "}]",
				"}, {name: voc20, id: known, root: <demo>, limit: 4, experts: "+few.File+"}]")
			r = suite(t, r, three, "{"+keys+"}")
			beside, err := measure(t, t.Context(), r, quiet{})
			if err != nil || len(beside.Failures) > 0 {
				t.Fatal(beside.Failures, err)
			}
			for i := range plain.Cells {
				c := &plain.Cells[i]
				if d := cmp.Diff(c, beside.Cell(c.Dataset, c.Method)); d != "" {
					t.Errorf("beside experts (-alone +beside)\n%s", d)
				}
				known := *beside.Cell("known", c.Method)
				known.Dataset = "voc20"
				if d := cmp.Diff(*whole.Cell("voc20", c.Method), known); d != "" {
					t.Errorf("of experts (-alone +beside)\n%s", d)
				}
			}
		})
	}
}

// A search that was interrupted finds the same, and so does one whose pictures have no labels that can be read.
func TestSearchForExperts(t *testing.T) {
	protocol := "{base: sclip, size: 56, window: 32, stride: 20, templates: " + templateFile(t, someTemplates...) + "}"
	r := suite(t, demo(t), both, protocol)
	want := find(t, r, 2)
	q := ExpertSearch{Request: r, Top: 2, Every: 1}
	q.Out = filepath.Join(t.TempDir(), "new", "e.yaml")
	ctx, stop := context.WithCancel(t.Context())
	looking := false
	_, err := FindExperts(ctx, q, stages{func(stage string) { looking = stage == "looking for class experts" },
		func(done int) {
			if looking && done == 11 {
				stop()
			}
		}})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	refused := func(q ExpertSearch, want string) {
		t.Helper()
		if _, err := FindExperts(t.Context(), q, quiet{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	refused(q, "e.yaml.part exists: choose another --out, delete it, or go on with --resume")
	q.Resume = true
	other := q
	other.Every = 2
	refused(other, "was begun with another model, suite, templates or --every")
	other = q
	other.Only = []string{"demo_000002"}
	refused(other, "which are not the first of those wanted")
	left := 0
	if _, err := FindExperts(t.Context(), q, stages{func(string) {}, func(int) { left++ }}); err != nil {
		t.Fatal(err)
	}
	if left > 7 {
		t.Errorf("%d steps are left of 16, 11 of which were done", left)
	}
	refused(q, "e.yaml exists: choose another --out, delete it")
	got, err := configs.ReadExperts(q.Out)
	if d := cmp.Diff(want, got, cmpopts.IgnoreFields(configs.Experts{}, "File")); err != nil || d != "" {
		t.Errorf("%v; experts differ (-whole +resumed)\n%s", err, d)
	}

	root, err := demoData()
	if err != nil {
		t.Fatal(err)
	}
	blank := t.TempDir()
	if err := os.CopyFS(blank, os.DirFS(root)); err != nil {
		t.Fatal(err)
	}
	labels, err := filepath.Glob(filepath.Join(blank, "*", "*", "SegmentationClass", "*.png"))
	if err != nil || len(labels) == 0 {
		t.Fatal(labels, err)
	}
	for _, path := range labels {
		if err := os.WriteFile(path, []byte("no label"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	r = suite(t, r, strings.ReplaceAll(both, "<demo>", blank), protocol)
	if d := cmp.Diff(want, find(t, r, 2), cmpopts.IgnoreFields(configs.Experts{}, "File")); d != "" {
		t.Errorf("experts differ (-labels +none)\n%s", d)
	}
}

func TestExpertsOfOtherThings(t *testing.T) {
	const one, background = "[{name: voc20, root: <demo>, limit: 2}]", "[{name: voc21, root: <demo>}]"
	protocol := func(keys string) string {
		return "{base: sclip, size: 56, window: 32, stride: 20, area_threshold: 0, " + keys + "}"
	}
	templates := "templates: " + templateFile(t, someTemplates...)
	r := suite(t, demo(t), one, protocol(templates))
	e := find(t, r, 1)
	keys := templates + ", experts: " + e.File
	for _, c := range []struct{ datasets, protocol, methods, want string }{
		{one, "templates: photo, experts: " + e.File, "", "has class experts out of the 5 templates"},
		{one, keys + ", queries: plain", "", "has class experts of other classes or words on voc20: class "},
		{background, keys + ", threshold: 0", "", "has class experts of voc20, not of voc21"},
		{one, keys, "[clip, naclip]", "of clip at bicubic positions; "},
		{one, keys, "[clip: {pool: head}]", "not of clip {pool: head}"},
		{one, keys + ", positions: bilinear", "[clip]", "not of clip at bilinear positions"},
		{one, keys, "[clip, {resclip: {from: 1, to: 2}}]", "class experts compare a method's tokens with many texts, and " +
			"method resclip"},
		{one, keys, "[gradcam]", "and method gradcam says how much patches answer to texts"},
		{one, keys + ", pamr: 2", "", "pamr refines one map of each class: set protocol.pamr to 0"},
		{background, strings.Replace(keys, "templates", "datasets: {voc21: {area_threshold: 0.1}}, templates", 1), "",
			"set protocol.area_threshold to 0"},
		{background, keys + ", threshold: 0.1, background_rule: margin", "", "set protocol.background_rule to probability"},
		{background, keys + ", aliases: mean", "", "set protocol.aliases to max"},
		{one, keys + ", vocabulary: oracle", "", "set protocol.vocabulary to all"},
		{one, templates + ", experts: no.yaml", "", "no.yaml: file does not exist"},
		{one, templates + ", experts: none", "", ""},
	} {
		r := suite(t, r, c.datasets, protocol(c.protocol))
		if c.methods != "" {
			if err := r.Suite.Set("methods", c.methods); err != nil {
				t.Fatal(err)
			}
		}
		_, err := NewPlan(r)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s, %s: error %v, want %q", c.protocol, c.methods, err, c.want)
		}
	}
	r = suite(t, r, one, protocol(keys))
	r.Model.Name = "demo"
	_, err := measure(t, t.Context(), r, quiet{})
	if err == nil || !strings.Contains(err.Error(), "has class experts of the model micro, whose weights are others than "+
		"those of demo") {
		t.Errorf("error %v", err)
	}
}
