package reports

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovbench/reports/results"
)

// TestLayout: what is asked for stands in the table, in its order, and nothing else; the runs given stay as they are.
func TestLayout(t *testing.T) {
	r := invent(plan{methods: 4, sets: 3, classes: 3})
	before := len(r.Cells)
	for name, tt := range map[string]struct {
		layout Layout
		head   []string
		first  []string // column
		cell   string   // of the first row and column
	}{
		"all": {Layout{}, []string{"Method", "PASCAL VOC 21", "PASCAL Context 60", "COCO-Object 81", "Average"},
			[]string{"clip", "clip_surgery", "maskclip", "sclip"}, "14.07 ± 1.20"},
		"methods": {Layout{Methods: []string{"sclip", "clip"}},
			[]string{"Method", "PASCAL VOC 21", "PASCAL Context 60", "COCO-Object 81", "Average"}, []string{"sclip",
				"clip"}, ""},
		"datasets": {Layout{Datasets: []string{"set2", "set0"}, Digits: 1},
			[]string{"Method", "PASCAL VOC 21", "COCO-Object 81", "Average"}, []string{"clip", "clip_surgery",
				"maskclip", "sclip"}, "14.1 ± 1.2"},
		"metrics": {Layout{Metrics: []string{"aAcc"}, Datasets: []string{"set0"}, Digits: 4},
			[]string{"Method", "PASCAL VOC 21"}, []string{"clip", "clip_surgery", "maskclip", "sclip"}, "34.0704"},
		"name": {Layout{Sort: "name", Methods: []string{"sclip", "clip"}}, nil, []string{"clip", "sclip"},
			"14.07 ± 1.20"},
		"turned": {Layout{Transposed: true, Methods: []string{"clip", "gem"}[:1]}, []string{"Data set", "clip"},
			[]string{"PASCAL VOC 21", "PASCAL Context 60", "COCO-Object 81", "Average"}, "14.07 ± 1.20"},
	} {
		v, err := laidOut([]*results.Run{r}, &tt.layout)
		if err != nil {
			t.Fatal(err)
		}
		s := summaryOf(v)
		var first []string
		for _, line := range s.rows {
			first = append(first, line[0].text)
		}
		if diff := cmp.Diff(tt.first, first); diff != "" {
			t.Errorf("%s: rows (-want +got):\n%s", name, diff)
		}
		if tt.head != nil && name != "datasets" {
			if diff := cmp.Diff(tt.head, s.head); diff != "" {
				t.Errorf("%s: head (-want +got):\n%s", name, diff)
			}
		}
		if got := s.rows[0][1].text; tt.cell != "" && name != "datasets" && got != tt.cell {
			t.Errorf("%s: %q, want %q", name, got, tt.cell)
		}
	}
	if len(r.Cells) != before || len(r.Methods) != 4 {
		t.Errorf("the run given was changed: %d cells, %d methods", len(r.Cells), len(r.Methods))
	}
}

// TestSort: the best comes first, by one data set or by the average, and rows without a number last.
func TestSort(t *testing.T) {
	r := invent(plan{methods: 3, sets: 2, classes: 3})
	for i, x := range []float64{0.1, 0.3, 0.2, 0.9, 0.1, 0.3} { // set0 of three methods, set1 of three
		r.Cells[i].Scores[0].Value = x
	}
	for sort, want := range map[string]string{"set0": "clip_surgery maskclip clip",
		"set1": "clip maskclip clip_surgery", "average": "clip maskclip clip_surgery", "": "clip clip_surgery " +
			"maskclip"} {
		v, err := laidOut([]*results.Run{r}, &Layout{Sort: sort})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, x := range v.rows {
			got = append(got, x.method)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("by %q: %q, want %q", sort, got, want)
		}
	}
	r.Cells = r.Cells[1:] // clip has nothing on set0
	v, err := laidOut([]*results.Run{r}, &Layout{Sort: "set0"})
	if err != nil || v.rows[2].method != "clip" {
		t.Errorf("a method without a number is not last: %v, %v", v.rows, err)
	}
}

