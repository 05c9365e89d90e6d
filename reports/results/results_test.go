package results

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "rewrite golden files")

func ptr(x float64) *float64 { return &x }

// example has every field set.
func example() *Run {
	return &Run{
		Complete: true, Fingerprint: "f1", Shard: "2/8",
		Tool:     Tool{Version: "0.1.0", Revision: "0123abcd", Dirty: true, Go: "go1.26.8", OS: "linux", Arch: "amd64"},
		Host:     Host{Name: "box", CPU: "A CPU @ 3 GHz", Cores: 8, MemoryBytes: 16 << 30},
		Started:  time.Date(2026, 3, 1, 10, 0, 0, 5, time.FixedZone("CET", 3600)),
		Finished: time.Date(2026, 3, 1, 9, 1, 2, 0, time.UTC),
		Command:  []string{"ovbench", "run", "demo", "--out", "a <b> & c"},
		Suite: Suite{Name: "demo", Title: "Demo", File: "configs/demo.yaml", SHA256: "aa", Text: "name: demo\n",
			Metrics: []string{"mIoU"}},
		Model: Model{Name: "micro", Title: "Micro", Path: "/m", Format: "safetensors",
			Files:        []File{{Path: "model.safetensors", Bytes: 12, SHA256: "bb"}},
			Architecture: "ViT", Activation: "quick_gelu", ImageSize: 224, Patch: 16, Layers: 12, Width: 768, Heads: 12,
			Embed: 512, LogitScale: 100, LogitBias: -10, Cleaning: "siglip",
			Vocabulary: File{Path: "vocab.json", Bytes: 3, SHA256: "cc"}},
		Networks: []Network{{Role: "dino", Model: Model{Name: "dino", Title: "DINO", Path: "/n", Format: "pt",
			Files:        []File{{Path: "dino.pth", Bytes: 13, SHA256: "bd"}},
			Architecture: "DINO ViT-B/8", Activation: "gelu", ImageSize: 224, Patch: 8, Layers: 12, Width: 768, Heads: 12,
			Embed: 1, LogitScale: 1, LogitBias: 1, Cleaning: "lower",
			Vocabulary: File{Path: "none", Bytes: 1, SHA256: "ce"}}}},
		Runtime: Runtime{Name: "onnxruntime", Version: "1.27.0", Path: "/lib", SHA256: "dd", Threads: 2, Jobs: 3, Batch: 8,
			Device: "cuda:1", Precision: "f16", Mmap: true, JPEG: "image/jpeg", Attention: "MultiHeadAttention"},
		Methods: []Method{{Name: "clip_surgery", Kind: "surgery", Params: map[string]any{"depth": 7.0, "tau": 2.0},
			Positions: "bilinear", Needs: []string{"DINO"}}},
		Protocol: Protocol{Name: "plain", Fingerprint: "ee",
			Fields: map[string]any{"window": 224.0, "names": []any{"a", "b"}}},
		Datasets: []Dataset{{Name: "shapes", Title: "Shapes", Split: "val", Root: "/d", Samples: "0-9", Official: 12,
			ListSHA256: "ff", Images: 10, Measured: 9,
			Classes: []string{"background", "été"}, Queries: [][]string{{"background", "sky"},
				{"summer"}}, QuerySet: "plain", Templates: 85, Background: true, Protocol: Protocol{Name: "plain",
				Fingerprint: "ef", Fields: map[string]any{"window": 112.0}},
			Params: map[string]map[string]any{"clip_surgery": {"tau": 1.5}},
			Experts: &Experts{File: File{Path: "experts.yaml", Bytes: 4096,
				SHA256: "6f1b4a0d2c7e9385a1b0c4d2e6f8091a3b5c7d9e0f1a2b3c4d5e6f708192a3b4"},
				Dataset: "shapes", Split: "train", Samples: "0-99", Pictures: 100}}},
		Cells: []Cell{{Dataset: "shapes", Method: "clip_surgery", Task: "segmentation", Convention: "mmseg",
			Images: 9, Counts: map[string]int{"failed": 1, "undefined_classes": 0},
			Scores: []Score{{Name: "mIoU", Value: 1.0 / 3, Low: ptr(0.3), High: ptr(0.35), Level: 0.95,
				Resamples: 1000}, {Name: "aAcc", Value: 0}},
			Classes: []ClassScore{{Class: "background", IoU: ptr(0.1), Acc: ptr(0.2), Precision: ptr(0.3),
				Dice: ptr(0.4), AP: ptr(0.5), Images: 3, Pixels: 1 << 40, Predicted: 7}, {Class: "été"}},
			Curves: []Curve{{Name: "precision over recall", XLabel: "recall", YLabel: "precision",
				X: []float64{0, 0.5}, Y: []float64{1, 0.25}}},
			Confusions: [][3]int64{{0, 1, 12}, {1, 0, 3}},
			Warnings:   []string{"few images"}}},
		Failures: []Failure{{Dataset: "shapes", ID: "s3", Stage: "decode", Error: "unexpected EOF"}},
		Warnings: []string{"2 cores"},
		Timing:   Timing{Seconds: map[string]float64{"encode": 1.5, "decode": 0.25}, Wall: 2, CPU: 3.5},
		Panels: []Panel{{Dataset: "shapes", ID: "s1", Image: "panels/s1.png", Truth: "panels/t1.png",
			Predictions: map[string]string{"clip_surgery": "panels/p1.png"}, Maps: []PanelMap{{Method: "clip_surgery",
				Class: "été", Path: "panels/m1.png"}}}},
	}
}

