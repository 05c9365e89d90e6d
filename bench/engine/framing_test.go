package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovbench/bench/records"
	"ovbench/bench/tasks"
	"ovbench/configs"
	"ovbench/datasets"
	"ovbench/reports/results"
)

// suite is the built-in model on the built-in pictures under a protocol, as YAML.
func suite(t *testing.T, r Request, datasets, protocol string) Request {
	t.Helper()
	s, err := configs.Parse("s.yaml",
		[]byte("model: micro\ndatasets: "+datasets+"\nmethods: [clip, clip_surgery, {clip_surgery: {depth: "+
			"2}}]\nprotocol: "+protocol+"\nresamples: 50\npanels: 2\n"), tasks.Known())
	if err != nil {
		t.Fatal(err)
	}
	r.Suite, r.Out = s, t.TempDir()
	return r
}

const (
	both = "[{name: voc21, root: <demo>}, {name: voc20, root: <demo>}]"
	tiny = "{base: sclip, size: 56, window: 32, stride: 20, datasets: {voc21: {threshold: 0.02, area_threshold: 0.05}}}"
)

// protocols in which a picture is shown whole, in windows, padded, and refined.
var framings = map[string]string{
	"squash":  "{base: clip-surgery, size: 64}",
	"windows": tiny,
	"unlike":  "{base: sclip, size: 56, window: 32, stride: 20, datasets: {voc20: {size: 48}}}",
	"padded":  "{base: clearclip, size: 50, window: 50, stride: 25}",
	"refined": "{base: naclip, size: 52, window: 32, stride: 20, pamr: 2, datasets: {voc21: {window: 0}}}",
	"corner":  "{base: clearclip, size: 50, window: 50, stride: 25, pad: corner}",
	"decided": "{base: sclip, size: 56, window: 32, stride: 20, vocabulary: oracle, aliases: lse, " +
		"datasets: {voc21: {threshold: 0.05, background_rule: margin}}}",
	"whole twice": "{base: maskclip, size: 52, long: 60}",
}

// Data sets that share pictures measure together what each measures alone, to the last bit.
func TestSharedPictures(t *testing.T) {
	for name, protocol := range framings {
		t.Run(name, func(t *testing.T) {
			r := suite(t, demo(t), both, protocol)
			together, err := measure(t, t.Context(), r, quiet{})
			if err != nil || !together.Complete || len(together.Failures) > 0 {
				t.Fatalf("complete %v, %v", together, err)
			}
			var cells []results.Cell
			for _, d := range []string{"voc21", "voc20"} {
				alone, err := measure(t, t.Context(), suite(t, r, "[{name: "+d+", root: <demo>}]", protocol), quiet{})
				if err != nil {
					t.Fatal(err)
				}
				cells = append(cells, alone.Cells...)
			}
			if d := cmp.Diff(cells, together.Cells); d != "" {
				t.Errorf("cells differ (-alone +together)\n%s", d)
			}
			if len(together.Panels) != 4 {
				t.Errorf("%d panels, want 4", len(together.Panels))
			}
		})
	}
}

// Pictures are shown once for all data sets of one framing, and as often as framings differ.
func TestSharedPictureList(t *testing.T) {
	for name, want := range map[string]int{"squash": 8, "windows": 8, "padded": 8, "unlike": 16, "refined": 16} {
		plan, err := NewPlan(suite(t, demo(t), both, framings[name]))
		if err != nil {
			t.Fatal(err)
		}
		r := &run{plan: plan, records: &records.File{Done: map[records.Key]records.Record{}}}
		samples := 0
		list := r.sharedPictures()
		for _, e := range list {
			samples += len(e.samples)
		}
		if len(list) != want || samples != 16 {
			t.Errorf("%s: %d pictures for %d samples, want %d for 16", name, len(list), samples, want)
		}
		// A record of one data set leaves the picture to the other.
		r.records.Done[records.Key{Dataset: "voc20", Index: plan.targets[1].indices[3]}] = records.Record{}
		samples = 0
		for _, e := range r.sharedPictures() {
			samples += len(e.samples)
		}
		if samples != 15 {
			t.Errorf("%s: %d samples are left, want 15", name, samples)
		}
	}
}

// staged is a suite with ResCLIP, whose second pass depends on all texts of a data set, and whose parameters differ on
// VOC 20 and 21.
func staged(t *testing.T, r Request, datasets, protocol string) Request {
	t.Helper()
	r = suite(t, r, datasets, protocol)
	if err := r.Suite.Set("methods",
		"[clip, {resclip: {from: 1, to: 2}}, {name: fixed, method: resclip, from: 1, to: 2, temp_thd: 0.05, rcs_lambda: "+
			"0.5, sfr_tau: 2}, clip_surgery]"); err != nil {
		t.Fatal(err)
	}
	return r
}

