package reports

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/jedib0t/go-pretty/v6/text"
	"pgregory.net/rapid"

	"ovbench/reports/draw/drawtest"
)

// comparison is an invented one: a clear gain, a loss within chance, a score that single images do not have, and hits
// and misses.
func comparison() *Comparison {
	cell := func(dataset, score string, a, b float64) ComparedCell {
		return ComparedCell{Dataset: dataset, Title: "A long title", Task: "segmentation", Convention: "mmseg",
			MethodA: "clip", MethodB: "clip_surgery", Score: score, Images: 1449,
			A: a, B: b, Difference: b - a, Low: ptr(b - a - 0.0123456), High: ptr(b - a + 0.0234567), Resamples: 2000}
	}
	c := &Comparison{
		Schema: ComparisonSchema, Level: 0.95,
		A: ComparedSide{Run: "out/before", Suite: "voc21", Model: "openai/clip-vit-base-patch16",
			Backbone: "ViT-B/16", Protocol: "clip-surgery"},
		B: ComparedSide{Run: "out/after", Suite: "voc21", Model: "openai/clip-vit-large-patch14",
			Backbone: "ViT-L/14", Protocol: "clip-surgery"},
		Unlike: []Unlike{{"model.architecture", "ViT-B/16", "ViT-L/14"}},
		Cells: []ComparedCell{cell("voc21", "mIoU", 0.1234567, 0.2345678), cell("cityscapes", "mIoU", 0.31, 0.305),
			cell("nuswide", "mAP", 0.42, 0.44), cell("voc_explain", "pointing-seen", 0.6, 0.62)},
	}
	x := &c.Cells[0]
	x.Test, x.P, x.Adjusted, x.Wins, x.Losses, x.Ties, x.MeanA, x.MeanB = "sign-flip", ptr(0.00009999), ptr(0.00029997),
		1000, 400, 49, 0.3, 0.4
	x.Each = []MovedImage{{"2007_000033", 0.1, 0.9, 0.8}, {"2007_000042", 0.5, 0.25, -0.25},
		{"2007_000061", 0.5, 0.5, 0}}
	x.Moved = x.Each[:2]
	x = &c.Cells[1]
	x.Test, x.P, x.Adjusted, x.Wins, x.Losses, x.Ties, x.Images, x.OnlyA = "sign-flip", ptr(0.4567), ptr(0.9134), 3, 5, 0,
		8, 2
	x.Low, x.High, x.Resamples = nil, nil, 0
	x = &c.Cells[3]
	x.Test, x.Exact, x.P, x.Adjusted, x.Wins, x.Losses, x.Ties, x.Events = "McNemar", true, ptr(0.0101), ptr(0.0303), 12,
		3, 10, &Events{20, 3, 12, 5, 0.0101}
	return c
}

// The golden texts were written by -update and read by eye.
func TestComparisonGolden(t *testing.T) {
	var b bytes.Buffer
	if err := comparison().markdown(&b); err != nil {
		t.Fatal(err)
	}
	checkText(t, "compare.md", b.Bytes())
	b.Reset()
	if err := comparison().Terminal(&b, 100, true); err != nil {
		t.Fatal(err)
	}
	checkText(t, "compare.txt", b.Bytes())
	// Colours are for a gain and a loss that are told from chance, and for nothing else.
	if s := b.String(); strings.Count(s, "\x1b[32m") != 2 || strings.Contains(s, "\x1b[31m") {
		t.Errorf("colours: %q", s)
	}
	c := comparison()
	c.Cells[1].Adjusted = ptr(0.04)
	b.Reset()
	if err := c.Terminal(&b, 0, true); err != nil {
		t.Fatal(err)
	}
	if strings.Count(b.String(), "\x1b[31m") != 1 {
		t.Errorf("a loss is not red: %q", b.String())
	}
	b.Reset()
	if err := c.Terminal(&b, 0, false); err != nil || strings.Contains(b.String(), "\x1b") {
		t.Errorf("colours without: %v", err)
	}
}

