package reports

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ovbench/reports/results"
)

// compile makes a PDF of name in dir, or skips where there is no TeX.
func compile(t *testing.T, dir, name string) {
	t.Helper()
	program, args := "", []string(nil)
	if path, err := exec.LookPath("pdflatex"); err == nil {
		program, args = path, []string{"-interaction=nonstopmode", "-halt-on-error", name}
	} else if path, err := exec.LookPath("tectonic"); err == nil {
		program, args = path, []string{name}
	} else {
		t.Skip("no pdflatex, no tectonic")
	}
	for range 2 { // long tables learn their widths from the first time
		c := exec.CommandContext(t.Context(), program, args...)
		c.Dir = dir
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%s %s: %v\n%s", program, name, err, out[max(0, len(out)-3000):])
		}
	}
	log, err := os.ReadFile(filepath.Join(dir, strings.TrimSuffix(name, ".tex")+".log"))
	if err != nil {
		return // tectonic keeps none
	}
	// A quarter of an inch may be lost in the margin, not more.
	for _, m := range regexp.MustCompile(`Overfull \\hbox \((\d+)\.\d+pt too wide\)[^\n]*`).FindAllSubmatch(log, -1) {
		if len(m[1]) > 2 || string(m[1]) > "18" && len(m[1]) == 2 {
			t.Errorf("%s: %s", name, m[0])
		}
	}
}

// nasty is a text of everything that TeX could take for something else.
const nasty = "a\\b{c}$d&e#f%g_h~i^j<k>l|m\"n`o'p[q]r*s--t,,u –±·… é 日本 α ?`!`"

func TestLaTeXCompiles(t *testing.T) {
	odd := invent(plan{methods: 3, sets: 2, classes: 3})
	odd.Suite.Title, odd.Datasets[0].Title, odd.Datasets[0].Classes[1] = nasty, "[*] "+nasty, nasty
	for i := range odd.Cells[:3] {
		odd.Cells[i].Classes[1].Class = nasty
	}
	odd.Methods[1].Name, odd.Cells[1].Method, odd.Cells[4].Method = "*[x]", "*[x]", "*[x]"
	odd.Warnings = []string{nasty}
	odd.Failures = []results.Failure{{Dataset: "set0", ID: "[1]",
		Error: "open /a/very/long/path/without/any/space/that/does/not/fit/into/a/column/of/this/table.png: " + nasty}}
	far := rich(plan{methods: 3, sets: 3, classes: 4})
	for i, name := range []string{"視覚物体分類とその手術", "مجموعة بيانات طويلة", "Ωμέγα"} {
		far.Datasets[i].Title = name
		for j := range far.Cells {
			if far.Cells[j].Method == far.Methods[i].Name {
				far.Cells[j].Method = name
			}
		}
		far.Methods[i].Name = name
	}
	for name, runs := range map[string][]*results.Run{
		"odd":  {odd},
		"far":  {far},
		"two":  two(),
		"wide": {invent(plan{methods: 12, sets: 8, classes: 171, long: true})},
		"many": {invent(plan{methods: 12, sets: 8, classes: 20})},
		"one":  {invent(plan{methods: 1, sets: 1, classes: 171})},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			files, err := Report(runs, Layout{}, "latex", dir)
			if err != nil {
				t.Fatal(err)
			}
			compile(t, dir, "report.tex")
			// The files of the tables, in a document of somebody else.
			var b bytes.Buffer
			b.WriteString(latexPreamble + "\\begin{document}\n")
			for _, f := range files[1:] {
				rel, err := filepath.Rel(dir, f)
				if err != nil {
					t.Fatal(err)
				}
				fmt.Fprintf(&b, "\\input{%s}\n\\clearpage\n", filepath.ToSlash(rel))
			}
			b.WriteString("\\end{document}\n")
			if err := os.WriteFile(filepath.Join(dir, "paper.tex"), b.Bytes(), 0o666); err != nil {
				t.Fatal(err)
			}
			compile(t, dir, "paper.tex")
		})
	}
}

