package reports

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"ovbench/reports/draw/drawtest"
	"ovbench/reports/results"
)

func htmlOf(t testing.TB, runs ...*results.Run) string {
	t.Helper()
	var b bytes.Buffer
	if err := writeHTML(&b, newView(runs, &Layout{})); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// parsedTable is a table as a reader of the page finds it.
type parsedTable struct {
	caption string
	head    []string
	rows    [][]parsedCell
}

type parsedCell struct{ text, class, value string }

// parsePage reads the tables of a page, and its headings.
func parsePage(t testing.TB, page string) (tables []parsedTable, headings []string) {
	t.Helper()
	page = regexp.MustCompile(`(?s)<(script|style)>.*?</(script|style)>`).ReplaceAllString(page, "")
	d := xml.NewDecoder(strings.NewReader(page))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	var text strings.Builder
	var cell parsedCell
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return tables, headings
		}
		if err != nil {
			t.Fatal(err)
		}
		switch x := token.(type) {
		case xml.CharData:
			text.Write(x)
		case xml.StartElement:
			switch x.Name.Local {
			case "table":
				tables = append(tables, parsedTable{})
			case "tr":
				if n := len(tables) - 1; len(tables[n].head) > 0 || cell.class != "head" {
					tables[n].rows = append(tables[n].rows, nil)
				}
			case "thead":
				cell.class = "head"
			case "tbody":
				cell.class = ""
				tables[len(tables)-1].rows = nil
			}
			switch x.Name.Local {
			case "td", "th", "caption", "h1", "h2", "h3", "h4":
				text.Reset()
				if x.Name.Local == "td" {
					cell = parsedCell{}
				}
				for _, a := range x.Attr {
					switch a.Name.Local {
					case "class":
						if x.Name.Local == "td" {
							cell.class = a.Value
						}
					case "data-v":
						cell.value = a.Value
					}
				}
			}
		case xml.EndElement:
			n := len(tables) - 1
			s := strings.Join(strings.Fields(text.String()), " ")
			switch x.Name.Local {
			case "caption":
				tables[n].caption = s
			case "td":
				cell.text = s
				row := &tables[n].rows[len(tables[n].rows)-1]
				*row = append(*row, cell)
			case "th":
				if cell.class == "head" {
					tables[n].head = append(tables[n].head, s)
					continue
				}
				row := &tables[n].rows[len(tables[n].rows)-1]
				*row = append(*row, parsedCell{text: s})
			case "h1", "h2", "h3", "h4":
				headings = append(headings, s)
			}
		}
	}
}

// tableOn is the table whose caption has that text.
func tableOn(t testing.TB, tables []parsedTable, caption string) parsedTable {
	t.Helper()
	var have []string
	for _, x := range tables {
		if strings.Contains(x.caption, caption) {
			return x
		}
		have = append(have, x.caption)
	}
	t.Fatalf("no table %q among\n%s", caption, strings.Join(have, "\n"))
	return parsedTable{}
}