// TestGolden pins the spelling of every field. The golden file was written by Write and read by eye.
func TestGolden(t *testing.T) {
	dir := t.TempDir()
	if err := example().Write(filepath.Join(dir, "new")); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, "new", FileName))
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "example.json")
	if *update {
		if err := os.WriteFile(golden, got, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("results.json (-want +got):\n%s", diff)
	}
}

func TestReadReturnsWhatWasWritten(t *testing.T) {
	dir := t.TempDir()
	want := example()
	if err := want.Write(dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{dir, filepath.Join(dir, FileName)} {
		got, err := Read(name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Read(%s) (-want +got):\n%s", name, diff)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("folder holds %v, %v; want results.json alone", entries, err)
	}
}

// TestExampleIsFull keeps example, and with it the golden file, from missing a new field.
func TestExampleIsFull(t *testing.T) {
	r := example()
	r.Schema, r.Dir, r.Choice, r.Label = Schema, ".", "all", "a"
	var walk func(at string, v reflect.Value)
	walk = func(at string, v reflect.Value) {
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				f := v.Type().Field(i)
				if v.Field(i).IsZero() {
					t.Errorf("%s.%s is not set", at, f.Name)
				}
				walk(at+"."+f.Name, v.Field(i))
			}
		case reflect.Slice:
			if v.Len() > 0 {
				walk(at, v.Index(0))
			}
		}
	}
	walk("Run", reflect.ValueOf(*r))
}

// TestFormatDescribesEveryKey: a key without its row in FORMAT.md fails.
func TestFormatDescribesEveryKey(t *testing.T) {
	text, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "| `") || strings.HasPrefix(line, "A map has `") ||
			strings.HasPrefix(line, "white is 1") {
			rows = append(rows, line)
		}
	}
	described := strings.Join(rows, "")
	keys := map[string]bool{}
	var walk func(reflect.Type)
	walk = func(typ reflect.Type) {
		switch typ.Kind() {
		case reflect.Slice, reflect.Pointer:
			walk(typ.Elem())
		case reflect.Struct:
			if typ == reflect.TypeFor[time.Time]() {
				return
			}
			for f := range typ.Fields() {
				key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
				if key == "-" {
					continue
				}
				if key == "" {
					t.Errorf("%v.%s has no json key", typ, f.Name)
				}
				keys[key] = true
				walk(f.Type)
			}
		}
	}
	walk(reflect.TypeFor[Run]())
	for key := range keys {
		if !strings.Contains(described, "`"+key+"`") {
			t.Errorf("FORMAT.md does not describe %q", key)
		}
	}
	if len(keys) < 80 {
		t.Errorf("walked over %d keys only", len(keys))
	}
}