func TestStarsOfP(t *testing.T) {
	for p, want := range map[float64]string{0.06: "", 0.05: "", 0.049: "*", 0.01: "*", 0.009: "**", 0.001: "**",
		0.0009: "***", 0: "***"} {
		if got := stars(&p); got != want {
			t.Errorf("stars(%v) = %q, want %q", p, got, want)
		}
	}
	if stars(nil) != "" || pText(nil) != missing {
		t.Error("no p has stars or digits")
	}
	for x, want := range map[float64]string{0.1: "+10.00", -0.1: "-10.00", 0: "0.00", -0.00001: "0.00",
		0.00001: "0.00"} {
		if got := (entry{value: &x, signed: true}).spelled(usualDigits); strings.TrimPrefix(got,
			"+") != strings.TrimPrefix(want, "+") ||
			strings.HasPrefix(got, "+") != strings.HasPrefix(want, "+") {
			t.Errorf("signed(%v) = %s, want %s", x, got, want)
		}
	}
}

// TestComparisonFilesAreExact reads the numbers of every file back: CSV and JSON bit by bit, Markdown and LaTeX as
// rounded.
func TestComparisonFilesAreExact(t *testing.T) {
	c := comparison()
	dir := filepath.Join(t.TempDir(), "new")
	files, err := c.Write(dir)
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string) []byte {
		if !slices.Contains(files, filepath.Join(dir, name)) {
			t.Errorf("%s is not in %v", name, files)
		}
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	var back Comparison
	if err := json.Unmarshal(read("compare.json"), &back); err != nil {
		t.Fatal(err)
	}
	for i := range c.Cells {
		c.Cells[i].Each = nil
	}
	if diff := cmp.Diff(c, &back); diff != "" {
		t.Errorf("JSON (-want +got):\n%s", diff)
	}
	lines, err := csv.NewReader(bytes.NewReader(read("compare.csv"))).ReadAll()
	if err != nil || len(lines) != 5 {
		t.Fatalf("%d lines, %v", len(lines), err)
	}
	for i, line := range lines[1:] {
		x := c.Cells[i]
		for name, want := range map[string]*float64{"value_a": &x.A, "value_b": &x.B, "difference": &x.Difference,
			"low": x.Low, "high": x.High, "p": x.P, "p_adjusted": x.Adjusted} {
			text := line[slices.Index(lines[0], name)]
			got, err := strconv.ParseFloat(text, 64)
			if want == nil && text != "" || want != nil && (err != nil || got != *want) {
				t.Errorf("%s, %s: %q, want %v", x.Dataset, name, text, want)
			}
		}
	}
	images, err := csv.NewReader(bytes.NewReader(read("images.csv"))).ReadAll()
	if err != nil || len(images) != 4 || !slices.Equal(images[3],
		[]string{"voc21", "mmseg", "clip", "clip_surgery", "mIoU", "2007_000061", "0.5", "0.5", "0"}) {
		t.Errorf("images %v, %v", images, err)
	}
	md := section(t, string(read("compare.md")), "## Differences, B minus A")[1:]
	_, body, _ := strings.Cut(string(read("compare.tex")), "\\midrule\n")
	tex := strings.Split(body, "\\\\\n")
	numbers := regexp.MustCompile(`[+-]?\d+\.\d+`)
	for i, x := range c.Cells {
		in := func(v float64) string { return fmt.Sprintf("%.2f", 100*v) }
		sign := func(v float64) string { return fmt.Sprintf("%+.2f", 100*v) }
		want := []string{in(x.A), in(x.B), sign(x.Difference)}
		if x.Low != nil {
			want = append(want, sign(*x.Low), sign(*x.High))
		}
		if diff := cmp.Diff(want, numbers.FindAllString(strings.Join(md[i][3:8], " "), -1)); diff != "" {
			t.Errorf("%s in Markdown (-want +got):\n%s", x.Dataset, diff)
		}
		// LaTeX has a minus in place of a hyphen; its columns continue below.
		cells := strings.Split(strings.ReplaceAll(tex[i], "$-$", "-"), " & ")
		if got := numbers.FindAllString(strings.Join(cells[3:min(8, len(cells))], " "), -1); !slices.Equal(got,
			want[:len(got)]) || len(got) < 3 {
			t.Errorf("%s in LaTeX: %v, want %v", x.Dataset, got, want)
		}
	}
	paper := latexPreamble + "\\begin{document}\n\\input{compare.tex}\n\\end{document}\n"
	if err := os.WriteFile(filepath.Join(dir, "paper.tex"), []byte(paper), 0o666); err != nil {
		t.Fatal(err)
	}
	compile(t, dir, "paper.tex")
}

