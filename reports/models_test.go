package reports

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovbench/reports/results"
)

// modelsOf is three runs of two methods on two data sets, each with a model of its own, of which the last lacks a
// method.
func modelsOf(t *testing.T) []*results.Run {
	t.Helper()
	var runs []*results.Run
	for i, name := range []string{"OpenAI", "LAION", "mine"} {
		r := invent(plan{methods: 2, sets: 2, classes: 3})
		r.Model.Title, r.Model.Name = name, "/models/"+name+"/clip.pt"
		r.Model.Files = []results.File{{SHA256: name}}
		for j := range r.Cells {
			r.Cells[j].Scores = []results.Score{{Name: "mIoU", Value: 0.1*float64(i+1) + 0.01*float64(j)}}
		}
		runs = append(runs, r)
	}
	runs[2].Methods, runs[2].Cells = runs[2].Methods[:1], []results.Cell{runs[2].Cells[0], runs[2].Cells[2]}
	return runs
}

// TestModelTables: methods stand against models once for each data set and once on average, under the models' titles.
func TestModelTables(t *testing.T) {
	texts := func(tables []table) (out [][]string) {
		for _, x := range tables {
			out = append(out, []string{x.name, x.title}, x.head)
			for _, line := range x.rows {
				var words []string
				for _, e := range line {
					words = append(words, e.text)
				}
				out = append(out, words)
			}
		}
		return out
	}
	runs := modelsOf(t)
	v := newView(runs, &Layout{Digits: 1})
	want := [][]string{
		{"models-set0", "PASCAL VOC 21: mIoU by method and model"},
		{"Method", "OpenAI", "LAION", "mine"}, {"clip", "10.0", "20.0", "30.0"}, {"clip_surgery", "11.0", "21.0", missing},
		{"models-set1", "PASCAL Context 60: mIoU by method and model"},
		{"Method", "OpenAI", "LAION", "mine"}, {"clip", "12.0", "22.0", "32.0"}, {"clip_surgery", "13.0", "23.0", missing},
		{"models-average", "Average: mIoU by method and model"},
		{"Method", "OpenAI", "LAION", "mine"}, {"clip", "11.0", "21.0", "31.0"}, {"clip_surgery", "12.0", "22.0", missing},
	}
	if diff := cmp.Diff(want, texts(modelTables(v))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := v.name(v.rows[3]); got != "clip_surgery · LAION" {
		t.Errorf("a row is called %q", got)
	}
	turned := modelTables(newView(runs, &Layout{Digits: 1, Transposed: true}))
	if diff := cmp.Diff([]string{"Model", "clip", "clip_surgery"}, turned[0].head); diff != "" {
		t.Errorf("transposed (-want +got):\n%s", diff)
	}
	for name, runs := range map[string][]*results.Run{
		"one model": runs[:1], "a method twice": {runs[0], runs[0], runs[1]}, "one method": {runs[2], runs[2]},
	} {
		if got := modelTables(newView(runs, &Layout{})); got != nil {
			t.Errorf("%s: %v", name, texts(got))
		}
	}
}

// TestModelTablesAreInAllFormats that hold tables.
func TestModelTablesAreInAllFormats(t *testing.T) {
	runs := modelsOf(t)
	v := newView(runs, &Layout{})
	var md, tex, csv, js, term bytes.Buffer
	for _, err := range []error{writeMarkdown(&md, v), writeLaTeX(&tex, v), writeSummaryCSV(&csv, v), writeJSON(&js, v),
		Terminal(&term, runs, Layout{}, 80, false)} {
		if err != nil {
			t.Error(err)
		}
	}
	for name, tt := range map[string]struct{ in, want string }{
		"md":       {md.String(), "| clip_surgery | **11.00** | **21.00** | – |"},
		"latex":    {tex.String(), `Method & OpenAI & LAION & mine`},
		"csv":      {csv.String(), ",LAION,CLIP\n"},
		"json":     {js.String(), `"model": "LAION"`},
		"terminal": {term.String(), "Method        OpenAI  LAION   mine"},
	} {
		if !strings.Contains(tt.in, tt.want) {
			t.Errorf("%s has no %q:\n%.3000s", name, tt.want, tt.in)
		}
	}
}