// A method of two passes gives data sets that share a picture what it gives each alone, with the parameters of each.
func TestSharedStages(t *testing.T) {
	for _, protocol := range []string{framings["squash"], framings["windows"]} {
		r := staged(t, demo(t), both, protocol)
		together, err := measure(t, t.Context(), r, quiet{})
		if err != nil || !together.Complete {
			t.Fatal(together, err)
		}
		var cells []results.Cell
		for _, d := range []string{"voc21", "voc20"} {
			alone, err := measure(t, t.Context(), staged(t, r, "[{name: "+d+", root: <demo>}]", protocol), quiet{})
			if err != nil {
				t.Fatal(err)
			}
			cells = append(cells, alone.Cells...)
		}
		if d := cmp.Diff(cells, together.Cells); d != "" {
			t.Errorf("%s: cells differ (-alone +together)\n%s", protocol, d)
		}
		voc20 := together.Dataset("voc20").Params
		want := map[string]map[string]any{
			"resclip from=1 to=2": {"temp_thd": 0.1, "rcs_lambda": 0.6, "sfr_tau": 2.1, "sfr_lambda": 0.6},
			"fixed":               {"sfr_lambda": 0.6},
		}
		if d := cmp.Diff(want, voc20); d != "" {
			t.Errorf("parameters on voc20 (-want +got)\n%s", d)
		}
		if p := together.Dataset("voc21").Params; p != nil {
			t.Errorf("parameters on voc21 depart: %v", p)
		}
	}
}

// What is recorded as a data set's parameters is what was measured: written for all, they give the same.
func TestParametersOfDataset(t *testing.T) {
	one, protocol := "[{name: voc20, root: <demo>}]", framings["squash"]
	r := staged(t, demo(t), one, protocol)
	own, err := measure(t, t.Context(), r, quiet{})
	if err != nil {
		t.Fatal(err)
	}
	r = staged(t, r, one, protocol)
	if err := r.Suite.Set("methods",
		"[{name: clip, method: resclip, from: 1, to: 2, temp_thd: 0.1, rcs_tau: 2, rcs_lambda: 0.6, sfr_tau: 2.1, "+
			"sfr_lambda: 0.6}, {name: of voc21, method: resclip, from: 1, to: 2, temp_thd: 0.5, rcs_tau: 2, rcs_lambda: 0.3, "+
			"sfr_tau: 2.2, sfr_lambda: 0.7}]"); err != nil {
		t.Fatal(err)
	}
	written, err := measure(t, t.Context(), r, quiet{})
	if err != nil {
		t.Fatal(err)
	}
	scores := func(run *results.Run, method string) []results.Score { return run.Cell("voc20", method).Scores }
	if d := cmp.Diff(scores(written, "clip"), scores(own, "resclip from=1 to=2")); d != "" {
		t.Errorf("scores differ (-written +own)\n%s", d)
	}
	if cmp.Equal(scores(written, "clip"), scores(written, "of voc21")) {
		t.Error("the parameters make no difference and test nothing")
	}
}

// Methods of two passes leave data sets together.
func TestStagedPictureList(t *testing.T) {
	plan, err := NewPlan(staged(t, demo(t), both, framings["squash"]))
	if err != nil {
		t.Fatal(err)
	}
	list := (&run{plan: plan, records: &records.File{Done: map[records.Key]records.Record{}}}).sharedPictures()
	if len(list) != 8 {
		t.Errorf("%d pictures for 16 samples, want 8", len(list))
	}
	if len(plan.network) != 6 { // two of ResCLIP are there twice
		t.Errorf("%d methods in the network, want 6: %v", len(plan.network), plan.network)
	}
}

// A run interrupted between the records of one picture, and shards of it, give the whole run's scores.
func TestSharedPicturesResumeAndShard(t *testing.T) {
	base := demo(t)
	r := suite(t, base, both, tiny)
	r.Jobs = 1
	whole, err := measure(t, t.Context(), r, quiet{})
	if err != nil {
		t.Fatal(err)
	}
	r.Out = t.TempDir()
	interrupt(t, r, 6)
	// Killed while it wrote: the header and five records are left, one of a picture's two.
	file := filepath.Join(r.Out, records.FileName)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	if err := os.WriteFile(file, []byte(strings.Join(lines[:6], "")), 0o666); err != nil {
		t.Fatal(err)
	}
	resumes(t, r, whole)
	merges(t, suite(t, base, both, tiny), whole, 3)
}