func TestLookup(t *testing.T) {
	r := example()
	if got := r.Cell("shapes", "clip_surgery").Score("mIoU"); got == nil || got.Value != 1.0/3 {
		t.Errorf("mIoU = %v", got)
	}
	for _, got := range []*Score{r.Cell("shapes", "gem").Score("mIoU"), r.Cell("x", "clip_surgery").Score("mIoU"),
		r.Cell("shapes", "clip_surgery").Score("mAP")} {
		if got != nil {
			t.Errorf("score %v of nothing", got)
		}
	}
	if r.Dataset("shapes") != &r.Datasets[0] || r.Dataset("x") != nil || r.Method("clip_surgery") != &r.Methods[0] ||
		r.Method("x") != nil {
		t.Error("lookup by name")
	}
	if got := r.Failed("shapes"); got != 1 {
		t.Errorf("Failed = %d, want 1", got)
	}
	if diff := cmp.Diff([]string{"encode", "decode"}, r.Timing.Stages()); diff != "" {
		t.Errorf("stages (-want +got):\n%s", diff)
	}
}

func TestWriteRefuses(t *testing.T) {
	tests := []struct {
		name, want string
		change     func(*Run)
	}{
		{"NaN score", `score "mIoU" is not a number`, func(r *Run) { r.Cells[0].Scores[0].Value = math.NaN() }},
		{"infinite bound", `score "mIoU": high is not a number`,
			func(r *Run) { r.Cells[0].Scores[0].High = ptr(math.Inf(1)) }},
		{"NaN class", `a score of class "background" is not a number`,
			func(r *Run) { r.Cells[0].Classes[0].Dice = ptr(math.NaN()) }},
		{"NaN time", `seconds of "encode" is not a number`, func(r *Run) { r.Timing.Seconds["encode"] = math.NaN() }},
		{"NaN parameter", `method "clip_surgery": params`, func(r *Run) { r.Methods[0].Params["tau"] = math.NaN() }},
		{"NaN setting", `data set "shapes": protocol: fields`,
			func(r *Run) { r.Datasets[0].Protocol.Fields["window"] = math.NaN() }},
		{"year", `has no spelling in RFC 3339`, func(r *Run) {
			r.Started = time.Date(10000, 1, 1, 0, 0, 0, 0,
				time.UTC)
		}},
		{"half interval", `has one bound`, func(r *Run) { r.Cells[0].Scores[0].Low = nil }},
		{"turned interval", `interval from 0.9 to 0.35`, func(r *Run) { r.Cells[0].Scores[0].Low = ptr(0.9) }},
		{"level", `confidence level 95`, func(r *Run) { r.Cells[0].Scores[0].Level = 95 }},
		{"doubled data set", `data set "shapes" occurs twice`,
			func(r *Run) { r.Datasets = append(r.Datasets, r.Datasets[0]) }},
		{"doubled method", `method "clip_surgery" occurs twice`,
			func(r *Run) { r.Methods = append(r.Methods, r.Methods[0]) }},
		{"doubled cell", `occurs twice with task "segmentation"`,
			func(r *Run) { r.Cells = append(r.Cells, r.Cells[0]) }},
		{"doubled score", `score "mIoU" occurs twice`, func(r *Run) { r.Cells[0].Scores[1].Name = "mIoU" }},
		{"nameless method", `method 1 has no name`, func(r *Run) { r.Methods[0].Name = "" }},
		{"stray cell", `the data set is not in datasets`, func(r *Run) { r.Cells[0].Dataset = "voc21" }},
		{"stray parameters", `params: method "gem" is not in methods`,
			func(r *Run) { r.Datasets[0].Params["gem"] = nil }},
		{"stray method", `the method is not in methods`, func(r *Run) { r.Cells[0].Method = "gem" }},
		{"stray class", `class "winter" is not in the classes`,
			func(r *Run) { r.Cells[0].Classes[1].Class = "winter" }},
		{"class twice", `3 classes, the data set has 2`, func(r *Run) {
			r.Cells[0].Classes = append(r.Cells[0].Classes, ClassScore{Class: "été"})
		}},
		{"methods", `257 methods are more than 256`, func(r *Run) {
			for i := range 256 {
				r.Methods = append(r.Methods, Method{Name: fmt.Sprint(i)})
			}
		}},
		{"data sets", `257 data sets are more than 256`, func(r *Run) {
			for i := range 256 {
				r.Datasets = append(r.Datasets, Dataset{Name: fmt.Sprint(i)})
			}
		}},
		{"conventions", `257 combinations of data set, task and convention`, func(r *Run) {
			for i := range 256 {
				r.Cells = append(r.Cells, Cell{Dataset: "shapes", Method: "clip_surgery", Convention: fmt.Sprint(i)})
			}
		}},
		{"classes", `32769 classes are more than 32768`, func(r *Run) {
			r.Datasets[0].Queries, r.Datasets[0].Classes = nil, append(make([]string, maxClasses-1),
				r.Datasets[0].Classes...)
		}},
		{"stray failure", `failure 1: data set "voc21"`, func(r *Run) { r.Failures[0].Dataset = "voc21" }},
		{"stray panel", `panel 1: data set "voc21"`, func(r *Run) { r.Panels[0].Dataset = "voc21" }},
		{"queries", `1 lists of queries for 2 classes`,
			func(r *Run) { r.Datasets[0].Queries = r.Datasets[0].Queries[:1] }},
		{"negative count", `-1 measured`, func(r *Run) { r.Datasets[0].Measured = -1 }},
		{"image without path", `panel 1: image has no path`, func(r *Run) { r.Panels[0].Image = "" }},
		{"path up", `"../../etc/passwd" leaves the run folder`,
			func(r *Run) { r.Panels[0].Image = "../../etc/passwd" }},
		{"path up inside", `leaves the run folder`, func(r *Run) { r.Panels[0].Truth = "a/../../b.png" }},
		{"absolute path", `"/etc/passwd" leaves the run folder`,
			func(r *Run) { r.Panels[0].Predictions["clip_surgery"] = "/etc/passwd" }},
		{"curve points", `has 2 x and 1 y`, func(r *Run) { r.Cells[0].Curves[0].Y = r.Cells[0].Curves[0].Y[1:] }},
		{"curve back", `x falls from 1 to 0.5`, func(r *Run) { r.Cells[0].Curves[0].X[0] = 1 }},
		{"curve twice", `"precision over recall" occurs twice`,
			func(r *Run) { r.Cells[0].Curves = append(r.Cells[0].Curves, r.Cells[0].Curves...) }},
		{"curve not finite", `"precision over recall" is not a number`,
			func(r *Run) { r.Cells[0].Curves[0].Y[1] = math.Inf(1) }},
		{"confusion with itself", `confusion [1 1 3] is not`, func(r *Run) { r.Cells[0].Confusions[1][1] = 1 }},
		{"stray confusion", `confusion [0 2 12] is not of two of 2 classes`,
			func(r *Run) { r.Cells[0].Confusions[0][1] = 2 }},
		{"confusions rise", `confusion [1 0 13] follows a smaller one`,
			func(r *Run) { r.Cells[0].Confusions[1][2] = 13 }},
		{"map path", `leaves the run folder`, func(r *Run) { r.Panels[0].Maps[0].Path = ".." }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := example()
			tt.change(r)
			dir := filepath.Join(t.TempDir(), "run")
			err := r.Write(dir)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
			if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a refused run left %s: %v", dir, err)
			}
		})
	}
}

