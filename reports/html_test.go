package reports

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"html"
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
		all := tableOn(t, tables, d.Title)
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
	column := index(t, claimed.head, "VOC21")
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

// exercise sorts every table by every column, goes through all that the bar of the samples offers, and writes what it
// found wrong, and how much it tried, at the end of the page.
const exercise = `<pre id="outcome"></pre><script>
const wrong = [], count = { sorts: 0, views: 0, orders: 0, filters: 0 };
const number = c => c.dataset.v !== undefined ? +c.dataset.v :
  /^\d+(\.\d+)?$/.test(c.textContent) ? +c.textContent : null;
for (const table of document.querySelectorAll("table.sortable")) {
  const rows = table.tBodies[0].rows, size = rows.length, seen = new Set([...rows].map(r => r.textContent));
  [...table.tHead.rows[0].cells].forEach((th, column) => {
    for (const order of ["first", "second"]) {
      th.querySelector("button").click();
      count.sorts++;
      const sort = th.getAttribute("aria-sort"), marked = table.querySelectorAll("[aria-sort]").length;
      if (!["ascending", "descending"].includes(sort) ||
	marked !== 1) wrong.push("aria-sort " + sort + " of " + marked);
      if (rows.length !== size || [...rows].some(r => !seen.has(r.textContent))) wrong.push("rows were lost");
      const cells = [...rows].map(r => r.cells[column]), keys = cells.map(number);
      if (!keys.some(k => k !== null)) continue;
      if (order === "first" && sort !== "descending") wrong.push("numbers begin with the lowest");
      for (let i = 1; i < keys.length; i++) {
        const a = keys[i - 1], b = keys[i];
        if (a === null && b !== null) wrong.push("missing before " + b);
        if (a !== null && b !== null &&
	(sort === "ascending" ? a > b : a < b)) wrong.push(a + " before " + b + " " + sort);
      }
    }
  });
}
const form = document.querySelector("form.bar");
if (form) {
  const samples = () => [...document.querySelectorAll(".sample")], all = samples().length;
  const set = values => { for (const k in values) form.elements[k].value = values[k]; form.dispatchEvent(new Event("input")); };
  const seen = s => getComputedStyle(s).display !== "none";
  const options = k => [...form.elements[k].options].map(o => o.value);
  const iou = (s, m) => { const f = s.querySelector('figure[data-v][data-m="' + CSS.escape(m) +
	'"]'); return f ? +f.dataset.v : null; };
  for (const m of options("m")) for (const k of options("k")) {
    set({ m, k });
    count.views++;
    for (const s of samples()) {
      const there = [...s.querySelectorAll("figure[data-m]")], kinds = new Set(there.map(f => f.dataset.k));
      const want = there.filter(f => f.dataset.k === (kinds.has(k) ? k : [...kinds][0]) && (!m || f.dataset.m === m));
      const on = there.filter(seen);
      if (on.length !== want.length ||
	on.some(f => !want.includes(f))) wrong.push("shown at " + m + ", " + k + ": " + on.length);
      if (seen(s.querySelector(".none")) === want.length > 0) wrong.push("said to be none at " + m + ", " + k);
    }
  }
  for (const m of options("m").slice(1)) for (const order of options("s").slice(1)) {
    set({ m, s: order });
    count.orders++;
    for (const group of document.querySelectorAll(".samples")) {
      const keys = [...group.children].map(s => order.endsWith("iou") ? iou(s, m) :
        iou(s, m) === null || iou(s, options("b")[0]) === null ? null : iou(s, m) - iou(s, options("b")[0]));
      for (let i = 1; i < keys.length; i++) {
        if (keys[i - 1] === null && keys[i] !== null) wrong.push("no value before " + keys[i]);
        else if (keys[i] !== null &&
	(order[0] === "-" ? keys[i - 1] < keys[i] : keys[i - 1] > keys[i])) wrong.push(keys[i - 1] + " before " + keys[i] +
		" by " + order);
      }
    }
  }
  set({ s: "", m: options("m")[1] });
  for (const c of options("c").slice(1)) {
    set({ c });
    count.filters++;
    for (const s of samples()) if (seen(s) !== s.dataset.c.split("|").includes(c)) wrong.push("filtered by " + c);
  }
  set({ c: "", low: 30, high: 60 });
  for (const s of samples()) {
    const x = iou(s, options("m")[1]);
    if (seen(s) !== (x !== null && x >= 0.3 && x <= 0.6)) wrong.push("filtered by IoU " + x);
  }
  set({ low: 0, high: 100, m: "" });
  if (form.querySelector("output").textContent !== all + " of " + all + " samples" ||
	samples().length !== all) wrong.push("samples were lost");
}
for (const tip of document.querySelectorAll(".tip")) {
  tip.focus();
  const box = tip.querySelector("[role=tooltip]").getBoundingClientRect();
  if (!box.width || box.left < 0 ||
	box.right > innerWidth + 1) wrong.push("a tooltip from " + box.left + " to " + box.right);
}
for (const i of document.images) if (!i.naturalWidth && i.loading !== "lazy") wrong.push("broken " + i.alt);
const page = document.documentElement;
if (page.scrollWidth > innerWidth) wrong.push("the page is " + page.scrollWidth + " wide, the window " + innerWidth);
const chart = document.querySelector("figure.chart").getBoundingClientRect().top + scrollY;
const outcome = JSON.stringify({ wrong, count, width: innerWidth, chart,
	paper: getComputedStyle(document.body).backgroundColor });
document.getElementById("outcome").textContent = outcome;
parent.postMessage(outcome, "*");
</script>`

