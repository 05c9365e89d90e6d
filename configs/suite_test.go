package configs

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// known is what the suites of testdata may name.
var known = Known{
	Methods:  map[string][]string{"clip": {}, "clip_surgery": {"depth", "scale", "mode", "dual", "blocks"}},
	Datasets: []string{"voc20", "voc21"},
	Queries:  map[string][]string{"voc20": {"plain", "sclip"}, "voc21": {"plain", "sclip", "clearclip"}},
	Metrics:  map[string][]string{"segmentation": {"mIoU", "mAcc", "aAcc"}},
}

// sameSuite compares what a suite says, not where it was said.
var sameSuite = cmpopts.IgnoreUnexported(Suite{})

func mustParse(t *testing.T, text string) *Suite {
	t.Helper()
	s, err := Parse("suite.yaml", []byte(text), known)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const small = "datasets: [voc20]\nmethods: [clip, clip_surgery]\nprotocol: clip-surgery\n"

func TestGood(t *testing.T) {
	got, err := Load("testdata/good.yaml", known)
	if err != nil {
		t.Fatal(err)
	}
	want := &Suite{
		Name: "table-1", Title: "A table: 21 classes", Doc: "Two lines\nof text.", Model: Model{Path: "../models/vit"},
		Segmenter: "../models/sam.pth", Task: "segmentation",
		Datasets: []Dataset{
			{Name: "voc20"},
			{Name: "voc21", Root: "../data/VOC2012", Split: "val", Queries: "words/mine.txt", Limit: 100},
		},
		Methods: []Method{
			{Name: "clip", Kind: "clip"},
			{Name: "clip_surgery depth=4", Kind: "clip_surgery", Params: map[string]any{"depth": 4}},
			{Name: "clip_surgery", Kind: "clip_surgery"},
			{Name: "CS d=4", Kind: "clip_surgery", Params: map[string]any{
				"depth": 4, "scale": 2.5, "mode": "on", "dual": true, "blocks": []any{1, 2.0, "x"}}},
		},
		Protocol: Protocol{
			Name: "mine", Resize: "squash", Size: Size{224, 336}, Filter: "bicubic", Mean: "clip", Pad: "none",
			Positions: "bicubic-antialias",
			Templates: "prompts.txt", Queries: "sclip", Redundant: "reference", Scale: 40, Threshold: 0.1,
			DecodeResize: "bilinear", Convention: "mmseg", PointThreshold: 0.7,
		},
		Metrics: []string{"mIoU", "aAcc"}, Panels: 0, Seed: 1<<64 - 1, Resamples: 500, File: "testdata/good.yaml",
	}
	if d := cmp.Diff(want, got, sameSuite); d != "" {
		t.Errorf("good.yaml (-want +got):\n%s", d)
	}
}

func TestDefaults(t *testing.T) {
	s := mustParse(t, small)
	if s.Name != "suite" || s.Task != "segmentation" || s.Panels != 4 || s.Resamples != 2000 || s.Seed != 0 ||
		s.Metrics != nil {
		t.Errorf("defaults: %+v", s)
	}
	for file, want := range map[string]string{"a/My suite (2).yaml": "My-suite-2-", "..": "suite", "": "suite",
		"x.y.yml": "x.y"} {
		if got := stem(file); got != want || !goodName.MatchString(got) {
			t.Errorf("stem(%q) = %q, want %q", file, got, want)
		}
	}
}

// Every bad suite has its whole message beside it.
func TestBad(t *testing.T) {
	files, err := filepath.Glob("testdata/*.bad.yaml")
	if err != nil || len(files) < 15 {
		t.Fatalf("%d bad suites, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			_, err := Load(file, known)
			var faults Faults
			if !errors.As(err, &faults) {
				t.Fatalf("error is %T %v, want Faults", err, err)
			}
			got := err.Error() + "\n"
			golden := strings.TrimSuffix(file, ".yaml") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got); d != "" {
				t.Errorf("faults (-want +got):\n%s", d)
			}
		})
	}
}

