package reports

import (
	"bytes"
	"html"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ovbench/reports/results"
)

// inAllFormats is what a report of runs says in each format, figures apart, and on the terminal.
func inAllFormats(t *testing.T, runs ...*results.Run) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, format := range []string{"md", "html", "latex", "csv", "json"} {
		files, err := Report(runs, Layout{}, format, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			raw, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			out[format] += html.UnescapeString(string(raw))
		}
	}
	var b bytes.Buffer
	if err := Terminal(&b, runs, Layout{}, 0, false); err != nil {
		t.Fatal(err)
	}
	out["terminal"] = b.String()
	out["pdf"] = strings.Join(pagesOf(t, pdfOf(t, runs...)), "\n")
	return out
}

// TestNeedsEverywhere: every format says what a line needs beyond CLIP, also of another program's.
func TestNeedsEverywhere(t *testing.T) {
	r := invent(plan{methods: 4, sets: 1, classes: 3})
	r.Methods[1].Needs = []string{"DINO", "SAM"}
	r.Methods[2].Needs = []string{results.Trained}
	r.Methods[3].Kind = results.Imported
	for format, text := range inAllFormats(t, r) {
		for _, want := range []string{"CLIP + DINO + SAM", "trained", "not said"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %q", format, want)
			}
		}
	}
}

// TestOraclesEverywhere: no format shows scores of an oracle without saying so, and none sets claims beside them.
func TestOraclesEverywhere(t *testing.T) {
	r := invent(plan{methods: 2, sets: 2, classes: 3})
	r.Datasets[0].Name = "voc21"
	for i := range r.Cells {
		if r.Cells[i].Dataset == "set0" {
			r.Cells[i].Dataset = "voc21"
		}
	}
	for format, text := range inAllFormats(t, r) {
		if strings.Contains(strings.ToLower(text), "oracle") {
			t.Errorf("%s: an oracle where there is none", format)
		}
		if format != "csv" && format != "terminal" && !strings.Contains(text, "ProxyCLIP") {
			t.Errorf("%s: no claims about voc21", format)
		}
	}
	r.Datasets[0].Protocol.Fields = map[string]any{"vocabulary": "oracle"}
	for format, text := range inAllFormats(t, r) {
		want := []string{"(ORACLE)", "ORACLE VOCABULARY"}
		switch format {
		case "csv":
			want = []string{"(ORACLE)", "oracle"}
		case "json":
			want = []string{`"oracle": true`}
		}
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("%s: no %q", format, w)
			}
		}
		if strings.Contains(text, "ProxyCLIP") {
			t.Errorf("%s: claims stand beside an oracle", format)
		}
	}
}

// TestExpertsEverywhere: nor does one show scores by class experts so.
func TestExpertsEverywhere(t *testing.T) {
	r := invent(plan{methods: 2, sets: 2, classes: 3})
	r.Datasets[0].Name = "voc21"
	for i := range r.Cells {
		if r.Cells[i].Dataset == "set0" {
			r.Cells[i].Dataset = "voc21"
		}
	}
	hash := strings.Repeat("0123456789abcdef", 4)
	r.Datasets[0].Experts = &results.Experts{File: results.File{Path: "a/e.yaml", SHA256: hash}, Dataset: "voc20",
		Split: "train", Pictures: 7}
	for format, text := range inAllFormats(t, r) {
		want := []string{"(experts)", "without labels on 7 pictures of voc20 train (e.yaml, sha256 0123456789ab)"}
		switch format {
		case "csv":
			want = []string{"(experts)", hash}
		case "json":
			want = []string{`"experts": "` + hash + `"`}
		}
		for _, w := range want {
			if !strings.Contains(strings.Join(strings.Fields(text), " "), w) {
				t.Errorf("%s: no %q", format, w)
			}
		}
		if strings.Contains(text, "ProxyCLIP") {
			t.Errorf("%s: claims stand beside experts", format)
		}
	}
}

// TestComparisonReserves: so does a comparison.
func TestComparisonReserves(t *testing.T) {
	c := comparison()
	for i := range c.Cells {
		c.Cells[i].NeedsA, c.Cells[i].NeedsB, c.Cells[i].OracleB = "CLIP", "CLIP + DINO", true
	}
	dir := t.TempDir()
	files, err := c.Write(dir, "md", "json", "csv", "latex", "html")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := c.Terminal(&b, 0, false); err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{"terminal": b.String()}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		texts[filepath.Base(f)] = html.UnescapeString(string(raw))
	}
	delete(texts, "images.csv")
	for name, text := range texts {
		if !strings.Contains(strings.ToLower(text), "oracle") || !strings.Contains(text, "CLIP + DINO") {
			t.Errorf("%s:\n%s", name, text)
		}
	}
}