// Results say under which constants each data set was measured.
func TestProtocolOfDataset(t *testing.T) {
	run, err := measure(t, t.Context(), suite(t, demo(t), both, tiny), quiet{})
	if err != nil {
		t.Fatal(err)
	}
	a, b := run.Datasets[0].Protocol, run.Datasets[1].Protocol
	if a.Fields["threshold"] != "0.02" || a.Fields["scale"] != "65" || b.Fields["threshold"] != "0" ||
		b.Fields["scale"] != "40" || a.Fields["datasets"] != nil {
		t.Errorf("voc21 %v, voc20 %v", a.Fields, b.Fields)
	}
	if a.Fingerprint == b.Fingerprint || a.Fingerprint == run.Protocol.Fingerprint {
		t.Errorf("fingerprints %s, %s, of the run %s", a.Fingerprint, b.Fingerprint, run.Protocol.Fingerprint)
	}
}

func TestFramingFaults(t *testing.T) {
	r := demo(t)
	for _, c := range []struct{ task, datasets, protocol, want string }{
		{"explain", "[{name: voc21, root: <demo>}]", tiny,
			"s.yaml:2: task explain is of maps of the whole picture at once, not stitched ones: set protocol.window to 0"},
		{"multilabel", "[{name: voc21, root: <demo>}]", "{base: naclip, window: 0}",
			"task multilabel does not refine its maps: set protocol.pamr to 0"},
		{"faithfulness", "[{name: voc21, root: <demo>}]", "{base: maskclip}",
			"task faithfulness changes what the network sees, to the last pixel: set protocol.pad to none"},
		{"faithfulness", "[{name: voc21, root: <demo>}]", "{base: maskclip, pad: none}",
			"task faithfulness compares pictures of one size"},
		{"segmentation", "[{name: voc20, root: <demo>}]", "{base: sclip, threshold: 0.1}",
			"s.yaml:2: voc20 has no background, so protocol.threshold 0.1"},
		{"segmentation", "[{name: voc20, root: <demo>}]", "{base: sclip, area_threshold: 0.1}",
			"voc20 has no background, so protocol.area_threshold 0.1"},
		{"segmentation", "[{name: voc21, root: <demo>}]", "{base: clip-surgery, background_rule: margin}",
			"protocol.background_rule margin compares with protocol.threshold, which is 0 on voc21; set it"},
		{"segmentation", "[{name: voc21, root: <demo>}]", "{base: clip-surgery, aliases: mean}",
			"protocol.aliases mean joins the words of a class, but no class of voc21 has several (queries plain)"},
		{"explain", "[{name: voc21, root: <demo>}]", "{base: clip-surgery, vocabulary: oracle}",
			"protocol.vocabulary is about the class of a pixel, which task explain does not decide"},
	} {
		s, err := configs.Parse("s.yaml",
			[]byte("model: micro\ndatasets: "+c.datasets+"\nmethods: [clip]\nprotocol: "+c.protocol+"\ntask: "+c.task+"\n"),
			tasks.Known())
		if err != nil {
			t.Fatal(err)
		}
		r.Suite = s
		if _, err := NewPlan(r); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s, %s: error %v, want %q", c.task, c.protocol, err, c.want)
		}
	}
}

// Nothing a protocol says is skipped: each key changes what is measured.
func TestEveryKeyIsHeeded(t *testing.T) {
	const one = "[{name: voc21, root: <demo>, limit: 3}]"
	base := demo(t)
	known := map[string][]results.Cell{}
	scores := func(protocol string) []results.Cell {
		t.Helper()
		if known[protocol] != nil {
			return known[protocol]
		}
		run, err := measure(t, t.Context(), suite(t, base, one, protocol), quiet{})
		if err != nil || len(run.Failures) > 0 {
			t.Fatalf("%s: %v, %v", protocol, err, run.Failures)
		}
		known[protocol] = run.Cells
		return run.Cells
	}
	const windows = "base: sclip, size: 52, window: 40, stride: 20, templates: none, scale: 40, threshold: 0.1, " +
		"area_threshold: 0"
	const whole = "base: clip-surgery, size: 60, templates: none"
	for _, c := range []struct{ base, change string }{
		{windows, "size: 58"}, {windows, "window: 48"}, {windows, "stride: 11"}, {windows, "long: 56"},
		{windows, "filter: bicubic"}, {windows, "mean: imagenet"},
		{"base: sclip, size: 52, window: 30, stride: 20, templates: none", "pad: patch"}, {windows, "templates: photo"},
		{windows, "queries: plain"}, {windows, "scale: 100"},
		{windows, "threshold: 0.2"}, {windows, "area_threshold: 0.3"}, {windows, "pamr: 3"},
		{windows, "positions: bicubic-antialias"}, {windows, "resize: squash"},
		{windows, "window: 0"}, {whole, "decode_resize: bilinear-twice"}, {whole, "pad: patch"}, {whole, "pad: corner"},
		{"base: clip-surgery, size: 60, templates: none, pad: patch", "pad: corner"}, {windows, "positions: bicubic-size"},
		{windows, "background_rule: margin"}, {windows, "aliases: mean"}, {windows, "aliases: lse"},
		{windows + ", aliases: lse", "alias_tau: 1"}, {windows + ", aliases: lse", "alias_temperature: 0.01"},
		{windows, "vocabulary: oracle"}, {whole, "vocabulary: oracle"}, {whole + ", queries: sclip", "aliases: mean"},
		{whole, "pamr: 3"}, {whole, "area_threshold: 0.3"}, {whole, "resize: short-side"}, {windows, "multiple: 40"},
	} {
		key, _, _ := strings.Cut(c.change, ":")
		kept := c.base
		if i := strings.Index(kept, ", "+key+":"); i >= 0 {
			rest := kept[i+2:]
			_, rest, _ = strings.Cut(rest, ", ")
			kept = strings.TrimSuffix(kept[:i]+", "+rest, ", ")
		}
		if cmp.Equal(scores("{"+c.base+"}"), scores("{"+kept+", "+c.change+"}")) {
			t.Errorf("{%s} is measured as without %s", c.base, c.change)
		}
	}
}