// tried is what exercise found.
type tried struct {
	Wrong        []string
	Count        struct{ Sorts, Views, Orders, Filters int }
	Width, Chart float64
	Paper        string
}

// exercised opens a page as wide as a window or, in a frame, as wide as a phone.
func exercised(t *testing.T, page string, width int, args ...string) tried {
	t.Helper()
	dir := t.TempDir()
	outer := fmt.Sprintf(`<iframe src="page.html" style="width:%dpx;height:844px;border:0"></iframe><pre id="outcome"></pre>
<script>addEventListener("message", e => document.getElementById("outcome").textContent = e.data)</script>`, width)
	for name, text := range map[string]string{"page.html": strings.Replace(page, "</body>", exercise+"</body>", 1),
		"outer.html": outer} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	dom, log := drawtest.Browser(t, filepath.Join(dir, "outer.html"), append(args, "--enable-logging=stderr", "--v=0",
		"--window-size=1400,1000", "--virtual-time-budget=8000", "--dump-dom")...)
	for _, line := range log {
		if strings.Contains(line, "CONSOLE") {
			t.Errorf("console: %s", strings.TrimSpace(line))
		}
	}
	_, rest, _ := strings.Cut(dom, `<pre id="outcome">`)
	outcome, _, _ := strings.Cut(rest, "</pre>")
	var got tried
	if err := json.Unmarshal([]byte(html.UnescapeString(outcome)), &got); err != nil {
		t.Fatalf("outcome %q: %v", outcome, err)
	}
	return got
}

// TestHTMLInABrowser sorts, flips and filters in Chromium, from disk, at a desk and on a phone, by day and by night.
func TestHTMLInABrowser(t *testing.T) {
	p := plan{methods: 3, sets: 2, classes: 5, samples: 4}
	sampled := func() string { return htmlOf(t, withPanels(t, rich(p), p)) }
	wide := plan{methods: 3, sets: 1, classes: 20, samples: 2} // its matrices of confusions are
	for name, tt := range map[string]struct {
		page  func() string
		width int
		args  []string
		paper string
	}{
		"desk":    {sampled, 1280, nil, "rgb(255, 255, 255)"},
		"phone":   {sampled, 390, nil, "rgb(255, 255, 255)"},
		"night":   {sampled, 390, []string{"--blink-settings=preferredColorScheme=0"}, "rgb(22, 22, 22)"},
		"wide":    {func() string { return htmlOf(t, withPanels(t, rich(wide), wide)) }, 390, nil, "rgb(255, 255, 255)"},
		"two":     {func() string { return htmlOf(t, two()...) }, 1280, nil, "rgb(255, 255, 255)"},
		"hostile": {func() string { return htmlOf(t, hostile(t)) }, 390, nil, "rgb(255, 255, 255)"},
	} {
		t.Run(name, func(t *testing.T) {
			got := exercised(t, tt.page(), tt.width, tt.args...)
			if len(got.Wrong) > 0 {
				t.Errorf("%d faults:\n%s", len(got.Wrong), strings.Join(got.Wrong[:min(9, len(got.Wrong))], "\n"))
			}
			t.Logf("tried %+v", got)
			if got.Count.Sorts == 0 || name != "two" && (got.Count.Views == 0 || got.Count.Orders == 0 ||
				got.Count.Filters == 0) {
				t.Errorf("little was tried: %+v", got.Count)
			}
			if got.Width != float64(tt.width) || got.Paper != tt.paper {
				t.Errorf("%v wide on %s, want %d on %s", got.Width, got.Paper, tt.width, tt.paper)
			}
			if got.Chart > 744 && name != "hostile" {
				t.Errorf("the chart begins at %v pixels, a screen has 844", got.Chart)
			}
		})
	}
	// That an error on a page would have been seen:
	path := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(path, []byte(`<script>console.error("seen")</script>`), 0o666); err != nil {
		t.Fatal(err)
	}
	_, log := drawtest.Browser(t, path, "--enable-logging=stderr", "--v=0", "--dump-dom")
	if s := strings.Join(log, ""); !strings.Contains(s, "CONSOLE") || !strings.Contains(s, "seen") {
		t.Errorf("an error on the console is not reported: %q", s)
	}
}