// TestComparisonPanels: images that moved are drawn for the methods compared, from either run.
func TestComparisonPanels(t *testing.T) {
	p := plan{methods: 3, sets: 1, classes: 3, samples: 3}
	r := withPanels(t, invent(p), p)
	c := comparison()
	c.A.Results, c.B.Results = r, r
	c.Cells = c.Cells[:1]
	c.Cells[0].Dataset = "set0"
	c.Cells[0].Moved = []MovedImage{{ID: "2007_000002"}, {ID: "nowhere"}}
	dir := t.TempDir()
	two, err := c.panels(dir)
	if err != nil || len(two) != 2 {
		t.Fatalf("%v, %v", two, err)
	}
	c.B.Run = c.A.Run
	one, err := c.panels(dir)
	if err != nil || len(one) != 1 {
		t.Fatalf("%v, %v", one, err)
	}
	part := *r
	part.Methods, part.Panels = r.Methods[:2], r.Panels[2:]
	want, err := panelsOf(&part, "set0")
	if err != nil || len(want) != 1 {
		t.Fatal(err)
	}
	if got := drawtest.DecodePNG(t, one[0]); got.Bounds() != want[0].Bounds() {
		t.Errorf("sheet of %v, want that of one image and two methods, %v", got.Bounds(), want[0].Bounds())
	}
	c.Cells[0].Moved = nil
	if files, err := c.panels(t.TempDir()); err != nil || len(files) != 0 {
		t.Errorf("panels of nothing: %v, %v", files, err)
	}
}

// TestComparisonTextsStayTexts: names are foreign here too.
func TestComparisonTextsStayTexts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := comparison()
		c.A.Run, c.B.Model, c.Unlike[0].Field, c.Unlike[0].B = foreign(t, "run"), foreign(t, "model"), foreign(t,
			"field"), foreign(t, "value")
		x := &c.Cells[0]
		x.Dataset, x.MethodA, x.Score, x.Moved[0].ID = foreign(t, "set"), foreign(t, "method"), foreign(t,
			"score"), foreign(t, "id")
		width := rapid.IntRange(minWidth, 160).Draw(t, "width")
		var b strings.Builder
		if err := c.Terminal(&b, width, false); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(b.String()) {
			line = strings.TrimSuffix(line, "\n")
			if strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) ||
				text.StringWidth(line) > width {
				t.Fatalf("unprintable or wider than %d: %q", width, line)
			}
		}
		b.Reset()
		if err := c.markdown(&b); err != nil {
			t.Fatal(err)
		}
		wholeMarkdown(t, b.String())
	})
}

// TestComparisonNamesRows: on a narrow terminal every part of the table says of which method its rows are; and of a run
// against itself no method is said to be A's or B's.
func TestComparisonNamesRows(t *testing.T) {
	c := comparison()
	c.B.Run = c.A.Run
	for i := range c.Cells {
		c.Cells[i].MethodA, c.Cells[i].MethodB = "gem", "gem"
	}
	var b strings.Builder
	if err := c.Terminal(&b, 60, false); err != nil {
		t.Fatal(err)
	}
	heads := regexp.MustCompile(`(?m)^Data set .*`).FindAllString(b.String(), -1)
	if len(heads) < 4 {
		t.Fatalf("%d parts:\n%s", len(heads), b.String())
	}
	for _, h := range heads {
		if !strings.HasPrefix(strings.Join(strings.Fields(h), " "), "Data set Method Score") {
			t.Errorf("a part begins with %q", h)
		}
	}
	if strings.Contains(b.String(), "A: gem") {
		t.Errorf("the first of several methods is said to be all of A:\n%s", b.String())
	}
}