func TestValidateNamesAllFaults(t *testing.T) {
	r := example()
	r.Cells[0].Scores[0].Value = math.NaN()
	r.Panels[0].Image = "/x"
	r.Cells[0].Counts["failed"] = -1
	err := r.Validate()
	if err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("error %v, want three lines", err)
	}
	for i := range 30 {
		r.Failures = append(r.Failures, Failure{Dataset: fmt.Sprint(i)})
	}
	if err = r.Validate(); !strings.HasSuffix(err.Error(), "and 23 faults more") {
		t.Errorf("error %v", err)
	}
}

func TestReadRefuses(t *testing.T) {
	var good bytes.Buffer
	if raw, err := example().withSchema().encode(); err != nil {
		t.Fatal(err)
	} else {
		good.Write(raw)
	}
	tests := []struct{ name, text, want string }{
		{"empty", "", "unexpected end of JSON input; restore the file"},
		{"no JSON", "\n\nhello", "line 3: invalid character"},
		{"cut", good.String()[:good.Len()/2], "unexpected end of JSON input"},
		{"two documents", good.String() + "{}", "invalid character '{' after top-level value"},
		{"other schema", `{"schema": "ovbench.run/2", "tool": {"version": "9.1"}}`,
			`schema is "ovbench.run/2", not "ovbench.run/1"; read it with ovbench "9.1", which wrote it`},
		{"no schema", `{}`, `schema is "", not`},
		{"unknown key", `{"schema": "ovbench.run/1", "colour": 1}`, `unknown field "colour"; FORMAT.md`},
		{"wrong type", "{\"schema\": \"ovbench.run/1\",\n\"cells\": [{\"images\": \"many\"}]}",
			`line 2: json: cannot unmarshal string`},
		{"number too large", `{"schema": "ovbench.run/1", "timing": {"wall": 1e999}}`, "1e999"},
		{"path up", strings.Replace(good.String(), "panels/s1.png", "../s1.png", 1), "leaves the run folder"},
		{"too many objects", `{"schema": "ovbench.run/1", "cells": [` + strings.Repeat("{},", maxObjects) + `{}]}`,
			"more than any run has"},
		{"too many values", `{"schema": "ovbench.run/1", "command": [` + strings.Repeat(`"",`, maxValues) + `""]}`,
			"more than any run has"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), FileName)
			if err := os.WriteFile(path, []byte(tt.text), 0o666); err != nil {
				t.Fatal(err)
			}
			_, err := Read(path)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), path+": ") {
				t.Errorf("error %v, want %s: … %q", err, path, tt.want)
			}
		})
	}
}

