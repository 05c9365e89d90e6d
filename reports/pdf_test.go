package reports

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"ovbench/reports/draw/drawtest"
	"ovbench/reports/results"
)

func pdfOf(t testing.TB, runs ...*results.Run) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := writePDF(&b, newView(runs, &Layout{})); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// pagesOf are the texts of the pages of a document.
func pagesOf(t testing.TB, data []byte) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "r.pdf")
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	pages := strings.Split(drawtest.Poppler(t, "pdftotext", "-layout", path, "-"), "\f")
	return pages[:len(pages)-1]
}

// TestPDFIsTheRun finds the main scores of the run in the text of the document, in the lines of their methods.
func TestPDFIsTheRun(t *testing.T) {
	r := invent(plan{methods: 4, sets: 3, classes: 4})
	all := strings.Join(pagesOf(t, pdfOf(t, r)), "\n")
	for _, m := range r.Methods {
		want := regexp.QuoteMeta(m.Name)
		mean := 0.0
		for _, d := range r.Datasets {
			s := r.Cell(d.Name, m.Name).Score("mIoU")
			mean += s.Value / 3
			want += fmt.Sprintf(`\s+%.2f ± %.2f`, 100*s.Value, 100*(*s.High-*s.Low)/2)
		}
		want += fmt.Sprintf(`\s+%.2f\n`, 100*mean)
		if !regexp.MustCompile(want).MatchString(all) {
			t.Errorf("no line %s", want)
		}
		for i, d := range r.Datasets {
			for k, c := range r.Cell(d.Name, m.Name).Classes {
				if c.IoU != nil && !strings.Contains(all, fmt.Sprintf("%.2f", 100**c.IoU)) {
					t.Errorf("IoU of class %d of data set %d is not there", k, i)
				}
			}
		}
	}
	for _, want := range []string{r.Model.Files[0].SHA256, r.Protocol.Fingerprint, r.Tool.Revision, r.Host.CPU,
		"ovbench run voc21"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not there", want)
		}
	}
}

// TestPDFContents: the pages of the contents are where the chapters are, and every page after the first has its number.
func TestPDFContents(t *testing.T) {
	p := plan{methods: 12, sets: 4, classes: 60, samples: 3, long: true}
	pages := pagesOf(t, pdfOf(t, withPanels(t, rich(p), p)))
	chapters := 0
	_, contents, _ := strings.Cut(pages[0]+pages[1], "Contents\n") // with the facts, or on a page of their own
	contents, _, _ = strings.Cut(contents, "\f")
	contents, _, _ = strings.Cut(contents, "Summary\n")
	for _, m := range regexp.MustCompile(`(?m)^ *(\S.*\S) +(\d+)$`).FindAllStringSubmatch(contents, -1) {
		n, _ := strconv.Atoi(m[2])
		if m[1] == "Open-vocabulary segmentation" { // the foot of the page
			continue
		}
		chapters++
		if n < 2 || n > len(pages) ||
			!regexp.MustCompile(`(?m)^ *`+regexp.QuoteMeta(m[1])+`$`).MatchString(pages[n-1]) {
			t.Errorf("%q is not on page %d", m[1], n)
		}
	}
	if chapters < 15 {
		t.Errorf("%d chapters in the contents:\n%s", chapters, contents)
	}
	for i, text := range pages[1:] {
		if !regexp.MustCompile(`Open-vocabulary segmentation +` + strconv.Itoa(i+2) + `\s*$`).MatchString(text) {
			t.Errorf("page %d ends with %q", i+2, text[max(0, len(text)-80):])
		}
	}
}

// TestPDFDate: equal runs give equal bytes, now and a second later; the date is that of the results, or of the
// environment.
func TestPDFDate(t *testing.T) {
	p := plan{methods: 2, sets: 2, classes: 5, samples: 2}
	r := withPanels(t, rich(p), p)
	first := pdfOf(t, r)
	time.Sleep(1100 * time.Millisecond)
	if !bytes.Equal(first, pdfOf(t, r)) {
		t.Error("written a second later, it differs")
	}
	if !bytes.Contains(first, []byte("D:20260301093000")) {
		t.Error("the date is not that of the results")
	}
	t.Setenv("SOURCE_DATE_EPOCH", "86400")
	if !bytes.Contains(pdfOf(t, r), []byte("D:19700102000000")) {
		t.Error("the date is not that of SOURCE_DATE_EPOCH")
	}
}

// TestPDFOfAnything writes documents of runs that have nothing, and of foreign texts of all kinds.
func TestPDFOfAnything(t *testing.T) {
	empty := &results.Run{Schema: results.Schema, Suite: results.Suite{Name: "nothing"}}
	nothing := invent(plan{methods: 2, sets: 1, classes: 3})
	nothing.Cells, nothing.Timing, nothing.Suite.Title = nil, results.Timing{}, strings.Repeat("ein_sehr_langes_Wort",
		40)
	greek := invent(plan{methods: 2, sets: 1, classes: 3})
	greek.Suite.Title = "Ωμέγα, Žluťoučký кот – 日本 𝕏"
	for name, r := range map[string]*results.Run{"empty": empty, "nothing": nothing, "hostile": hostile(t),
		"greek": greek} {
		pages := pagesOf(t, pdfOf(t, r))
		if name == "greek" && !strings.Contains(pages[0], "Ωμέγα, Žluťoučký кот – ?? ?") {
			t.Errorf("the title reads %.200q", pages[0])
		}
		if told := strings.Count(strings.Join(pages, ""), "are shown as “?”"); (told == 1) != (name == "greek" ||
			name == "hostile") || told > 1 {
			t.Errorf("%s: said %d times that letters are replaced", name, told)
		}
		if name == "hostile" && !strings.Contains(strings.Join(pages, ""), `<img src=x onerror="alert(1)">`) {
			t.Error("a foreign text does not stand for itself")
		}
	}
}

