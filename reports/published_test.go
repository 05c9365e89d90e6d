package reports

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"ovbench/reports/results"
)

// eight are the names of the data sets that claims may speak of; bench/engine holds them to those it can open.
var eight = []string{"ade20k", "cityscapes", "coco_object", "coco_stuff", "context59", "context60",
	"imagenet_segmentation", "nuswide",
	"openimages_points", "voc20", "voc21"}

// TestPublishedFiles reads every file strictly; check, on the way, compares averages with their cells.
func TestPublishedFiles(t *testing.T) {
	all, err := published()
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, c := range all {
		count[c.File]++
		for _, name := range slices.Sorted(maps.Keys(c.Cells)) {
			if !slices.Contains(eight, name) {
				t.Errorf("%s, %s: data set %q", c.File, c.Label, name)
			}
		}
		if strings.ToLower(c.Method) != c.Method || strings.ContainsAny(c.Method, " -") {
			t.Errorf("%s: method %q is not spelled as methods are", c.File, c.Method)
		}
	}
	if len(count) != 8 || len(all) < 60 {
		t.Errorf("%d claims in %d files", len(all), len(count))
	}
	// Some cells against the sources' own tables, by eye: CLIP Surgery's table 6 and 8, Trident's and SCLIP's README.
	for _, want := range []struct {
		label, source, set string
		percent            float64
	}{
		{"CLIP Surgery", "CLIP Surgery, arXiv 2304.05653v1, table 6", "cityscapes", 31.4},
		{"CLIP Surgery", "CLIP Surgery, arXiv 2304.05653v1, table 8", "nuswide", 39.99},
		{"SCLIP", "SCLIP README", "voc21", 59.63},
		{"Trident", "Trident README", "ade20k", 21.9},
		{"NACLIP + PAMR", "NACLIP README", "coco_stuff", 25.69},
	} {
		if !slices.ContainsFunc(all, func(c Claim) bool {
			return c.Label == want.label && c.Source == want.source && c.Cells[want.set] == want.percent
		}) {
			t.Errorf("no claim of %v by %s for %s in %s", want.percent, want.label, want.set, want.source)
		}
	}
}

func TestClaimsAreReadStrictly(t *testing.T) {
	const good = `title: t
task: segmentation
metric: mIoU
rows:
- method: clip
  label: CLIP
  backbone: ViT-B/16
  kind: paper
  source: s
  protocol: p
  cells: {voc21: 10.0, voc20: 20.0}
  average: 15.0
`
	if _, err := readClaims("f", []byte(good)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ old, new, want string }{
		{"method: clip", "methode: clip", "methode"},
		{"10.0", "101.0", "not in 0..100"},
		{"10.0", "-1.0", "not in 0..100"},
		{"10.0", ".nan", "not in 0..100"},
		{"average: 15.0", "average: 15.2", "the cells average 15.00"},
		{"average: 15.0", "average: 15.0\n  average_disagrees: true", "the cells average 15.00"},
		{"average: 15.0", "unreliable: true", "without remarks"},
		{"kind: paper", "kind: rumour", "is not paper"},
		{"source: s", "source: ''", "must be given"},
		{"metric: mIoU", "", "must be given"},
		{"average: 15.0", "average: 15.0\n---\n{}", "more than one document"},
	} {
		if _, err := readClaims("f", []byte(strings.Replace(good, tt.old, tt.new, 1))); err == nil ||
			!strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", tt.new, err, tt.want)
		}
	}
}

