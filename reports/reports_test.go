package reports

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/jedib0t/go-pretty/v6/text"
	"pgregory.net/rapid"

	"ovbench/reports/draw"
	"ovbench/reports/draw/drawtest"
	"ovbench/reports/results"
)

func ptr(x float64) *float64 { return &x }

// plan is the size of an invented run.
type plan struct {
	methods, sets, classes, samples int
	long                            bool // long names
}

var someTitles = []string{"PASCAL VOC 21", "PASCAL Context 60", "COCO-Object 81", "PASCAL VOC 20", "Cityscapes 19",
	"PASCAL Context 59", "ADE20K 150", "COCO-Stuff 171"}

// invent makes up a run. Equal plans give equal runs: the numbers are those of a seeded generator.
func invent(p plan) *results.Run {
	rng := rand.New(rand.NewPCG(7, 7))
	names := []string{"clip", "clip_surgery", "maskclip", "sclip", "clearclip", "naclip", "gem", "itaclip",
		"proxyclip", "resclip", "sc-clip", "cliptrase"}
	r := &results.Run{
		Schema: results.Schema, Complete: true,
		Tool: results.Tool{Version: "0.1.0", Revision: "3f2a9c81d7e6b5a4", Go: "go1.26", OS: "linux",
			Arch: "amd64"},
		Host:     results.Host{CPU: "A CPU", Cores: 8, MemoryBytes: 16 << 30},
		Started:  time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC),
		Finished: time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC),
		Command:  []string{"ovbench", "run", "voc21"},
		Suite: results.Suite{Name: "voc21", Title: "Open-vocabulary segmentation", File: "configs/voc21.yaml",
			SHA256: "5d41402abc4b2a76b9719d911017c592"},
		Model: results.Model{Name: "openai/clip-vit-base-patch16", Format: "safetensors",
			Files: []results.File{{Path: "model.safetensors", Bytes: 598641023,
				SHA256: "e6a30b603a447e251fdaca1c3056b2a1"}},
			Architecture: "ViT-B/16", Activation: "quick_gelu", ImageSize: 224, Patch: 16, Layers: 12, Width: 768, Heads: 12,
			Embed: 512, LogitScale: 100},
		Runtime: results.Runtime{Name: "onnxruntime", Version: "1.27.0", SHA256: "aa11bb22cc33dd44", Threads: 2,
			Jobs: 1},
		Protocol: results.Protocol{Name: "sclip", Fingerprint: "9e107d9d372bb682",
			Fields: map[string]any{"window": 224.0, "stride": 112.0, "scale": []any{2048.0, 336.0},
				"templates": "openai80"}},
		Timing: results.Timing{Seconds: map[string]float64{"encode": 1500.25, "decode": 20.125, "score": 3},
			Wall: 1800.5},
	}
	for i := range p.methods {
		m := results.Method{Name: names[i], Kind: names[i], Params: map[string]any{"depth": 7.0}, Positions: "bilinear"}
		if p.long {
			m.Name = fmt.Sprintf("clip_surgery_with_a_rather_long_name_depth=7_positions=bicubic_tau=%d", i)
		}
		r.Methods = append(r.Methods, m)
	}
	for s := range p.sets {
		d := results.Dataset{Name: fmt.Sprintf("set%d", s), Title: someTitles[s], Split: "val", Images: 1449,
			Measured: 1449, Templates: 80, ListSHA256: "00ff00ff00ff00ff"}
		for c := range p.classes {
			name := []string{"background", "aeroplane", "dining table"}[c%3]
			if c >= 3 {
				name = fmt.Sprintf("%s %d", name, c)
			}
			if p.long && c%5 == 0 {
				name = "playing field or another long class name " + name
			}
			d.Classes = append(d.Classes, name)
		}
		r.Datasets = append(r.Datasets, d)
		for _, m := range r.Methods {
			x := 0.05 + rng.Float64()/2
			c := results.Cell{Dataset: d.Name, Method: m.Name, Task: "segmentation", Convention: "mmseg",
				Images: 1449, Scores: []results.Score{
					{Name: "mIoU", Value: x, Low: ptr(x - 0.011), High: ptr(x + 0.013), Level: 0.95, Resamples: 1000},
					{Name: "mAcc", Value: x + 0.1}, {Name: "aAcc", Value: x + 0.2}, {Name: "FWIoU", Value: x + 0.15}}}
			for i, name := range d.Classes {
				s := results.ClassScore{Class: name, IoU: ptr(rng.Float64()), Acc: ptr(rng.Float64()),
					Pixels: int64(1000 * i), Predicted: 99}
				if i == 2 {
					s.IoU = nil
				}
				c.Classes = append(c.Classes, s)
			}
			r.Cells = append(r.Cells, c)
		}
	}
	return r
}