func (r *Run) withSchema() *Run { r.Schema = Schema; return r }

func TestReadWithoutAFile(t *testing.T) {
	dir := t.TempDir()
	if _, err := Read(dir); err == nil || !strings.Contains(err.Error(), "ovbench run SUITE --out DIR") {
		t.Errorf("empty folder: %v", err)
	}
	if err := os.Mkdir(filepath.Join(dir, FileName), 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(dir); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("folder in place of the file: %v", err)
	}
	big := filepath.Join(t.TempDir(), FileName)
	f, err := os.Create(big)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(1<<40), f.Close()); err != nil {
		t.Skip(err) // a file system without sparse files
	}
	if _, err := Read(big); err == nil || !strings.Contains(err.Error(), "larger than 64 MiB") {
		t.Errorf("a file of 1 TiB: %v", err)
	}
}

func TestOpenStaysInside(t *testing.T) {
	dir := t.TempDir()
	run := filepath.Join(dir, "run")
	if err := os.MkdirAll(filepath.Join(run, "panels"), 0o777); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"secret", "run/panels/a.txt"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../../secret", filepath.Join(run, "panels", "link")); err != nil {
		t.Skip(err)
	}
	r := &Run{Dir: run}
	f, err := r.Open("panels/a.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got, err := io.ReadAll(f); string(got) != "run/panels/a.txt" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
	for _, path := range []string{"panels/link", "../secret", filepath.Join(dir, "secret"), "panels", "panels/none",
		""} {
		if f, err := r.Open(path); err == nil {
			f.Close()
			t.Errorf("Open(%q) succeeded", path)
		}
	}
	if _, err := (&Run{}).Open("panels/a.txt"); err == nil {
		t.Error("a run without a folder opened a file")
	}
}

