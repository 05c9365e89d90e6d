package reports

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovbench/reports/results"
)

// TestSummaryCSVIsExact reads the wide table back bit by bit; runs of two protocols do not share a line.
func TestSummaryCSVIsExact(t *testing.T) {
	runs := two()
	var b bytes.Buffer
	if err := writeSummaryCSV(&b, newView(runs, &Layout{})); err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(&b).ReadAll()
	if err != nil || len(lines) != 6 {
		t.Fatalf("%d lines, %v", len(lines), err)
	}
	if diff := cmp.Diff([]string{"protocol", "fingerprint", "method", "runs", "PASCAL VOC 21 mIoU",
		"PASCAL Context 60 mIoU", "average", "model", "needs"}, lines[0]); diff != "" {
		t.Error(diff)
	}
	for _, line := range lines[1:] {
		i, err := strconv.Atoi(line[3])
		if err != nil {
			t.Fatal(err)
		}
		r := runs[i-1]
		if line[0] != r.Protocol.Name {
			t.Errorf("%v: protocol %s", line, r.Protocol.Name)
		}
		sum, complete := 0.0, true
		for j, d := range []string{"set0", "set1"} {
			want := ""
			if s := r.Cell(d, line[2]).Score("mIoU"); s != nil {
				want = strconv.FormatFloat(s.Value, 'g', -1, 64)
				sum += s.Value
			} else {
				complete = false
			}
			if line[4+j] != want {
				t.Errorf("%s on %s: %s, want %s", line[2], d, line[4+j], want)
			}
		}
		want := ""
		if complete {
			want = strconv.FormatFloat(sum/2, 'g', -1, 64)
		}
		if line[6] != want || line[7] != r.Model.Called() {
			t.Errorf("%s: average %q of %q, want %q", line[2], line[6], line[7], want)
		}
	}
}

// TestJSONSummaryIsExact: the blocks of the JSON report have the numbers of the runs, and claims stand apart from them.
func TestJSONSummaryIsExact(t *testing.T) {
	r := invent(plan{methods: 3, sets: 2, classes: 3})
	r.Datasets[1].Name = "voc20"
	for j := range 3 {
		r.Cells[3+j].Dataset = "voc20"
	}
	var b bytes.Buffer
	if err := writeJSON(&b, newView([]*results.Run{r}, &Layout{})); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Summary   []block
		Published []Claim
	}
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Summary) != 1 || len(got.Summary[0].Rows) != 3 || len(got.Published) < 10 {
		t.Fatalf("%d blocks, %d claims", len(got.Summary), len(got.Published))
	}
	for _, row := range got.Summary[0].Rows {
		x, y := r.Cell("set0", row.Method).Score("mIoU").Value, r.Cell("voc20", row.Method).Score("mIoU").Value
		if *row.Values[0] != x || *row.Values[1] != y || *row.Average != (x+y)/2 {
			t.Errorf("%s: %v, %v, %v", row.Method, *row.Values[0], *row.Values[1], *row.Average)
		}
	}
}

// TestBenchstatIsExact reads the Go benchmark format back: name, images, value, unit; nothing from outside breaks a
// line.
func TestBenchstatIsExact(t *testing.T) {
	r := invent(plan{methods: 2, sets: 2, classes: 3})
	r.Cells[0].Scores[1].Name = "deletion"
	r.Methods[0].Name, r.Cells[0].Method, r.Cells[2].Method = "a b/c=d\n-8", "a b/c=d\n-8", "a b/c=d\n-8"
	var b bytes.Buffer
	if err := writeBenchstat(&b, newView([]*results.Run{r}, &Layout{})); err != nil {
		t.Fatal(err)
	}
	form := regexp.MustCompile(`^BenchmarkScore/dataset=([^/ ]+)/method=([^/ ]+)/convention=mmseg/task=segmentation 1449 (\S+) (\S+)%$`)
	n := 0
	for line := range strings.Lines(b.String()) {
		line = strings.TrimSuffix(line, "\n")
		if !strings.HasPrefix(line, "Benchmark") {
			if !regexp.MustCompile(`^([a-z]+: .*|Unit (mIoU|mAcc|aAcc|FWIoU)% better=higher|Unit deletion% better=lower)$`).MatchString(line) {
				t.Errorf("a line that is neither configuration nor unit: %q", line)
			}
			continue
		}
		n++
		m := form.FindStringSubmatch(line)
		if m == nil {
			t.Errorf("not a benchmark: %q", line)
			continue
		}
		method := m[2]
		if method == "a_b_c_d_-8" {
			method = r.Methods[0].Name
		}
		x, err := strconv.ParseFloat(m[3], 64)
		if s := r.Cell(m[1], method).Score(m[4]); err != nil || s == nil || x != 100*s.Value {
			t.Errorf("%s: score %v, %v", line, s, err)
		}
	}
	if n != 16 {
		t.Errorf("%d lines, want 16", n)
	}
}