// withPanels adds p.samples panels to a run and writes it and their files.
func withPanels(t testing.TB, r *results.Run, p plan) *results.Run {
	t.Helper()
	dir := t.TempDir()
	save := func(name string, img image.Image) string {
		if err := os.MkdirAll(filepath.Join(dir, "panels"), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := WritePNG(filepath.Join(dir, "panels", name), img); err != nil {
			t.Fatal(err)
		}
		return "panels/" + name
	}
	for s := range p.samples {
		w, h := 320, 240
		if s%3 == 1 {
			w, h = 200, 400
		}
		panel := results.Panel{Dataset: "set0", ID: fmt.Sprintf("2007_%06d", s),
			Image: save(fmt.Sprintf("i%d.png", s), drawtest.Scene(w, h)), Predictions: map[string]string{}}
		panel.Truth = save(fmt.Sprintf("t%d.png", s), draw.LabelImage(patchwork(w, h, p.classes, 0), w, h, p.classes))
		for i, m := range r.Methods {
			if s == 1 && i == 1 {
				continue // a method that failed here
			}
			panel.Predictions[m.Name] = save(fmt.Sprintf("l%d-%d.png", s, i),
				draw.LabelImage(patchwork(w, h, p.classes, 0.9/float64(i+2)), w, h, p.classes))
			if s != 2 {
				panel.Maps = append(panel.Maps, results.PanelMap{Method: m.Name, Class: r.Datasets[0].Classes[2],
					Path: save(fmt.Sprintf("m%d-%d.png", s, i), draw.MapImage(drawtest.Bump(w, h), w, h))})
			}
		}
		r.Panels = append(r.Panels, panel)
	}
	if err := r.Write(dir); err != nil {
		t.Fatal(err)
	}
	return r
}

// patchwork has every class, as far as there is room, and a void line. Left of a share of its width each is taken for
// the next one.
func patchwork(w, h, classes int, wrong float64) []uint16 {
	across := int(math.Ceil(math.Sqrt(float64(classes))))
	l := make([]uint16, w*h)
	for y := range h {
		for x := range w {
			v := (x*across/w + y*across/h*across) % classes
			if float64(x) < wrong*float64(w) {
				v = (v + 1) % classes
			}
			if y >= h/2 && y < h/2+4 {
				v = draw.Void16
			}
			l[y*w+x] = uint16(v)
		}
	}
	return l
}

func checkText(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *drawtest.Update {
		if err := os.WriteFile(path, got, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// two is a pair of runs under different protocols, the second one with faults of all kinds.
func two() []*results.Run {
	a, b := invent(plan{methods: 2, sets: 2, classes: 3}), invent(plan{methods: 3, sets: 1, classes: 3})
	b.Suite.Name, b.Complete, b.Protocol.Name, b.Protocol.Fingerprint = "other", false, "plain", "77"
	b.Protocol.Fields["stride"] = 224.0
	b.Datasets[0].Measured = 1440
	b.Failures = []results.Failure{{Dataset: "set0", ID: "2007_000033", Stage: "decode", Error: "unexpected | EOF"}}
	b.Warnings, b.Cells[0].Warnings = []string{"an old runtime"}, []string{"2 classes never occur"}
	b.Cells[1].Scores = b.Cells[1].Scores[1:]
	return []*results.Run{a, b}
}

// The golden texts were written by -update and read by eye.
func TestMarkdownGolden(t *testing.T) {
	for name, runs := range map[string][]*results.Run{
		"one_method.md": {invent(plan{methods: 1, sets: 1, classes: 3})},
		"methods.md":    {invent(plan{methods: 12, sets: 8, classes: 5})},
		"two_runs.md":   two(),
	} {
		var b bytes.Buffer
		if err := writeMarkdown(&b, newView(runs, &Layout{})); err != nil {
			t.Fatal(err)
		}
		checkText(t, name, b.Bytes())
	}
}

func TestTerminalGolden(t *testing.T) {
	tests := []struct {
		name  string
		runs  []*results.Run
		width int
		color bool
	}{
		{"one_set.txt", []*results.Run{invent(plan{methods: 3, sets: 1, classes: 3})}, 80, true},
		{"many.txt", []*results.Run{invent(plan{methods: 12, sets: 8, classes: 3, long: true})}, 80, false},
		{"wide.txt", []*results.Run{invent(plan{methods: 12, sets: 8, classes: 3, long: true})}, 0, false},
		{"two_runs.txt", two(), 60, false},
	}
	for _, tt := range tests {
		var b bytes.Buffer
		if err := Terminal(&b, tt.runs, Layout{}, tt.width, tt.color); err != nil {
			t.Fatal(err)
		}
		checkText(t, tt.name, b.Bytes())
	}
}

// section is the first table under a Markdown heading.
func section(t *testing.T, doc, heading string) [][]string {
	t.Helper()
	_, rest, ok := strings.Cut(doc, "\n"+heading+"\n\n")
	if !ok {
		t.Fatalf("no section %q", heading)
	}
	var rows [][]string
	for line := range strings.Lines(rest) {
		if !strings.HasPrefix(line, "|") {
			break
		}
		cells := strings.Split(strings.Trim(line, "|\n"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	return append(rows[:1], rows[2:]...)
}

// TestSummaryIsTheRun traces every number of the summary, and of the tables behind it, to the run it came from.
func TestSummaryIsTheRun(t *testing.T) {
	r := invent(plan{methods: 5, sets: 4, classes: 4})
	var b bytes.Buffer
	if err := writeMarkdown(&b, newView([]*results.Run{r}, &Layout{})); err != nil {
		t.Fatal(err)
	}
	numbers := regexp.MustCompile(`\d+\.\d+`)
	in := func(x float64) string { return fmt.Sprintf("%.2f", 100*x) }
	rows := section(t, b.String(), "## Scores")
	if len(rows) != 6 || len(rows[0]) != 6 {
		t.Fatalf("summary of %d rows, %d columns; want 6, 6", len(rows), len(rows[0]))
	}
	for i, line := range rows[1:] {
		if line[0] != r.Methods[i].Name {
			t.Errorf("row %d is %q, want %q", i, line[0], r.Methods[i].Name)
		}
		sum := 0.0
		for _, d := range r.Datasets {
			sum += r.Cell(d.Name, line[0]).Score("mIoU").Value
		}
		if got := strings.Trim(line[5], "*"); got != in(sum/4) {
			t.Errorf("%s: average %s, want %s", line[0], got, in(sum/4))
		}
		for j, text := range line[1:5] {
			if rows[0][j+1] != r.Datasets[j].Title {
				t.Errorf("column %d is %q, want %q", j, rows[0][j+1], r.Datasets[j].Title)
			}
			s := r.Cell(r.Datasets[j].Name, line[0]).Score("mIoU")
			want := []string{in(s.Value), in((*s.High - *s.Low) / 2)}
			if diff := cmp.Diff(want, numbers.FindAllString(text, -1)); diff != "" {
				t.Errorf("%s on %s (-want +got):\n%s", line[0], rows[0][j+1], diff)
			}
			best := slices.MaxFunc(r.Methods, func(a, b results.Method) int {
				x, y := r.Cell(s2(r, j), a.Name).Score("mIoU").Value, r.Cell(s2(r, j), b.Name).Score("mIoU").Value
				return int(math.Copysign(1, x-y))
			}).Name
			if got := strings.HasPrefix(text, "**"); got != (best == line[0]) {
				t.Errorf("%s on %s: bold %v", line[0], rows[0][j+1], got)
			}
		}
	}
	for _, d := range r.Datasets {
		for _, line := range section(t, b.String(), "## "+d.Title)[1:] {
			var want []string
			for _, s := range r.Cell(d.Name, line[0]).Scores {
				want = append(want, in(s.Value))
				if s.Low != nil {
					want = append(want, in(*s.Low)+" – "+in(*s.High))
				}
			}
			if diff := cmp.Diff(want, line[2:]); diff != "" {
				t.Errorf("%s on %s (-want +got):\n%s", line[0], d.Name, diff)
			}
		}
		for i, line := range section(t, b.String(), "### "+d.Title+", class by class")[1:] {
			for j, m := range r.Methods {
				want := "–"
				if x := r.Cell(d.Name, m.Name).Classes[i].IoU; x != nil {
					want = in(*x)
				}
				if line[j+1] != want {
					t.Errorf("class %s, %s: %s, want %s", line[0], m.Name, line[j+1], want)
				}
			}
		}
	}
}

func s2(r *results.Run, j int) string { return r.Datasets[j].Name }

func TestBestIsNotMarkedAcrossProtocols(t *testing.T) {
	a, b := invent(plan{methods: 2, sets: 1, classes: 3}), invent(plan{methods: 2, sets: 1, classes: 3})
	spell := func() string {
		var w strings.Builder
		if err := writeMarkdown(&w, newView([]*results.Run{a, b}, &Layout{})); err != nil {
			t.Fatal(err)
		}
		return w.String()
	}
	if s := spell(); !strings.Contains(s, "| **") || strings.Contains(s, "not comparable") {
		t.Error("alike runs are not compared")
	}
	// The better run is no better than itself: each protocol has a table and a best of its own.
	b.Protocol.Fingerprint = "x"
	for i := range b.Cells {
		b.Cells[i].Scores[0].Value += 0.2
		*b.Cells[i].Scores[0].Low += 0.2
		*b.Cells[i].Scores[0].High += 0.2
	}
	s := spell()
	if strings.Count(s, "\n## Scores, protocol sclip ") != 2 || !strings.Contains(s, "different protocols") {
		t.Error("runs of different protocols share a table")
	}
	if n := strings.Count(s, "| **"); n != 2 {
		t.Errorf("%d numbers are marked in two tables of one column, want 2", n)
	}
	b.Protocol.Fingerprint, b.Datasets[0].Samples = a.Protocol.Fingerprint, "700-1448"
	if s := spell(); strings.Contains(s, "| **") || !strings.Contains(s, "or other ones") {
		t.Error("runs over different parts of a split are compared")
	}
	b.Datasets[0].Samples, b.Datasets[0].ListSHA256 = "", "y"
	if s := spell(); strings.Contains(s, "| **") || !strings.Contains(s, "or other ones") {
		t.Error("runs over different images are compared")
	}
}

func TestColumnsAreToldApart(t *testing.T) {
	r := invent(plan{methods: 1, sets: 1, classes: 3})
	c := r.Cells[0]
	c.Convention = "cityscapes"
	r.Cells = append(r.Cells, c)
	v := newView([]*results.Run{r}, &Layout{})
	if got, want := v.columns[1].title, "PASCAL VOC 21 cityscapes"; len(v.columns) != 2 || got != want {
		t.Errorf("%d columns, the second is %q; want %q", len(v.columns), got, want)
	}
}

func TestPercent(t *testing.T) {
	for x, want := range map[float64]string{0: "0.00", 1: "100.00", 0.12345: "12.35", -0.00001: "0.00",
		-0.5: "-50.00", 0.419999: "42.00"} {
		if got := percent(x); got != want {
			t.Errorf("percent(%v) = %s, want %s", x, got, want)
		}
	}
}

// TestRowsContinueOverRuns: runs of one protocol and model on unlike data sets make one table, as if they were one run.
func TestRowsContinueOverRuns(t *testing.T) {
	whole := invent(plan{methods: 3, sets: 4, classes: 3})
	part := func(from, to int) *results.Run {
		r := *whole
		r.Datasets = whole.Datasets[from:to]
		r.Cells = whole.Cells[3*from : 3*to]
		return &r
	}
	want := summaryOf(newView([]*results.Run{whole}, &Layout{}))
	v := newView([]*results.Run{part(0, 1), part(1, 4)}, &Layout{})
	if diff := cmp.Diff(want.rows, summaryOf(v).rows, cmp.AllowUnexported(entry{})); diff != "" {
		t.Errorf("two runs (-one run +two):\n%s", diff)
	}
	other := part(1, 4)
	other.Methods = slices.Clone(other.Methods)
	other.Methods[1].Params = map[string]any{"depth": 6.0}
	if v := newView([]*results.Run{part(0, 1), other}, &Layout{}); len(v.rows) != 4 ||
		v.name(v.rows[1]) != "clip_surgery · run 1" || v.name(v.rows[0]) != "clip" {
		t.Errorf("rows %v: methods of unlike parameters share a row, or like ones do not", v.rows)
	}
	other.Model.Files = []results.File{{SHA256: "f0"}}
	other.Model.Architecture = "ViT-L/14"
	if v := newView([]*results.Run{part(0, 1), other}, &Layout{}); len(v.rows) != 6 ||
		v.name(v.rows[5]) != "maskclip · ViT-L/14" {
		t.Errorf("rows %v: methods of unlike models share a row", v.rows)
	}
}

// TestAverageNeedsLikeCells: a mean over unlike or missing numbers is not printed, and the reader is told why.
func TestAverageNeedsLikeCells(t *testing.T) {
	summary := func(change func(r *results.Run)) (head, last string, notes string) {
		r := invent(plan{methods: 2, sets: 3, classes: 3})
		change(r)
		s := summaryOf(newView([]*results.Run{r}, &Layout{}))
		return s.head[len(s.head)-1], s.rows[0][len(s.rows[0])-1].text, strings.Join(s.notes, " ")
	}
	for name, tt := range map[string]struct {
		change           func(r *results.Run)
		head, last, note string
	}{
		"convention": {func(r *results.Run) {
			r.Cells[0].Convention, r.Cells[1].Convention = "cocostuff",
				"cocostuff"
		}, "COCO-Object 81", "–", "the data sets differ in convention (cocostuff, mmseg)"},
		"metric": {func(r *results.Run) { r.Cells[0].Scores[0].Name, r.Cells[1].Scores[0].Name = "mAP", "mAP" },
			"COCO-Object 81 mIoU", "–", "the data sets differ in metric (mAP, mIoU)"},
		"hole": {func(r *results.Run) { r.Cells = r.Cells[1:] }, "Average", "–", "only where it has all cells"},
	} {
		head, last, notes := summary(tt.change)
		if name != "hole" {
			last = "–"
		}
		if head != tt.head || last != tt.last || !strings.Contains(notes, tt.note) {
			t.Errorf("%s: last column %q, first line %q, notes %q", name, head, last, notes)
		}
	}
}

// TestRanks: what reads the same as the best is best too; the second is marked among three or more, unless the best
// is shared.
func TestRanks(t *testing.T) {
	for _, tt := range []struct {
		values []float64
		want   []rank
	}{
		{[]float64{0.3, 0.5, 0.4}, []rank{unranked, best, second}},
		{[]float64{0.3, 0.5}, []rank{unranked, best}},
		{[]float64{0.50001, 0.5, 0.4}, []rank{best, best, unranked}},
		{[]float64{0.5, 0.4, 0.40004, 0.1}, []rank{best, second, second, unranked}},
		{[]float64{0.5}, []rank{unranked}},
	} {
		s := table{head: []string{"", ""}}
		for i := range tt.values {
			s.rows = append(s.rows, []entry{{}, number(&tt.values[i])})
		}
		s.markBest(usualDigits)
		for i, want := range tt.want {
			if got := s.rows[i][1].rank; got != want {
				t.Errorf("%v: value %d has rank %d, want %d", tt.values, i, got, want)
			}
		}
	}
}

// foreign draws names as they may come from others.
func foreign(t *rapid.T, label string) string {
	bits := []string{"|", "\\", "*", "_", "`", "[x](y)", "<b>", "&amp;", "\n", "\r", "\t", "\x1b[31m", "\u202e", "\x00",
		"日本", "é", "a", "Z", " ", "~~", "# "}
	return strings.Join(rapid.SliceOfN(rapid.SampledFrom(bits), 1, 12).Draw(t, label), "") + label
}

// TestTextsStayTexts: whatever the names are, tables keep their shape and a terminal is told nothing but text.
func TestTextsStayTexts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := invent(plan{methods: 3, sets: 2, classes: 3})
		for i := range r.Methods {
			old, name := r.Methods[i].Name, foreign(t, fmt.Sprint("m", i))
			r.Methods[i].Name = name
			for j := range r.Cells {
				if r.Cells[j].Method == old {
					r.Cells[j].Method = name
				}
			}
		}
		r.Suite.Title, r.Model.Name, r.Datasets[0].Title = foreign(t, "suite"), foreign(t, "model"), foreign(t, "set")
		r.Protocol.Fields[foreign(t, "field")] = foreign(t, "value")
		r.Warnings = []string{foreign(t, "warning")}
		r.Failures = []results.Failure{{Dataset: "set0", ID: foreign(t, "id"), Error: foreign(t, "error")}}
		runs := []*results.Run{r}

		var md strings.Builder
		if err := writeMarkdown(&md, newView(runs, &Layout{})); err != nil {
			t.Fatal(err)
		}
		wholeMarkdown(t, md.String())
		width := rapid.IntRange(minWidth, 160).Draw(t, "width")
		var term strings.Builder
		if err := Terminal(&term, runs, Layout{}, width, false); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(term.String()) {
			line = strings.TrimSuffix(line, "\n")
			if strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Fatalf("unprintable: %q", line)
			}
			if w := text.StringWidth(line); w > width {
				t.Fatalf("%d columns wide, not %d: %q", w, width, line)
			}
		}
	})
}

// pipes counts the bars of a line that are not escaped.
func pipes(line string) int {
	n, escaped := 0, false
	for _, r := range line {
		if r == '|' && !escaped {
			n++
		}
		escaped = r == '\\' && !escaped
	}
	return n
}

func TestJSONIsTheRuns(t *testing.T) {
	want := two()
	var b bytes.Buffer
	if err := writeJSON(&b, newView(want, &Layout{})); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Schema string
		Runs   []*results.Run
	}
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got.Runs); got.Schema != JSONSchema || diff != "" {
		t.Errorf("schema %q, runs (-want +got):\n%s", got.Schema, diff)
	}
	want[0].Cells[0].Scores[0].Value = math.NaN()
	if err := writeJSON(io.Discard, newView(want, &Layout{})); err == nil {
		t.Error("wrote NaN")
	}
}

// TestCSVIsExact reads every number back bit by bit.
func TestCSVIsExact(t *testing.T) {
	r := invent(plan{methods: 2, sets: 2, classes: 3})
	r.Methods[0].Name, r.Cells[0].Method, r.Cells[2].Method = `a,"b"`, `a,"b"`, `a,"b"`
	var b bytes.Buffer
	if err := writeCSV(&b, newView([]*results.Run{r}, &Layout{})); err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(&b).ReadAll()
	if err != nil || len(lines) != 1+4*4 {
		t.Fatalf("%d lines, %v", len(lines), err)
	}
	at := func(line []string, name string) string { return line[slices.Index(lines[0], name)] }
	exact := func(s string) *float64 {
		if s == "" {
			return nil
		}
		x, err := strconv.ParseFloat(s, 64)
		if err != nil {
			t.Error(err)
		}
		return &x
	}
	for _, line := range lines[1:] {
		s := r.Cell(at(line, "dataset"), at(line, "method")).Score(at(line, "score"))
		if diff := cmp.Diff([]*float64{&s.Value, s.Low, s.High}, []*float64{exact(at(line, "value")), exact(at(line, "low")),
			exact(at(line, "high"))}); diff != "" {
			t.Errorf("%v (-want +got):\n%s", line, diff)
		}
	}
	b.Reset()
	if err := writeClassCSV(&b, newView([]*results.Run{r}, &Layout{})); err != nil {
		t.Fatal(err)
	}
	lines, err = csv.NewReader(&b).ReadAll()
	if err != nil || len(lines) != 1+4*3 {
		t.Fatalf("%d lines of classes, %v", len(lines), err)
	}
	c := r.Cells[3].Classes[2]
	got := lines[12]
	if exact(at(got, "iou")) != nil || *exact(at(got, "acc")) != *c.Acc || at(got, "class") != c.Class ||
		at(got, "pixels") != "2000" {
		t.Errorf("last class %v, want %+v", got, c)
	}
}

func TestReport(t *testing.T) {
	p := plan{methods: 2, sets: 2, classes: 3, samples: 7}
	r := withPanels(t, invent(p), p)
	for format, want := range map[string][]string{
		"md":   {"report.md"},
		"json": {"report.json"},
		"csv":  {"scores.csv", "classes.csv", "summary.csv", "published.csv"},
		"png": {"scores.png", "difference-PASCAL-VOC-21.png", "difference-PASCAL-Context-60.png", "classes-PASCAL-VOC-21.png",
			"classes-PASCAL-Context-60.png", "timing.png", "panels-set0-1.png", "panels-set0-2.png", "panels-set0-3.png",
			"panels-set0-4.png"},
		"pdf-panels": {"panels-PASCAL-VOC-21.pdf"},
		"svg": {"scores.svg", "difference-PASCAL-VOC-21.svg", "difference-PASCAL-Context-60.svg", "classes-PASCAL-VOC-21.svg",
			"classes-PASCAL-Context-60.svg", "timing.svg"},
		"pdf-figures": {"scores.pdf", "difference-PASCAL-VOC-21.pdf", "difference-PASCAL-Context-60.pdf",
			"classes-PASCAL-VOC-21.pdf",
			"classes-PASCAL-Context-60.pdf", "timing.pdf"},
	} {
		dir := filepath.Join(t.TempDir(), "new")
		got, err := Report([]*results.Run{r}, Layout{}, format, dir)
		if err != nil {
			t.Fatal(err)
		}
		for i := range want {
			want[i] = filepath.Join(dir, want[i])
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", format, diff)
		}
		for _, f := range got {
			if info, err := os.Stat(f); err != nil || info.Size() == 0 {
				t.Errorf("%s: %v", f, err)
			}
		}
	}
	want := `format "xml" is not known; use ` + strings.Join(Formats(), ", ")
	if _, err := Report([]*results.Run{r}, Layout{}, "xml", t.TempDir()); err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if _, err := Report(nil, Layout{}, "md", t.TempDir()); err == nil || !strings.Contains(err.Error(), "no runs") {
		t.Errorf("no runs: %v", err)
	}
}

// TestReportKeepsNamesApart: data sets whose names are alike as file names do not overwrite each other.
func TestReportKeepsNamesApart(t *testing.T) {
	p := plan{methods: 1, sets: 2, classes: 3, samples: 1}
	r := withPanels(t, invent(p), p)
	r.Panels = append(r.Panels, r.Panels[0])
	for i, name := range []string{"../x/y", "..-x?y"} {
		r.Datasets[i].Name, r.Cells[i].Dataset, r.Panels[i].Dataset = name, name, name
	}
	dir := t.TempDir()
	got, err := Report([]*results.Run{r}, Layout{}, "png", dir)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, name := range []string{"scores", "classes-PASCAL-VOC-21", "classes-PASCAL-Context-60", "timing", "panels-x-y",
		"panels-x-y-"} {
		want = append(want, filepath.Join(dir, name+".png"))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// BenchmarkReport writes every format of texts for a run of 12 methods on 8 data sets of 171 classes, read from its
// file. The number of images does not matter: reports are made from results alone.
func BenchmarkReport(b *testing.B) {
	dir := b.TempDir()
	if err := invent(plan{methods: 12, sets: 8, classes: 171}).Write(dir); err != nil {
		b.Fatal(err)
	}
	for _, format := range []string{"md", "csv", "json", "latex", "benchstat"} {
		b.Run(format, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r, err := results.Read(dir)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := Report([]*results.Run{r}, Layout{}, format, filepath.Join(dir, "report")); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestClassesOfRankingsAreThere: the AP of every class is in tables and in full precision in CSV, with the images
// that have it.
func TestClassesOfRankingsAreThere(t *testing.T) {
	for _, methods := range []int{1, 3} {
		r := rich(plan{methods: methods, sets: 1, classes: 3})
		runs := []*results.Run{r}
		var md, lines strings.Builder
		if err := errors.Join(writeMarkdown(&md, newView(runs, &Layout{})),
			writeClassCSV(&lines, newView(runs, &Layout{}))); err != nil {
			t.Fatal(err)
		}
		rows := section(t, md.String(), "### PASCAL VOC 21 recognition, class by class")
		table, err := csv.NewReader(strings.NewReader(lines.String())).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, c := range r.Cells {
			if c.Task != "multilabel" {
				continue
			}
			n++
			for i, k := range c.Classes {
				if got := rows[i+1][n]; got != percent(*k.AP) {
					t.Errorf("%s of %s: %s, want %s", k.Class, c.Method, got, percent(*k.AP))
				}
				if !slices.ContainsFunc(table, func(line []string) bool {
					return slices.Contains(line, full(k.AP)) && slices.Contains(line, c.Method) && line[len(line)-4] == "3"
				}) {
					t.Errorf("no line of %s by %s with %s and 3 images", k.Class, c.Method, full(k.AP))
				}
			}
		}
		if methods == 1 && rows[1][2] != "3" {
			t.Errorf("images of a class: %q", rows[1])
		}
	}
}

// TestSharedWarningsAreSaidOnce: what holds for every method is one warning, what holds for some names them.
func TestSharedWarningsAreSaidOnce(t *testing.T) {
	r := invent(plan{methods: 3, sets: 2, classes: 3})
	for i := range r.Cells {
		r.Cells[i].Warnings = []string{"few images"}
	}
	r.Cells[0].Warnings = append(r.Cells[0].Warnings, "odd")
	r.Cells[2].Warnings = append(r.Cells[2].Warnings, "odd")
	want := []string{"set0, every method: few images", "set0, clip, maskclip: odd", "set1, every method: few images"}
	if diff := cmp.Diff(want, notices([]*results.Run{r})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestEqualsAreBestTogether: scores that read the same have no winner among them.
func TestEqualsAreBestTogether(t *testing.T) {
	r := invent(plan{methods: 3, sets: 1, classes: 3})
	for i, x := range []float64{0.4, 0.50001, 0.49999} {
		r.Cells[i].Scores[0].Value = x
	}
	want := []string{"PASCAL VOC 21: clip_surgery and maskclip have the highest mIoU, 50.00 %."}
	if diff := cmp.Diff(want, verdicts(newView([]*results.Run{r}, &Layout{}))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestModelsAreToldApart: rows of runs name their models by what differs between them.
func TestModelsAreToldApart(t *testing.T) {
	for _, tt := range []struct{ name, architecture, want string }{
		{"openai/clip-vit-base-patch16", "ViT-B/16", "clip · run 1"},
		{"laion/CLIP-ViT-B-16", "ViT-B/16", "clip · openai/clip-vit-base-patch16"},
		{"laion/CLIP-ViT-L-14", "ViT-L/14", "clip · ViT-B/16"},
	} {
		a, b := invent(plan{methods: 1, sets: 1, classes: 3}), invent(plan{methods: 1, sets: 1, classes: 3})
		if b.Model.Name, b.Model.Architecture = tt.name, tt.architecture; tt.name != a.Model.Name {
			b.Model.Files[0].SHA256 = "other"
		}
		v := newView([]*results.Run{a, b}, &Layout{})
		if got := v.name(v.rows[0]); got != tt.want {
			t.Errorf("beside %s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// wholeMarkdown fails where rows of a table differ in columns, or HTML of a foreign name comes through.
func wholeMarkdown(t *rapid.T, text string) {
	t.Helper()
	columns := 0
	for line := range strings.Lines(text) {
		if n := pipes(line); strings.HasPrefix(line, "|") {
			if columns == 0 {
				columns = n
			}
			if n != columns {
				t.Fatalf("%d bars in a table with %d: %q", n, columns, line)
			}
			continue
		}
		columns = 0
		if strings.Contains(line, "<b>") {
			t.Fatalf("HTML from outside: %q", line)
		}
	}
}