// TestPublishedStandApart: claims appear for the data sets and the backbone of a run alone, in a table of their own
// without ranks.
func TestPublishedStandApart(t *testing.T) {
	r := invent(plan{methods: 3, sets: 2, classes: 3})
	tables := func() []table { return publishedTables(newView([]*results.Run{r}, &Layout{})) }
	if got := tables(); len(got) != 0 {
		t.Errorf("claims about data sets that nobody knows: %v", got)
	}
	for i, name := range []string{"voc21", "cityscapes"} {
		r.Datasets[i].Name = name
		for j := range 3 {
			r.Cells[3*i+j].Dataset = name
		}
	}
	got := tables()
	if len(got) != 2 || len(got[0].head) != 6 || got[0].ranked() || len(got[0].rows) != len(got[1].rows) {
		t.Fatalf("%d tables: %v", len(got), got)
	}
	found, doubted := false, false
	for i, line := range got[0].rows {
		from := got[1].rows[i]
		if line[0] != from[0] || line[1] != from[1] {
			t.Errorf("%v stands beside %v", line, from)
		}
		if line[1].text == "SCLIP" && line[3].text == "59.63" && line[4].text == "32.34" &&
			from[2].text == "SCLIP README (paper)" {
			found = true
		}
		if line[1].text == "CLIPSurgery †" {
			doubted = strings.Contains(from[4].text, "repeat the table's row of GroupViT")
		}
		if line[3].text == missing && line[4].text == missing {
			t.Errorf("a line about nothing: %v", line)
		}
	}
	if !doubted {
		t.Error("an unreliable line is not marked")
	}
	if !found {
		t.Errorf("SCLIP's own line is missing: %v", got[0].rows)
	}
	r.Model.Architecture = "ViT-B/32"
	if got := tables(); len(got) != 0 {
		t.Error("claims about another backbone")
	}
	r.Model.Architecture = "ViT-B/16"
	for i := range r.Cells {
		r.Cells[i].Task = "explain"
	}
	if got := tables(); len(got) != 0 {
		t.Error("claims about another task")
	}
}

// TestQuotedAverages: what a line needs stands beside it, and a printed average that its own cells do not have is
// said so, with the one that they have: SFP's by hand, (62.9 + 37.2 + 37.9 + 84.5 + 39.9 + 26.4 + 41.1 + 20.8) / 8 =
// 43.84.
func TestQuotedAverages(t *testing.T) {
	r := invent(plan{methods: 1, sets: 1, classes: 3})
	r.Datasets[0].Name, r.Cells[0].Dataset = "voc21", "voc21"
	numbers := publishedTables(newView([]*results.Run{r}, &Layout{}))[0]
	leagues := map[string]string{}
	said := false
	for _, line := range numbers.rows {
		leagues[line[1].text] = line[2].text
		said = said || line[1].text == "SFP" && line[len(line)-1].text == "44.0 ‡"
	}
	for label, want := range map[string]string{"SCLIP": "CLIP", "ProxyCLIP": "CLIP + DINO",
		"Trident": "CLIP + DINO + SAM",
		"TCL":     "trained", "Talk2DINO": "trained + DINO"} {
		if leagues[label] != want {
			t.Errorf("%s needs %q, want %q", label, leagues[label], want)
		}
	}
	if notes := strings.Join(numbers.notes, " "); !said || !strings.Contains(notes, "SFP 44.0, its cells 43.8") {
		t.Errorf("said %v; notes %q", said, notes)
	}
}

// Every format that has quoted rows says which printed average its cells do not have.
func TestQuotedAveragesInEveryFormat(t *testing.T) {
	r := invent(plan{methods: 1, sets: 1, classes: 3})
	r.Datasets[0].Name, r.Cells[0].Dataset = "voc21", "voc21"
	dir := t.TempDir()
	const note = "SFP 44.0, its cells 43.8"
	for format, want := range map[string][]string{
		"md": {"44.0 ‡", note}, "html": {"44.0 ‡", note}, "latex": {`44.0 \ddag{}`, `\ddag{} printed at odds`, note},
		"csv":  {",44.0,43.8", ",true\n"},
		"json": {`"average": 44`, `"average_of_cells": 43.8`, `"average_disagrees": true`}, "pdf": {"44.0 ‡", note},
	} {
		t.Run(format, func(t *testing.T) {
			paths, err := Report([]*results.Run{r}, Layout{}, format, dir)
			if err != nil {
				t.Fatal(err)
			}
			var all strings.Builder
			for _, path := range paths {
				data, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if format == "pdf" {
					data = []byte(strings.Join(strings.Fields(strings.Join(pagesOf(t, data), " ")), " "))
				}
				all.Write(data)
			}
			for _, text := range want {
				if !strings.Contains(all.String(), text) {
					t.Errorf("no %q", text)
				}
			}
		})
	}
}