func TestWriteFileReplaces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	for _, want := range []string{"a long text", "short"} {
		if err := WriteFile(path, []byte(want)); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); string(got) != want || err != nil {
			t.Errorf("read %q, %v; want %q", got, err, want)
		}
	}
	if err := WriteFile(filepath.Join(path, "below", "a", "file"), nil); err == nil {
		t.Error("wrote below a file")
	}
}

// TestRoundTrip: any valid run comes back as it was, and is spelled in one way.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := example().withSchema()
		r.Started = r.Started.UTC()
		text := rapid.StringN(0, 20, -1)
		r.Suite.Text = text.Draw(t, "text")
		r.Warnings = rapid.SliceOfN(text, 1, 3).Draw(t, "warnings")
		r.Cells[0].Scores[0].Value = rapid.Float64().Draw(t, "value")
		r.Cells[0].Classes[0].IoU = rapid.Ptr(rapid.Float64(), true).Draw(t, "iou")
		r.Cells[0].Classes[0].Pixels = rapid.Int64().Draw(t, "pixels")
		r.Methods[0].Params = rapid.MapOfN(text, rapid.Map(rapid.Float64(), func(f float64) any { return f }), 1,
			5).Draw(t, "params")
		raw, err := r.encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := decode(raw)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r, back); diff != "" {
			t.Fatalf("round trip (-want +got):\n%s", diff)
		}
		again, err := back.encode()
		if err != nil || !bytes.Equal(raw, again) {
			t.Fatalf("second spelling differs: %v", err)
		}
	})
}

// TestCount holds the guard to what it guards: encoding/json's own tokens.
func TestCount(t *testing.T) {
	for _, text := range []string{`{}`, `[]`, `{"a":[1,2,{"b":null}],"c":"{[,\"{\\"}`, `["\\\\","{"]`} {
		objects, values := 0, 0
		d := json.NewDecoder(strings.NewReader(text))
		for {
			tok, err := d.Token()
			if err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			if tok == json.Delim('{') {
				objects++
			}
			if tok != json.Delim('}') && tok != json.Delim(']') {
				values++
			}
		}
		o, v := count([]byte(text))
		if o != objects || 2*v+1 < values { // a key and its value are two tokens and one comma
			t.Errorf("count(%s) = %d, %d; tokens: %d objects of %d", text, o, v, objects, values)
		}
	}
}

func FuzzDecode(f *testing.F) {
	raw, err := example().withSchema().encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(`{"schema":"ovbench.run/1"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := decode(raw)
		if err != nil {
			return
		}
		first, err := r.encode()
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		back, err := decode(first)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if again, err := back.encode(); err != nil || !bytes.Equal(first, again) {
			t.Fatalf("spelled in two ways: %v", err)
		}
	})
}

// BenchmarkRead reads a run of 12 methods on 8 data sets with 171 classes each, 3 MB.
func BenchmarkRead(b *testing.B) {
	r := example()
	r.Datasets, r.Methods, r.Cells = nil, nil, nil
	for d := range 8 {
		set := Dataset{Name: fmt.Sprint("set", d), Classes: make([]string, 171)}
		for c := range set.Classes {
			set.Classes[c] = fmt.Sprint("class", c)
		}
		r.Datasets = append(r.Datasets, set)
	}
	for m := range 12 {
		name := fmt.Sprint("method", m)
		r.Methods = append(r.Methods, Method{Name: name})
		for _, d := range r.Datasets {
			c := Cell{Dataset: d.Name, Method: name}
			for i, class := range d.Classes {
				c.Classes = append(c.Classes, ClassScore{Class: class, IoU: ptr(1 / float64(i+3)),
					Acc: ptr(1 / float64(i+7)), Pixels: 12345})
			}
			r.Cells = append(r.Cells, c)
		}
	}
	r.Failures, r.Panels = nil, nil
	dir := b.TempDir()
	if err := r.Write(dir); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := Read(dir); err != nil {
			b.Fatal(err)
		}
	}
}