// An estimate counts prompts, pictures and windows, and leaves nothing behind.
func TestEstimate(t *testing.T) {
	r := suite(t, demo(t), both,
		"{base: sclip, size: 56, window: 32, stride: 20, templates: none, datasets: {voc20: {stride: 28}}}")
	r.Threads = 4 // whatever the machine has: enough to be shared out
	plan, err := NewPlan(r)
	if err != nil {
		t.Fatal(err)
	}
	windows := map[string]int{} // by the sizes of the pictures, as they are decoded
	for _, j := range plan.targets {
		for _, i := range j.indices {
			s, err := j.Dataset.At(i)
			if err != nil {
				t.Fatal(err)
			}
			h, w := j.framing.input.Size(s.Image.Rect.Dy(), s.Image.Rect.Dx())
			windows[j.Info.Name] += len(j.framing.sliding.Windows(h, w))
		}
	}
	lines, _, err := plan.Estimate(t.Context(), quiet{})
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(lines, "\n")
	for _, want := range []string{
		"texts: 86 prompts (86 queries, 1 templates)", // 56 of voc21, 30 of voc20
		fmt.Sprintf("voc21: 8 pictures, %d windows of 32x32 (counted)", windows["voc21"]),
		fmt.Sprintf("voc20: 8 pictures, %d windows of 32x32 (counted)", windows["voc20"]),
		"altogether about ", "; records of about ",
		"processes x threads: windows a second are 1 x 4: ", ", 2 x 2: ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if windows["voc21"] == windows["voc20"] {
		t.Error("the strides make no difference and test nothing")
	}
	if files, err := os.ReadDir(r.Out); err != nil || len(files) > 0 {
		t.Errorf("an estimate left %v, %v", files, err)
	}
	if plan.targets[0].panels == nil {
		t.Error("an estimate changed the plan")
	}
}

// closed is a data set that is not there.
type closed struct {
	datasets.Dataset
	info datasets.Info
}

func (c closed) Info() datasets.Info { return c.info }

// Every protocol has words for each of the eight benchmarks: counts of queries of the authors' files (SCLIP, NACLIP:
// cls_*.txt split at ", "; ClearCLIP: at ","), and one for each class where they are plain.
func TestWordsOfProtocols(t *testing.T) {
	sets := []string{"voc21", "context60", "coco_object", "voc20", "context59", "coco_stuff", "cityscapes", "ade20k"}
	plain := []int{21, 60, 81, 20, 59, 171, 19, 150}
	proxyclip := []int{46, 60, 97, 20, 59, 171, 19, 150}
	sclip := []int{56, 60, 113, 30, 59, 171, 19, 150}
	want := map[string][]int{"clip-surgery": plain, "gem": plain, "maskclip": plain, "clearclip": plain, "sclip": sclip,
		"naclip": sclip, "sc-clip": sclip,
		"proxyclip": proxyclip, "lposs": proxyclip, "trident": proxyclip, "trident-refined": proxyclip,
		"corrclip": {46, 60, 96, 20, 59, 171, 19, 150}}
	for _, p := range configs.Protocols() {
		for i, set := range sets {
			classes, err := datasets.QueriesOf(closed{info: datasets.Info{Name: set, Classes: make([]string, plain[i])}},
				p.On(set).Queries)
			n := 0
			for _, queries := range classes {
				n += len(queries)
			}
			if err != nil || want[p.Name] == nil || n != want[p.Name][i] {
				t.Errorf("%s on %s: %d queries, %v", p.Name, set, n, err)
			}
		}
	}
}