// TestHTMLPrints: on paper every sample has the pictures of every method, tables are whole, and nothing asks to be
// clicked.
func TestHTMLPrints(t *testing.T) {
	p := plan{methods: 3, sets: 1, classes: 5, samples: 3}
	dir := t.TempDir()
	page, paper := filepath.Join(dir, "page.html"), filepath.Join(dir, "page.pdf")
	if err := os.WriteFile(page, []byte(htmlOf(t, withPanels(t, rich(p), p))), 0o666); err != nil {
		t.Fatal(err)
	}
	drawtest.Browser(t, page, "--virtual-time-budget=8000", "--no-pdf-header-footer", "--print-to-pdf="+paper)
	text := drawtest.Poppler(t, "pdftotext", "-layout", paper, "-")
	for _, want := range []string{"clip: mIoU", "clip_surgery: mIoU", "maskclip: mIoU", "% wrong",
		"How to measure again", "FWIoU"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not on paper", want)
		}
	}
	for _, bad := range []string{"best first", "side by side", "Contents", "↕"} {
		if strings.Contains(text, bad) {
			t.Errorf("%q is on paper", bad)
		}
	}
}

// TestLead: the images of all data sets are counted, and methods stand in one list.
func TestLead(t *testing.T) {
	for methods, want := range map[int]string{
		2: "read by clip and CLIP Surgery?",
		3: "read by clip, maskclip and CLIP Surgery?",
		6: "read by clip, maskclip, 3 more and CLIP Surgery?",
	} {
		r := invent(plan{methods: methods, sets: 2, classes: 2})
		r.Datasets[1].Title = r.Datasets[0].Title
		var text strings.Builder
		for _, s := range leadOf(newView([]*results.Run{r}, &Layout{})) {
			text.WriteString(s.text)
		}
		images := fmt.Sprintf("on %d images of", r.Datasets[0].Measured+r.Datasets[1].Measured)
		if s := text.String(); !strings.Contains(s, want) || !strings.Contains(s, images) {
			t.Errorf("%q lacks %q or %q", s, want, images)
		}
	}
}

// TestHTMLSaysWhatScoresAre: on their heads for who points, and below the table for who cannot.
func TestHTMLSaysWhatScoresAre(t *testing.T) {
	r := invent(plan{methods: 2, sets: 1, classes: 2})
	var b bytes.Buffer
	l := &Layout{Meaning: func(task, metric string) string { return task + " <" + metric + ">" }}
	if err := writeHTML(&b, newView([]*results.Run{r}, l)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`<th scope="col" class="n" title="segmentation &lt;aAcc&gt;">`,
		`<dt>aAcc</dt><dd>segmentation &lt;aAcc&gt;</dd>`, `mIoU<span role="tooltip">segmentation &lt;mIoU&gt;</span>`} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if page := htmlOf(t, r); strings.Contains(page, "What the scores are") {
		t.Error("the page explains scores that nobody explained")
	}
}