func TestLayoutRefuses(t *testing.T) {
	r := invent(plan{methods: 2, sets: 1, classes: 3})
	for want, l := range map[string]Layout{
		`no run has method "gem"; there are clip, clip_surgery`: {Methods: []string{"gem"}},
		`no run has method "sclip"`:                             {Pair: [2]string{"clip", "sclip"}},
		`no run has data set "voc"; there are set0`:             {Datasets: []string{"voc"}},
		`no run has data set "best"`:                            {Sort: "best"},
		`no run has metric "IoU"; there are FWIoU, aAcc`:        {Metrics: []string{"IoU"}},
		`2 labels for 1 runs`:                                   {Labels: []string{"a", "b"}},
		`9 digits: want 1 to 6`:                                 {Digits: 9},
	} {
		if _, err := Report([]*results.Run{r}, l, "md", t.TempDir()); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

// TestStarsOfNone: that none is told apart is said too.
func TestStarsOfNone(t *testing.T) {
	tests := &Tests{Baseline: "clip", P: map[TestedScore]float64{{Dataset: "set0", Task: "segmentation",
		Convention: "mmseg", Method: "clip_surgery", Metric: "mIoU"}: 0.2}}
	v, err := laidOut([]*results.Run{invent(plan{methods: 2, sets: 1, classes: 3})}, &Layout{Tests: tests})
	if err != nil {
		t.Fatal(err)
	}
	if notes := strings.Join(summaryOf(v).notes, " "); !strings.Contains(notes, tests.note()) {
		t.Errorf("notes %q", notes)
	}
}

// TestStars: the outcome of a test stands behind the score in every format, and what it means below the table.
func TestStars(t *testing.T) {
	r := invent(plan{methods: 3, sets: 1, classes: 3})
	at := func(m string) TestedScore {
		return TestedScore{Dataset: "set0", Task: "segmentation", Convention: "mmseg", Method: m, Metric: "mIoU"}
	}
	l := Layout{Tests: &Tests{Baseline: "clip", P: map[TestedScore]float64{at("clip_surgery"): 0.004,
		at("maskclip"): 0.2}}}
	v, err := laidOut([]*results.Run{r}, &l)
	if err != nil {
		t.Fatal(err)
	}
	s := summaryOf(v)
	for i, want := range []string{"", "**", ""} {
		if got := s.rows[i][1].star; got != want || strings.HasSuffix(s.rows[i][1].text, "*") != (want != "") {
			t.Errorf("row %d: %q in %q, want %q", i, got, s.rows[i][1].text, want)
		}
	}
	if notes := strings.Join(s.notes, " "); !strings.Contains(notes, "told from clip") ||
		!strings.Contains(notes, "over the 2 tests") {
		t.Errorf("notes %q", notes)
	}
	if tex := s.rows[1][1].latex(false); !strings.Contains(tex, "$^{**}$") || strings.Count(tex, "*") != 2 {
		t.Errorf("LaTeX %q", tex)
	}
}

// TestPair: the chart of differences is of the methods that were asked for.
func TestPair(t *testing.T) {
	r := invent(plan{methods: 3, sets: 1, classes: 5})
	v, err := laidOut([]*results.Run{r}, &Layout{Pair: [2]string{"maskclip", "clip_surgery"}})
	if err != nil {
		t.Fatal(err)
	}
	all := differenceFigures(v)
	if len(all) != 1 || !strings.Contains(all[0].Title, "clip_surgery minus maskclip") ||
		strings.Contains(all[0].Note, "highest") {
		t.Errorf("%+v", all)
	}
}

// TestTasksStandApart: runs of unlike tasks make one report, each task with a table of its own, and nothing is said
// to be unlike that nobody compares.
func TestTasksStandApart(t *testing.T) {
	a, b := invent(plan{methods: 2, sets: 1, classes: 3}), invent(plan{methods: 2, sets: 1, classes: 3})
	b.Protocol.Fingerprint, b.Datasets[0].Measured = "other", 7
	for i := range b.Cells {
		b.Cells[i].Task = "multilabel"
	}
	v, err := laidOut([]*results.Run{a, b}, &Layout{})
	if err != nil {
		t.Fatal(err)
	}
	blocks := v.blocks()
	if len(blocks) != 2 || blocks[0].part != "segmentation" || blocks[1].part != "recognition" {
		t.Fatalf("%d blocks", len(blocks))
	}
	for _, block := range blocks {
		s := summaryOf(block)
		if diff := cmp.Diff([]string{"Method", "PASCAL VOC 21"}, s.head); diff != "" || s.rows[0][0].text != "clip" ||
			!s.ranked() {
			t.Errorf("%s: %q, %v", block.part, s.head, s.rows[0][0])
		}
	}
	if said := differencesOf(v.runs); len(said) > 0 {
		t.Errorf("said %q", said)
	}
}