// TestHTMLIsTheRun traces the numbers on the page, in full precision and as they read, to the run they came from.
func TestHTMLIsTheRun(t *testing.T) {
	r := invent(plan{methods: 5, sets: 4, classes: 4})
	tables, headings := parsePage(t, htmlOf(t, r))
	same := func(what string, x *float64, c parsedCell) {
		t.Helper()
		want := parsedCell{text: "–", class: c.class}
		if x != nil {
			want.text, want.value = fmt.Sprintf("%.2f", 100**x), strconv.FormatFloat(*x, 'g', -1, 64)
		}
		c.text, _, _ = strings.Cut(c.text, " ± ")
		if c != want {
			t.Errorf("%s: %+v, want %+v", what, c, want)
		}
	}
	summary := tableOn(t, tables, "Main scores")
	if len(summary.rows) != 5 || len(summary.head) != 1+4+1 {
		t.Fatalf("summary of %d rows under %q", len(summary.rows), summary.head)
	}
	for i, line := range summary.rows {
		if line[0].text != r.Methods[i].Name {
			t.Errorf("row %d is %q, want %q", i, line[0].text, r.Methods[i].Name)
		}
		mean := 0.0
		for j, d := range r.Datasets {
			s := r.Cell(d.Name, line[0].text).Score("mIoU")
			mean += s.Value
			same(line[0].text+" on "+summary.head[j+1], &s.Value, line[j+1])
			if want := fmt.Sprintf("± %.2f", 100*(*s.High-*s.Low)/2); !strings.HasSuffix(line[j+1].text, want) {
				t.Errorf("%s on %s: %q, want %s", line[0].text, d.Name, line[j+1].text, want)
			}
			first := true
			for _, m := range r.Methods {
				first = first && r.Cell(d.Name, m.Name).Score("mIoU").Value <= s.Value
			}
			if got := strings.Contains(line[j+1].class, "best"); got != first {
				t.Errorf("%s on %s: best %v", line[0].text, d.Name, got)
			}
		}
		mean /= 4
		same(line[0].text+" on average", &mean, line[5])
	}
	for _, d := range r.Datasets {
		classes := tableOn(t, tables, d.Title+", class by class")
		for i, line := range classes.rows {
			for j, m := range r.Methods {
				same(d.Title+" "+line[0].text, r.Cell(d.Name, m.Name).Classes[i].IoU, line[j+1])
			}
		}
		all := tableOn(t, tables, d.Title+". Percent")
		for i, line := range all.rows {
			for _, s := range r.Cell(d.Name, r.Methods[i].Name).Scores {
				same(d.Title+" "+s.Name, &s.Value, line[index(t, all.head, s.Name)])
			}
		}
	}
	for _, want := range []string{"Summary", "PASCAL VOC 21", "Failures and warnings", "What was measured",
		"How to measure again"} {
		index(t, headings, want)
	}
}

// TestHTMLPublished: every number that is claimed for the data set and backbone of a run stands in a chapter of its
// own.
func TestHTMLPublished(t *testing.T) {
	r := invent(plan{methods: 2, sets: 1, classes: 3})
	r.Datasets[0].Name = "voc21"
	for i := range r.Cells {
		r.Cells[i].Dataset = "voc21"
	}
	tables, headings := parsePage(t, htmlOf(t, r))
	index(t, headings, "Published numbers")
	claimed := tableOn(t, tables, "Published numbers, other protocols")
	column := index(t, claimed.head, "PASCAL VOC 21")
	n := 0
	for _, c := range Published() {
		if x, ok := c.Cells["voc21"]; ok && c.Backbone == "ViT-B/16" && c.Task == "segmentation" {
			n++
			found := false
			for _, line := range claimed.rows {
				found = found || line[1].text == c.Label && strings.HasPrefix(line[column].text,
					strconv.FormatFloat(x, 'f', -1, 64))
			}
			if !found && !c.Unreliable {
				t.Errorf("%s, %v (%s) is not there", c.Label, x, c.Source)
			}
		}
	}
	if n < 20 {
		t.Errorf("%d claims were looked for", n)
	}
}

func index(t testing.TB, list []string, want string) int {
	t.Helper()
	for i, s := range list {
		if s == want {
			return i
		}
	}
	t.Fatalf("no %q in %q", want, list)
	return 0
}

// hostile is a run whose every foreign text wants to be markup.
func hostile(t testing.TB) *results.Run {
	p := plan{methods: 2, sets: 1, classes: 3, samples: 1}
	r := invent(p)
	const bad = `<img src=x onerror="alert(1)"></script><script>alert(2)</script>&lt;'"` + "\x1b[2J"
	old := r.Methods[0].Name
	r.Methods[0].Name = bad
	for i := range r.Cells {
		if r.Cells[i].Method == old {
			r.Cells[i].Method = bad
		}
		r.Cells[i].Classes[1].Class = bad
		r.Cells[i].Warnings = []string{bad}
		r.Cells[i].Curves = []results.Curve{{Name: bad, XLabel: bad, YLabel: bad, X: []float64{0, 1},
			Y: []float64{0, 1}}}
	}
	r.Datasets[0].Title, r.Datasets[0].Classes[1] = bad, bad
	r.Suite.Title, r.Suite.Text, r.Suite.Name, r.Model.Name, r.Host.CPU = bad, bad+"\n\x1b[31m"+bad, bad, bad, bad
	r.Command, r.Warnings = []string{bad, "\u202e", "日本語 𝕏"}, []string{bad}
	r.Protocol.Name, r.Protocol.Fields[bad] = bad, bad
	r.Failures = []results.Failure{{Dataset: r.Datasets[0].Name, ID: bad, Stage: bad, Error: bad}}
	withPanels(t, r, p)
	r.Panels[0].ID = bad
	return r
}