// TestPDFStaysInside: no ink in the margins of any page, with many and long names.
func TestPDFStaysInside(t *testing.T) {
	if testing.Short() {
		t.Skip("renders pages")
	}
	many := plan{methods: 12, sets: 2, classes: 171, samples: 2, long: true}
	few := plan{methods: 2, sets: 1, classes: 3, samples: 3}
	for name, runs := range map[string][]*results.Run{
		"many": {withPanels(t, rich(many), many)}, "few": {withPanels(t, rich(few),
			few)}, "two": two(), "sizes": resized(), "hostile": {hostile(t)},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "r.pdf")
			if err := os.WriteFile(path, pdfOf(t, runs...), 0o666); err != nil {
				t.Fatal(err)
			}
			drawtest.Poppler(t, "pdftoppm", "-r", "36", "-png", path, filepath.Join(dir, "p"))
			pages, err := filepath.Glob(filepath.Join(dir, "p-*.png"))
			if err != nil || len(pages) < 3 {
				t.Fatalf("%d pages, %v", len(pages), err)
			}
			for _, page := range pages {
				m := drawtest.OnWhite(drawtest.DecodePNG(t, page))
				inner := m.Rect.Inset(19) // 38 points
				inner.Max.Y += 8          // the foot
			scan:
				for y := range m.Rect.Dy() {
					for x := range m.Rect.Dx() {
						if c := m.RGBAAt(x, y); c.R < 250 &&
							(x < inner.Min.X || x >= inner.Max.X || y < inner.Min.Y || y >= inner.Max.Y) {
							t.Errorf("%s: ink at (%d, %d) of %v", filepath.Base(page), x, y, m.Rect)
							break scan
						}
					}
				}
			}
		})
	}
}

// TestPDFHasEveryColumn: of tables too wide for a page, every number is there as often as the run has it.
func TestPDFHasEveryColumn(t *testing.T) {
	r := invent(plan{methods: 12, sets: 1, classes: 30, long: true})
	have := map[string]int{}
	for _, s := range regexp.MustCompile(`\d+\.\d\d\b`).FindAllString(strings.Join(pagesOf(t, pdfOf(t, r)), "\n"), -1) {
		have[s]++
	}
	want := map[string]int{}
	for _, c := range r.Cells {
		for _, s := range c.Scores {
			want[fmt.Sprintf("%.2f", 100*s.Value)]++
		}
		for _, k := range c.Classes {
			if k.IoU != nil {
				want[fmt.Sprintf("%.2f", 100**k.IoU)]++
			}
		}
	}
	for s, n := range want {
		if have[s] < n {
			t.Errorf("%s is there %d times, want %d", s, have[s], n)
		}
	}
}

// BenchmarkDocuments writes the reports of a large run: 12 methods on 8 data sets of 171 classes, under three tasks.
func BenchmarkDocuments(b *testing.B) {
	runs := []*results.Run{rich(plan{methods: 12, sets: 8, classes: 171})}
	for _, format := range []string{"html", "pdf", "png", "svg", "pdf-figures"} {
		b.Run(format, func(b *testing.B) {
			for b.Loop() {
				if _, err := Report(runs, Layout{}, format, b.TempDir()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestPDFColumnsHaveRoom: heads are in one line where the page has room for it.
func TestPDFColumnsHaveRoom(t *testing.T) {
	r := invent(plan{methods: 2, sets: 1, classes: 3})
	r.Datasets[0].Title = "PASCAL VOC 2012 with background"
	text := strings.Join(pagesOf(t, pdfOf(t, r)), "\n")
	for _, head := range []string{`Method +PASCAL VOC 2012 with background`,
		`Method +Images +mIoU +mIoU interval +mAcc`} {
		if !regexp.MustCompile(`(?m)^ *` + head).MatchString(text) {
			t.Errorf("no line %q in\n%s", head, text)
		}
	}
}

// TestPDFHeadingsStayWithWhatFollows: no heading is the last line of a page, wherever pages break.
func TestPDFHeadingsStayWithWhatFollows(t *testing.T) {
	for methods := 2; methods <= 12; methods++ {
		r := rich(plan{methods: methods, sets: 3, classes: 9})
		doc, err := documentOf(newView([]*results.Run{r}, &Layout{}))
		if err != nil {
			t.Fatal(err)
		}
		headings := map[string]bool{}
		for _, b := range doc.blocks {
			if h, ok := b.(heading); ok {
				headings[h.text] = true
			}
		}
		for i, page := range pagesOf(t, pdfOf(t, r))[1:] {
			lines := regexp.MustCompile(`(?m)^ *(\S.*?) *$`).FindAllStringSubmatch(page, -1)
			if n := len(lines); n > 1 && headings[lines[n-2][1]] { // the last one is the foot
				t.Errorf("%d methods: page %d ends with the heading %q", methods, i+2, lines[n-2][1])
			}
		}
	}
}

// TestPDFSamplesShareAPage: two pictures of usual shape with four methods take one page.
func TestPDFSamplesShareAPage(t *testing.T) {
	p := plan{methods: 4, sets: 1, classes: 5, samples: 7}
	r := withPanels(t, invent(p), p)
	r.Panels = []results.Panel{r.Panels[0], r.Panels[3], r.Panels[6]} // 320 x 240; the first may follow something else
	both := false
	for _, page := range pagesOf(t, pdfOf(t, r)) {
		both = both || strings.Contains(page, "2007_000003") &&
			(strings.Contains(page, "2007_000000") || strings.Contains(page, "2007_000006"))
	}
	if !both {
		t.Error("two samples are on two pages")
	}
}