// TestBelow: a difference fails where the table shows less than the limit, and a score of which low is good where it
// rose.
func TestBelow(t *testing.T) {
	for _, tt := range []struct {
		score      string
		difference float64
		low, high  *float64
		limit      float64
		confident  bool
		fails      bool
	}{
		{score: "mIoU", difference: -0.005, limit: -0.005},
		{score: "mIoU", difference: -0.0050000001, limit: -0.005}, // shown as -0.50
		{score: "mIoU", difference: -0.0051, limit: -0.005, fails: true},
		{score: "mIoU", difference: 0, limit: 0},
		{score: "mIoU", difference: -1e-9, limit: 0},
		{score: "mIoU", difference: 0.01, low: ptr(-0.01), high: ptr(0.03), limit: -0.005, confident: true,
			fails: true},
		{score: "mIoU", difference: 0.01, limit: -0.005, confident: true, fails: true},
		{score: "deletion", difference: -0.1, limit: -0.005},
		{score: "deletion", difference: 0.1, limit: -0.005, fails: true},
		{score: "deletion", difference: -0.1, low: ptr(-0.2), high: ptr(0), limit: 0, confident: true},
		{score: "deletion", difference: -0.1, low: ptr(-0.2), high: ptr(0.01), limit: 0, confident: true, fails: true},
	} {
		c := &Comparison{Cells: []ComparedCell{{Dataset: "set", MethodA: "a", MethodB: "b", Score: tt.score,
			Difference: tt.difference, Low: tt.low, High: tt.high}}}
		if err := c.Below(tt.limit, tt.confident); (err != nil) != tt.fails {
			t.Errorf("%+v: %v", tt, err)
		}
	}
}

// TestLowIsGoodIsGreen: on a terminal a fall of deletion that is told from chance has the colour of a gain, and is
// explained.
func TestLowIsGoodIsGreen(t *testing.T) {
	for difference, want := range map[float64]string{-0.1: "\x1b[32m-10.00", 0.1: "\x1b[31m+10.00"} {
		c := &Comparison{Cells: []ComparedCell{{Dataset: "set", MethodA: "a", MethodB: "b", Score: "deletion",
			Difference: difference, P: ptr(0.001), Adjusted: ptr(0.001)}}}
		var b strings.Builder
		if err := c.Terminal(&b, 0, true); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), want) || !strings.Contains(b.String(), "low is good") {
			t.Errorf("no %q, or no word of it, in\n%s", want, b.String())
		}
	}
}

// TestComparisonAnswers: the page of a comparison says first which side is higher, and whether that is chance.
func TestComparisonAnswers(t *testing.T) {
	low, high, p := 0.01, 0.031, 0.0004
	c := &Comparison{A: ComparedSide{Run: "a"}, B: ComparedSide{Run: "a"}, Cells: []ComparedCell{{Dataset: "voc20",
		Score: "mIoU", MethodA: "clip", MethodB: "clip_surgery", A: 0.5, B: 0.52, Difference: 0.02, Low: &low, High: &high,
		Adjusted: &p}}}
	start := "mIoU on voc20: clip_surgery has 52.00 %, clip has 50.00 %, a difference of +2.00 points (+1.00 – +3.10)"
	want := start + ", which the paired test of images tells from chance, p < 0.001."
	if got := c.answer(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	p = 0.2
	want = start + ", which the paired test of images does not tell from chance, p = 0.200."
	if got := c.answer(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	var page bytes.Buffer
	if err := c.html(&page); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(page.String(), "does not tell from chance") {
		t.Error("the page has no answer")
	}
}