// TestLaTeXSaysWhatMarkdownSays compares all numbers of all tables, place by place; those of Markdown are traced to
// the runs elsewhere.
func TestLaTeXSaysWhatMarkdownSays(t *testing.T) {
	runs := []*results.Run{invent(plan{methods: 3, sets: 2, classes: 5})}
	var b bytes.Buffer
	if err := writeMarkdown(&b, newView(runs, &Layout{})); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if _, err := Report(runs, Layout{}, "latex", dir); err != nil {
		t.Fatal(err)
	}
	numbers := regexp.MustCompile(`-?\d+(\.\d+)?`)
	compared := 0
	for _, table := range tablesOf(newView(runs, &Layout{})) {
		if table.words {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(dir, "tables", table.name+".tex"))
		if err != nil {
			t.Fatal(err)
		}
		_, body, _ := strings.Cut(string(raw), "\\midrule\n")
		body, _, _ = strings.Cut(body, "\\bottomrule")
		var tex [][]string
		for line := range strings.SplitSeq(strings.TrimSpace(body), "\\\\\n") {
			tex = append(tex, strings.Split(strings.TrimSuffix(strings.TrimSpace(line), "\\\\"), " & "))
		}
		md := section(t, b.String(), "###"[:table.level]+" "+table.title)[1:]
		if len(md) != len(tex) {
			t.Fatalf("%s: %d rows in Markdown, %d in LaTeX", table.name, len(md), len(tex))
		}
		for i := range md {
			for j := range md[i] {
				x, y := numbers.FindAllString(md[i][j], -1), numbers.FindAllString(tex[i][j], -1)
				if !slices.Equal(x, y) {
					t.Errorf("%s, row %d, column %d: %s and %s", table.name, i, j, md[i][j], tex[i][j])
				}
				compared += len(x)
			}
		}
	}
	if compared < 80 {
		t.Errorf("only %d numbers were compared", compared)
	}
}

// TestTableNamesAreFiles: whatever data sets are called, each table has a file of its own inside of the folder.
func TestTableNamesAreFiles(t *testing.T) {
	r := invent(plan{methods: 1, sets: 6, classes: 2})
	for i, name := range []string{"Scores", "scores", "../../x", "日本", "_methods_", "methods"} {
		old := r.Datasets[i].Name
		r.Datasets[i].Name = name
		for j := range r.Cells {
			if r.Cells[j].Dataset == old {
				r.Cells[j].Dataset = name
			}
		}
	}
	dir := t.TempDir()
	files, err := Report([]*results.Run{r}, Layout{}, "latex", dir)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, f := range files[1:] {
		name := filepath.Base(f)
		if seen[name] || !regexp.MustCompile(`^[a-z0-9][a-z0-9-]*\.tex$`).MatchString(name) ||
			filepath.Dir(f) != filepath.Join(dir, "tables") {
			t.Errorf("table in %s", f)
		}
		seen[name] = true
	}
	if len(seen) < 1+2*6 {
		t.Errorf("%d tables", len(seen))
	}
}