// A byte-order mark and Windows line ends are not content, nor do they move lines.
func TestWindowsFile(t *testing.T) {
	data, err := os.ReadFile("testdata/good.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want, err := Parse("f.yaml", data, known)
	if err != nil {
		t.Fatal(err)
	}
	windows := append([]byte("\xef\xbb\xbf"), bytes.ReplaceAll(data, []byte("\n"), []byte("\r\n"))...)
	got, err := Parse("f.yaml", windows, known)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got, sameSuite); d != "" {
		t.Error(d)
	}
	if a, b := want.Fault("protocol.size", "x"), got.Fault("protocol.size", "x"); a != b || a.Line != 22 {
		t.Errorf("protocol.size stands at %v, %v, want line 22", a, b)
	}
}

func TestFault(t *testing.T) {
	s, err := Load("testdata/good.yaml", known)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Set("model", "other"); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"model":               "--set: gone",
		"datasets[1].root":    "testdata/good.yaml:12: gone",
		"datasets[0].root":    "testdata/good.yaml:10: gone", // not written: where the data set is
		"methods[1].depth":    "testdata/good.yaml:18: gone",
		"methods[2].depth":    "testdata/good.yaml:19: gone",
		"protocol.convention": "testdata/good.yaml:22: gone",
		"task.of.nobody":      "testdata/good.yaml:8: gone",
		"nothing":             "testdata/good.yaml: gone",
	} {
		if got := s.Fault(path, "%s", "gone").Error(); got != want {
			t.Errorf("Fault(%q) = %q, want %q", path, got, want)
		}
	}
}