// TestHTMLEscapes: no text of a run becomes an element, in tables, figures, samples or listings.
func TestHTMLEscapes(t *testing.T) {
	page := htmlOf(t, hostile(t))
	for _, bad := range []string{"<img src=x", "<script>alert", "ZgotmplZ", "\x1b", "\u202e"} {
		if i := strings.Index(page, bad); i >= 0 {
			t.Errorf("%q is on the page: …%.80s", bad, page[i:])
		}
	}
	if n := strings.Count(page, "<script>"); n != 1 {
		t.Errorf("%d scripts, want 1", n)
	}
}

// TestHTMLStandsAlone: nothing on the page is asked of another file or host.
func TestHTMLStandsAlone(t *testing.T) {
	p := plan{methods: 2, sets: 1, classes: 3, samples: 2}
	page := htmlOf(t, withPanels(t, rich(p), p))
	for _, m := range regexp.MustCompile(`(?:src|href|url)\s*[=(]\s*["']?([^"'\s>)]{1,40})`).FindAllStringSubmatch(page, -1) {
		if !strings.HasPrefix(m[1], "data:image/") && !strings.HasPrefix(m[1], "#") {
			t.Errorf("the page refers to %s", m[1])
		}
	}
	if !strings.Contains(page, "default-src 'none'") {
		t.Error("no policy keeps the page from the network")
	}
}

func TestHTMLIsTheSameTwice(t *testing.T) {
	p := plan{methods: 3, sets: 2, classes: 5, samples: 2}
	r := withPanels(t, rich(p), p)
	if first, second := htmlOf(t, r), htmlOf(t, r); first != second {
		t.Error("written twice, it differs")
	}
}

// open loads a page from disk and returns its elements once its scripts have run, and what they wrote to the console.
func open(t *testing.T, page string) (dom string, console []string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(path, []byte(page), 0o666); err != nil {
		t.Fatal(err)
	}
	dom, log := drawtest.Browser(t, path, "--enable-logging=stderr", "--v=0", "--virtual-time-budget=5000",
		"--dump-dom")
	for _, line := range log {
		if strings.Contains(line, "CONSOLE") {
			console = append(console, strings.TrimSpace(line))
		}
	}
	return dom, console
}