func TestLaTeXText(t *testing.T) {
	for in, want := range map[string]string{
		"50%_a":    `50\%\_a`,
		`\input{}`: `\textbackslash{}input\{\}`,
		"[a]":      `{[}a{]}`,
		"--out":    `-{}-out`,
		"a-b":      "a-b",
		"é":        "é",
		"日":        `{\scriptsize U+65E5}`,
		"a\nb":     "a b",
	} {
		if got := latexText(in, false); got != want {
			t.Errorf("latexText(%q) = %s, want %s", in, got, want)
		}
	}
}

// TestLaTeXKeepsItsShape: whatever the names are, each line has its columns and nothing is a command that we did not
// write.
func TestLaTeXKeepsItsShape(t *testing.T) {
	ours := regexp.MustCompile(`\\(textbackslash|textasciitilde|textasciicircum|textless|textgreater|textbar|textquotedbl|textasciigrave|textquotesingle|textperiodcentered|scriptsize|ldots|d?dag|pm|alpha|allowbreak)\b|\\[{}$&#%_]|\$\\\w+\$`)
	rapid.Check(t, func(t *rapid.T) {
		s := latexText(rapid.StringOf(rapid.OneOf(rapid.SampledFrom([]rune(nasty)), rapid.Rune())).Draw(t, "s"),
			rapid.Bool().Draw(t, "breaks"))
		for _, c := range regexp.MustCompile(`\\([a-zA-Z]+|.)`).FindAllString(s, -1) {
			if !ours.MatchString(c) && !strings.Contains(s, "$"+c) && !strings.HasPrefix(c, `\text`) && c != `\S` {
				t.Fatalf("%s in %s", c, s)
			}
		}
		bare := regexp.MustCompile(`\\.`).ReplaceAllString(s, "")
		if strings.ContainsAny(bare, "&#%_~^\\") {
			t.Fatalf("bare special characters in %s", s)
		}
		if strings.Count(bare, "{") != strings.Count(bare, "}") || strings.Count(bare, "$")%2 != 0 {
			t.Fatalf("unbalanced: %s", s)
		}
	})
}

// TestLaTeXSummaryIsTheRun traces the first table to the run, and what is bold and underlined to the ranks.
func TestLaTeXSummaryIsTheRun(t *testing.T) {
	r := invent(plan{methods: 5, sets: 4, classes: 3})
	dir := t.TempDir()
	if _, err := Report([]*results.Run{r}, Layout{}, "latex", dir); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "tables", "scores.tex"))
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(string(raw), "\\midrule\n")
	body, _, _ = strings.Cut(body, "\\bottomrule")
	lines := strings.Split(strings.TrimSpace(body), "\\\\\n")
	if len(lines) != 5 {
		t.Fatalf("%d lines of 5:\n%s", len(lines), body)
	}
	number := regexp.MustCompile(`\d+\.\d+`)
	summary := summaryOf(newView([]*results.Run{r}, &Layout{}))
	for i, line := range lines {
		cells := strings.Split(strings.TrimSuffix(strings.TrimSpace(line), "\\\\"), " & ")
		for j, c := range cells[1:5] {
			s := r.Cell(r.Datasets[j].Name, r.Methods[i].Name).Score("mIoU")
			want := []string{fmt.Sprintf("%.2f", 100*s.Value), fmt.Sprintf("%.2f", 50*(*s.High-*s.Low))}
			if diff := cmp.Diff(want, number.FindAllString(c, -1)); diff != "" {
				t.Errorf("%s on %s (-want +got):\n%s", r.Methods[i].Name, r.Datasets[j].Name, diff)
			}
			got := unranked
			if strings.HasPrefix(c, "\\textbf{") {
				got = best
			} else if strings.HasPrefix(c, "\\underline{") {
				got = second
			}
			if want := summary.rows[i][j+1].rank; got != want {
				t.Errorf("%s is marked %d, want %d", c, got, want)
			}
		}
	}
}