// A shell expands ~ before a program sees it; a suite has no shell.
func TestHome(t *testing.T) {
	t.Setenv("HOME", "/home/me")
	s := &Suite{File: "dir/suite.yaml"}
	for name, want := range map[string]string{"~/data": "/home/me/data", "~": "/home/me", "$HOME/data": "/home/me/data",
		"${HOME}/x": "/home/me/x",
		"~you/data": "dir/~you/data", "$HOMES": "dir/$HOMES", "data/~": "dir/data/~"} {
		if got := s.Path(name); got != filepath.FromSlash(want) {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}

func TestPath(t *testing.T) {
	s := &Suite{File: "a/b/x.yaml"}
	for name, want := range map[string]string{"": "", "data": "a/b/data", "../data": "a/data", "/data": "/data",
		DemoRoot: DemoRoot} {
		if got := s.Path(name); got != want {
			t.Errorf("Path(%q) = %q, want %q", name, got, want)
		}
	}
	for word, want := range map[string]string{"plain": "plain", "mine.txt": "a/b/mine.txt", "w/mine": "a/b/w/mine"} {
		if got := s.Words(word); got != want {
			t.Errorf("Words(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestBuiltIn(t *testing.T) {
	if got, want := Names(), []string{"ade20k", "audit_voc21", "camvid", "cityscapes", "coco_object", "coco_stuff",
		"context59", "context60", "demo", "demo_explain", "demo_interactive", "demo_tags", "explain_clip_surgery", "explain_grad_eclip",
		"explain_grad_eclip_pointing", "explain_legrad", "imagenet_s50", "interactive_coco", "interactive_imagenet_s50",
		"interactive_voc", "micro", "multilabel", "nuswide", "ovs8", "ovs8_backbones", "voc20", "voc21", "voc_explain",
		"voc_faithfulness"}; !reflect.DeepEqual(got, want) {
		t.Errorf("Names() = %v, want %v", got, want)
	}
	all := known
	all.Datasets, all.Queries, all.Methods = nil, nil, nil // each suite has its own
	for _, name := range Names() {
		s, err := Load(name, all)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if s.Name != name || s.Title == "" || s.Model.Path == "" {
			t.Errorf("%s: name %q, title %q, model %q", name, s.Name, s.Title, s.Model)
		}
	}
}

func TestLoadErrors(t *testing.T) {
	large := filepath.Join(t.TempDir(), "large.yaml")
	if err := os.WriteFile(large, make([]byte, 3<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"voc2":            `suite "voc2" is not known; did you mean "voc20"? (ovbench list suites; a file's name ends in .yaml)`,
		"protocols":       `suite "protocols" is not known (ovbench list suites; a file's name ends in .yaml)`,
		"":                `suite "" is not known (ovbench list suites; a file's name ends in .yaml)`,
		"testdata/":       "testdata/: not a file; a suite is one YAML file",
		"/dev/null":       "/dev/null: not a file; a suite is one YAML file",
		"absent.yaml":     "absent.yaml: file does not exist; check the path, or name a built-in suite (ovbench list suites)",
		large:             large + ": more than 1048576 bytes, too much for such a file; is this the right one?",
		"nothing\x00.yml": "stat nothing\x00.yml: invalid argument",
	} {
		if _, err := Load(name, known); err == nil || err.Error() != want {
			t.Errorf("Load(%q): %v\nwant %s", name, err, want)
		}
	}
}

// Without a table of names every name is accepted.
func TestUnchecked(t *testing.T) {
	s, err := Parse("f.yaml",
		[]byte("datasets: [x]\nmethods: [{y: {z: 1}}]\nprotocol: {base: clip-surgery, queries: w}\nmetrics: [v]\n"), Known{})
	if err != nil || s.Datasets[0].Name != "x" || s.Methods[0].Params["z"] != 1 {
		t.Errorf("%+v, %v", s, err)
	}
}

// The protocol's queries bind only data sets without their own.
func TestOwnQueries(t *testing.T) {
	s := mustParse(t, "datasets: [{name: voc20, queries: sclip}, voc21]\nmethods: [clip]\nprotocol: {base: "+
		"clip-surgery, queries: clearclip}\n")
	if a, b := s.ProtocolOf(s.Datasets[0]).Queries, s.ProtocolOf(s.Datasets[1]).Queries; a != "sclip" || b != "clearclip" {
		t.Errorf("queries %s, %s", a, b)
	}
}

// Many faults end in a count.
func TestManyFaults(t *testing.T) {
	_, err := Parse("f.yaml", []byte(strings.Repeat("no_such_key: 1\n", 1000)), known)
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != maxShown+1 ||
		!strings.Contains(lines[maxShown], "and 953 more") { // an unknown key, 999 repeats, 3 missing keys; 50 are shown
		t.Errorf("%d lines, the last %q", len(lines), lines[len(lines)-1])
	}
}

// Large collections end at once, not in a fault for each entry; a bomb of aliases is never unfolded.
func TestBounds(t *testing.T) {
	bomb := "a: &a [x]\n"
	for c := 'b'; c <= 'z'; c++ {
		bomb += fmt.Sprintf("%c: &%c [*%c, *%c, *%c, *%c]\n", c, c, c-1, c-1, c-1, c-1)
	}
	for name, c := range map[string]struct {
		text, first string
		faults      int
	}{
		"list": {"methods: [" + strings.Repeat("1,", 1001) + "]\n",
			"f.yaml:1: more than 1000 entries, too many for a suite", 1},
		"mapping": {strings.Repeat("a: 1\n", 1001), "f.yaml:1: more than 1000 entries, too many for a suite", 1},
		"bomb":    {bomb, "f.yaml:1: " + noAliases, 26 + 25*4},
		"large":   {strings.Repeat("#", maxFile+1), "f.yaml: " + tooLarge(maxFile), 1},
		"long":    {"title: " + strings.Repeat("x", 1000) + "\n" + small, "f.yaml:1: title: 1000 characters; at most 200", 1},
	} {
		var faults Faults
		if _, err := Parse("f.yaml", []byte(c.text), known); !errors.As(err, &faults) || faults[0].Error() != c.first {
			t.Errorf("%s: %.200v, want %s", name, err, c.first)
		}
		if len(faults) != c.faults {
			t.Errorf("%s: %d faults, want %d", name, len(faults), c.faults)
		}
	}
}

// genText is a text that a suite may hold, with what YAML could take for something else.
var genText = rapid.OneOf(
	rapid.SampledFrom([]string{"null", "Yes", "off", "1.0", "010", "0x1F", "~", "a: b", "- x", "#c", "x #c", "<<", "'", `"`, `\n`, "{", "2001-01-01", "true", ".nan", "é…", "a.txt", "=", "!x", "&a", "*a", "?", "|", "%", "@", "`"}),
	rapid.StringMatching(`[!-~]([ -~]{0,120}[!-~])?`),
)

func genParam() *rapid.Generator[any] {
	scalar := rapid.OneOf(
		rapid.Map(rapid.Int(), func(v int) any { return v }),
		rapid.Map(rapid.Float64(), func(v float64) any { return v + 0 }),
		rapid.Map(rapid.Bool(), func(v bool) any { return v }),
		rapid.Map(genText, func(v string) any { return v }),
		rapid.Just[any](""),
	)
	return rapid.OneOf(scalar, rapid.Map(rapid.SliceOfN(scalar, 0, 3), func(v []any) any {
		if v == nil {
			v = []any{}
		}
		return v
	}))
}

func genSuite(t *rapid.T) *Suite {
	label := rapid.Map(genText,
		func(s string) string {
			return strings.TrimSpace(s[:min(len(s),
				60)])
		}).Filter(func(s string) bool { return s != "" && strings.ToValidUTF8(s, "") == s })
	maybe := rapid.OneOf(rapid.Just(""), label)
	name := rapid.StringMatching(`[A-Za-z0-9][A-Za-z0-9_.-]{0,20}`)
	s := &Suite{
		Name: name.Draw(t, "name"), Title: maybe.Draw(t, "title"),
		Doc:  strings.TrimSpace(rapid.StringMatching("([ -~]|\n|\t|é){0,200}").Draw(t, "doc")),
		Task: rapid.SampledFrom(tasks).Draw(t, "task"), File: "f.yaml",
		Protocol: Protocol{
			Name: label.Draw(t, "protocol"), Resize: "squash", Long: rapid.IntRange(0, maxSide).Draw(t, "long"),
			Mean: "imagenet", Pad: "patch",
			Stride: rapid.IntRange(0, maxSide).Draw(t, "stride"), AreaThreshold: rapid.Float64Range(0, 0.999).Draw(t, "area"),
			PAMR:   rapid.IntRange(0, 1000).Draw(t, "pamr"),
			Filter: rapid.SampledFrom([]string{"bicubic", "cv2-linear"}).Draw(t, "filter"), DecodeResize: "bilinear",
			Convention: "mmseg",
			Size:       Size{rapid.IntRange(minSide, maxSide).Draw(t, "h"), rapid.IntRange(minSide, maxSide).Draw(t, "w")},
			Positions: rapid.SampledFrom([]string{"reference", "bilinear", "bicubic", "bicubic-size",
				"bicubic-antialias"}).Draw(t, "positions"),
			Templates: rapid.SampledFrom([]string{"none", "openai80", "surgery85", "x.txt", "a b/c"}).Draw(t, "templates"),
			Redundant: rapid.SampledFrom([]string{"reference", "labels", "none"}).Draw(t, "redundant"),
			Queries:   label.Draw(t, "queries"), Scale: rapid.Float64Range(1e-9, 1000).Draw(t, "scale"),
			Threshold: rapid.Float64Range(0, 0.999).Draw(t, "threshold"),
		},
		Metrics: rapid.SliceOfNDistinct(label, 0, 3, rapid.ID[string]).Draw(t, "metrics"),
		Panels:  rapid.IntRange(0, 1000).Draw(t, "panels"), Seed: rapid.Uint64().Draw(t, "seed"), Resamples: rapid.IntRange(0,
			1_000_000).Draw(t, "resamples"),
	}
	if len(s.Metrics) == 0 {
		s.Metrics = nil
	}
	for _, path := range rapid.SliceOfNDistinct(label, 0, 3, rapid.ID[string]).Draw(t, "models") {
		s.Models = append(s.Models, Model{Name: "model " + path, Path: path})
	}
	if len(s.Models) == 1 {
		s.Model, s.Models = s.Models[0], nil
		s.Model.Name = maybe.Draw(t, "called")
	}
	for _, n := range rapid.SliceOfNDistinct(label, 1, 4, rapid.ID[string]).Draw(t, "datasets") {
		s.Datasets = append(s.Datasets, Dataset{Name: n, Root: maybe.Draw(t, "root"), Split: maybe.Draw(t, "split"),
			Queries: maybe.Draw(t, "queries"), Limit: rapid.IntRange(0, 1e9).Draw(t, "limit"),
			Regions:    maybe.Draw(t, "regions"),
			LabelNames: maybe.Draw(t, "label names"), LabelledOnly: rapid.Bool().Draw(t, "labelled only"),
			ApplyEXIF: rapid.Bool().Draw(t, "exif"), Images: maybe.Draw(t, "images"), Labels: maybe.Draw(t, "labels"),
			Classes: maybe.Draw(t, "classes"), List: maybe.Draw(t, "list"), ImageSuffix: maybe.Draw(t, "image suffix"),
			LabelSuffix: maybe.Draw(t, "label suffix"),
			Ignore:      rapid.IntRange(0, 65535).Draw(t, "ignore"), ReduceZero: rapid.Bool().Draw(t, "reduce zero"),
			Background: rapid.Bool().Draw(t, "background")})
	}
	for _, n := range rapid.SliceOfNDistinct(label, 0, 3, rapid.ID[string]).Draw(t, "departures") {
		d := Departure{Dataset: n, Keys: []string{"queries"}, Values: Protocol{Queries: label.Draw(t, "departing queries")}}
		if rapid.Bool().Draw(t, "departing threshold") {
			d.Keys, d.Values.Threshold = append(d.Keys, "threshold"), rapid.Float64Range(0, 0.999).Draw(t, "departing")
		}
		s.Protocol.Departures = append(s.Protocol.Departures, d)
	}
	used := map[string]bool{}
	for range rapid.IntRange(1, 4).Draw(t, "methods") {
		m := Method{Kind: label.Draw(t, "kind")}
		params := rapid.MapOfN(label.Filter(func(s string) bool { return s != "name" && s != "method" }), genParam(), 0,
			3).Draw(t, "params")
		if len(params) > 0 {
			m.Params = params
		}
		if m.Name = maybe.Draw(t, "label"); m.Name == "" {
			m.Name = autoLabel(m)
		}
		if !used[m.Name] {
			used[m.Name] = true
			s.Methods = append(s.Methods, m)
		}
	}
	return s
}

// Law: what Canonical writes, Parse reads back.
func TestCanonicalRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := genSuite(t)
		text := want.Canonical()
		got, err := Parse("f.yaml", text, Known{})
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if d := cmp.Diff(want, got, sameSuite); d != "" {
			t.Fatalf("(-want +got):\n%s\n%s", d, text)
		}
		if got.Fingerprint() != want.Fingerprint() {
			t.Fatal("the fingerprint changed")
		}
	})
}

func TestSuiteFingerprint(t *testing.T) {
	base := mustParse(t, small).Fingerprint()
	same := []string{"name=other", "title=x", "doc=x", "panels=9", "datasets.voc20.root=/data", "protocol.name=other",
		"task=segmentation"}
	other := []string{"model=x", "datasets=voc21", "datasets.voc20.limit=1", "datasets.voc20.split=train",
		"datasets.voc20.queries=sclip",
		"methods=clip", "methods=clip_surgery,clip", "methods.clip_surgery.depth=3", "protocol.size=224", "metrics=mIoU",
		"seed=1", "resamples=1"}
	seen := map[string]string{base: "the suite"}
	for i, kv := range append(same, other...) {
		s := mustParse(t, small)
		key, value, _ := strings.Cut(kv, "=")
		if err := s.Set(key, value); err != nil {
			t.Fatalf("%s: %v", kv, err)
		}
		if i < len(same) {
			if s.Fingerprint() != base {
				t.Errorf("%s changed the fingerprint", kv)
			}
			continue
		}
		if before, ok := seen[s.Fingerprint()]; ok {
			t.Errorf("%s has the fingerprint of %s", kv, before)
		}
		seen[s.Fingerprint()] = kv
	}
	rooted := mustParse(t, small)
	rooted.Datasets[0].Root = "/elsewhere"
	if rooted.Fingerprint(); rooted.Datasets[0].Root != "/elsewhere" {
		t.Error("Fingerprint changed the suite")
	}
}

func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.yaml")
	for _, name := range append(files, "voc20.yaml", "voc21.yaml", "demo.yaml", "protocols.yaml") {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, true)
		f.Add(data, false)
	}
	all := slices.Clone(known.Datasets) // a suite written out names those of its protocol
	for _, p := range Protocols() {
		for _, d := range p.Departures {
			all = append(all, d.Dataset)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, check bool) {
		var k Known
		if check {
			k = known
			k.Datasets = all
		}
		s, err := Parse("f.yaml", data, k)
		if err != nil {
			var faults Faults
			if !errors.As(err, &faults) {
				t.Fatalf("error %T", err)
			}
			for _, fault := range faults {
				if strings.ContainsAny(fault.Message, "\n\r") || fault.Message == "" {
					t.Fatalf("fault %q is not one line", fault.Message)
				}
			}
			return
		}
		again, err := Parse("f.yaml", s.Canonical(), k)
		if err != nil {
			t.Fatalf("%v\n%s", err, s.Canonical())
		}
		if d := cmp.Diff(s, again, sameSuite); d != "" {
			t.Fatal(d)
		}
	})
}