// exercise sorts every table by every column, flips every sample through all of its pictures by click and by key, and
// writes what it found wrong, and how much it tried, at the end of the page.
const exercise = `<pre id="outcome"></pre><script>
const wrong = [], count = { sorts: 0, flips: 0, keys: 0 };
const number = c => c.dataset.v !== undefined ? +c.dataset.v : /^\d+(\.\d+)?$/.test(c.textContent) ? +c.textContent : null;
for (const table of document.querySelectorAll("table.sortable")) {
  const rows = table.tBodies[0].rows, size = rows.length, seen = new Set([...rows].map(r => r.textContent));
  [...table.tHead.rows[0].cells].forEach((th, column) => {
    for (const order of ["first", "second"]) {
      th.querySelector("button").click();
      count.sorts++;
      const sort = th.getAttribute("aria-sort"), marked = table.querySelectorAll("[aria-sort]").length;
      if (!["ascending", "descending"].includes(sort) || marked !== 1) wrong.push("aria-sort " + sort + " of " + marked);
      if (rows.length !== size || [...rows].some(r => !seen.has(r.textContent))) wrong.push("rows were lost");
      const cells = [...rows].map(r => r.cells[column]), keys = cells.map(number);
      if (!keys.some(k => k !== null)) continue;
      if (order === "first" && sort !== "descending") wrong.push("numbers begin with the lowest");
      for (let i = 1; i < keys.length; i++) {
        if (keys[i - 1] === null && keys[i] !== null) wrong.push("missing before " + keys[i]);
        if (keys[i] !== null && keys[i - 1] !== null && (sort === "ascending" ? keys[i - 1] > keys[i] : keys[i - 1] < keys[i])) wrong.push(keys[i - 1] + " before " + keys[i] + " " + sort);
      }
    }
  });
}
for (const sample of document.querySelectorAll(".sample")) {
  const check = (m, k) => {
    const on = [...sample.querySelectorAll(".flip figure")].filter(i => getComputedStyle(i).display !== "none");
    const there = [...sample.querySelectorAll(".flip figure")].find(i => i.dataset.m === m && i.dataset.k === k);
    if (there ? on.length !== 1 || on[0] !== there || !on[0].querySelector("img").naturalWidth : on.length) wrong.push("shown at " + m + ", " + k + ": " + on.map(i => i.textContent));
    if (!(there ?? sample.querySelector(".none:not([hidden])")).textContent.startsWith(m + ", " + k)) wrong.push("caption at " + m + ", " + k);
    const pressed = [...sample.querySelectorAll('[aria-pressed="true"]')].map(b => b.textContent).join();
    if (pressed !== m + "," + k) wrong.push("pressed " + pressed);
  };
  const methods = [...sample.querySelectorAll("button[data-m]")], kinds = [...sample.querySelectorAll("button[data-k]")];
  for (const b of methods) for (const k of kinds) { b.click(); k.click(); count.flips++; check(b.dataset.m, k.dataset.k); }
  methods[0].click(); kinds[0].click();
  const key = name => methods[0].dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true }));
  for (let i = 1; i <= methods.length; i++) { key("ArrowRight"); count.keys++; check(methods[i % methods.length].dataset.m, kinds[0].dataset.k); }
  key("ArrowLeft"); key("ArrowDown"); count.keys++;
  check(methods[methods.length - 1].dataset.m, kinds[1 % kinds.length].dataset.k);
}
for (const i of document.images) if (!i.naturalWidth && i.loading !== "lazy") wrong.push("broken " + i.alt);
document.getElementById("outcome").textContent = JSON.stringify({ wrong, count });
</script>`

// TestHTMLInABrowser sorts and flips in Chromium, from disk.
func TestHTMLInABrowser(t *testing.T) {
	p := plan{methods: 3, sets: 2, classes: 5, samples: 3}
	for name, page := range map[string]string{
		"plain":   htmlOf(t, withPanels(t, rich(p), p)),
		"two":     htmlOf(t, two()...),
		"hostile": htmlOf(t, hostile(t)),
	} {
		t.Run(name, func(t *testing.T) {
			dom, console := open(t, strings.Replace(page, "</body>", exercise+"</body>", 1))
			if len(console) > 0 {
				t.Errorf("console:\n%s", strings.Join(console, "\n"))
			}
			_, rest, ok := strings.Cut(dom, `<pre id="outcome">`)
			outcome, _, _ := strings.Cut(rest, "</pre>")
			var got struct {
				Wrong []string
				Count struct{ Sorts, Flips, Keys int }
			}
			if err := json.Unmarshal([]byte(outcome), &got); !ok || err != nil {
				t.Fatalf("outcome %q: %v", outcome, err)
			}
			if len(got.Wrong) > 0 {
				t.Errorf("%d faults:\n%s", len(got.Wrong), strings.Join(got.Wrong[:min(9, len(got.Wrong))], "\n"))
			}
			t.Logf("tried %+v", got.Count)
			if got.Count.Sorts == 0 || name != "two" && (got.Count.Flips == 0 || got.Count.Keys == 0) {
				t.Errorf("little was tried: %+v", got.Count)
			}
		})
	}
	// That an error on a page would have been seen:
	if _, console := open(t, `<script>console.error("seen")</script>`); !strings.Contains(strings.Join(console, ""),
		"seen") {
		t.Errorf("an error on the console is not reported: %q", console)
	}
}
