package reports

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot/plotter"

	"ovbench/reports/draw"
	"ovbench/reports/pdf"
	"ovbench/reports/plain"
	"ovbench/reports/results"
)

// AuditSchema names the format of audit.json.
const AuditSchema = "ovbench.audit/1"

// Audit is what kept maps say of the choices behind scores: names of classes, thresholds, the way pixels are decided.
// Scores are mIoU, fractions.
type Audit struct {
	Schema  string       `json:"schema"`
	Entries []AuditEntry `json:"entries"`
	Gaps    []AuditGap   `json:"gaps,omitempty"`
	Level   float64      `json:"level"` // of the intervals

	Runs []*results.Run `json:"-"`
}

// AuditEntry is a method of a run on a data set, with one list of queries.
type AuditEntry struct {
	Run      string `json:"run"`     // its folder
	Dataset  string `json:"dataset"` // what the run calls it
	Set      string `json:"set"`     // which data set it is
	Title    string `json:"title"`
	Model    string `json:"model,omitempty"`
	Method   string `json:"method"`
	Needs    string `json:"needs"`
	Protocol string `json:"protocol"`
	QuerySet string `json:"query_set"`
	Queries  int    `json:"queries"`
	Images   int    `json:"images"`
	Missing  int    `json:"missing,omitempty"` // planned samples without maps
	// Recorded is the score of the run itself; Own that of the kept maps decided alike. They are one where the network saw
	// pictures whole and nothing was refined.
	Recorded *float64 `json:"recorded,omitempty"`
	// Exact says that the kept maps are those which the run decided by.
	Exact     bool          `json:"exact"`
	Refined   bool          `json:"refined,omitempty"` // the run refined its maps, which kept ones are not
	Threshold float64       `json:"threshold"`         // of the protocol on this data set
	Own       AuditScore    `json:"own"`
	Best      *AuditScore   `json:"best,omitempty"`  // of Curve, the first of equals
	Curve     []AuditScore  `json:"curve,omitempty"` // over thresholds; of data sets with background alone
	Decisions []AuditChange `json:"decisions,omitempty"`
}

// AuditScore is a score at a threshold.
type AuditScore struct {
	Threshold float64  `json:"threshold"`
	Value     float64  `json:"value"`
	Low       *float64 `json:"low,omitempty"`
	High      *float64 `json:"high,omitempty"`
}

// AuditChange is what another decision of the same pixels gains over the run's own, on the same images.
type AuditChange struct {
	Name       string   `json:"name"` // as the protocol spells it, such as aliases=lse
	Oracle     bool     `json:"oracle,omitempty"`
	Value      float64  `json:"value"`
	Difference float64  `json:"difference"`
	Low        *float64 `json:"low,omitempty"` // of the difference
	High       *float64 `json:"high,omitempty"`
}

// AuditGap is what a list of queries gains over the plain class names: the naming gap.
type AuditGap struct {
	Set      string `json:"set"`
	Title    string `json:"title"`
	Method   string `json:"method"`
	QuerySet string `json:"query_set"` // that is compared with plain
	Plain    int    `json:"plain"`     // entries
	Named    int    `json:"named"`
	Images   int    `json:"images"`
	// Own is at the thresholds of the protocol, Best at the best one of each list.
	Own  AuditChange  `json:"own"`
	Best *AuditChange `json:"best,omitempty"`
}

// name is an entry among others of its data set.
func (e *AuditEntry) name(all []AuditEntry) string {
	name := e.Method + ", " + e.QuerySet
	for i := range all {
		if o := &all[i]; o.Set == e.Set && o.Method == e.Method && o.QuerySet == e.QuerySet && o.Run != e.Run {
			return name + ", " + filepath.Base(e.Run)
		}
	}
	return name
}

func changed(c *AuditChange) []entry {
	if c == nil {
		return texts(missing, missing)
	}
	bounds := entry{text: missing}
	if c.Low != nil {
		bounds = entry{low: c.Low, high: c.High, signed: true}
	}
	return []entry{{value: &c.Difference, signed: true}, bounds}
}

// gapTable is the naming gap.
func (a *Audit) gapTable() table {
	t := table{name: "naming-gap", title: "Naming gap: a list of words against plain class names", level: 2, keys: 2,
		left: map[int]bool{1: true, 2: true},
		head: []string{"Data set", "Method", "Words", "Plain", "Named", "Gap", "Interval", "At best thresholds", "Interval",
			"Images"}}
	for i := range a.Gaps {
		g := &a.Gaps[i]
		plain, named := &a.Entries[g.Plain].Own.Value, &a.Entries[g.Named].Own.Value
		line := append(texts(shortSet(g.Set, g.Title), a.gapName(g), g.QuerySet), number(plain), number(named))
		line = append(append(line, changed(&g.Own)...), changed(g.Best)...)
		t.rows = append(t.rows, append(line, entry{text: strconv.Itoa(g.Images)}))
	}
	t.notes = []string{"mIoU in percent, and percent points: the same method, maps and pictures, other words for " +
		"the classes. " +
		"At best thresholds, each list has the threshold that suits it best on these very pictures, so that no " +
		"threshold that was " +
		"chosen for one of them decides."}
	return a.finished(t)
}

// curveTable is every entry with its best threshold.
func (a *Audit) curveTable() table {
	t := table{name: "thresholds", title: "Thresholds", level: 2, keys: 3, left: map[int]bool{1: true, 2: true, 3: true},
		head: []string{"Data set", "Method", "Needs", "Words", "Queries", "Recorded", "Decided again", "Threshold",
			"Best", "At",
			"Images"}}
	inexact, refined, lost := false, false, false
	for i := range a.Entries {
		e := &a.Entries[i]
		top, at := entry{text: missing}, missing
		if e.Best != nil {
			top, at = number(&e.Best.Value), threshold(e.Best.Threshold)
		}
		again := number(&e.Own.Value)
		if !e.Exact || e.Refined {
			again.star = "†"
		}
		inexact, refined, lost = inexact || !e.Exact, refined || e.Refined, lost || e.Missing > 0
		t.rows = append(t.rows, append(texts(shortSet(e.Set, e.Title), e.Method, e.Needs, e.QuerySet,
			strconv.Itoa(e.Queries)),
			number(e.Recorded), again, entry{text: threshold(e.Threshold)}, top, entry{text: at},
			entry{text: strconv.Itoa(e.Images)}))
	}
	t.notes = []string{"mIoU in percent. A best threshold is found on the pictures that it is scored on: it is a " +
		"bound, not a result."}
	if inexact {
		t.notes = append(t.notes, "† Kept maps of windows are stitched ones, read at the centres of patches: what is "+
			"decided from them "+
			"is near to what was recorded, not equal.")
	}
	if refined {
		t.notes = append(t.notes, "† The run refined what it decided; kept maps are not refined.")
	}
	if lost {
		t.notes = append(t.notes, "Some planned samples have no maps.")
	}
	return a.finished(t)
}

// decisionTable is what other decisions gain.
func (a *Audit) decisionTable() table {
	t := table{name: "decisions", title: "Other decisions of the same pixels", level: 2, keys: 3,
		left: map[int]bool{1: true, 2: true, 3: true},
		head: []string{"Data set", "Method", "Words", "Decision", "mIoU", "Difference", "Interval"}}
	oracle := false
	for i := range a.Entries {
		e := &a.Entries[i]
		for j := range e.Decisions {
			c := &e.Decisions[j]
			oracle = oracle || c.Oracle
			line := append(texts(shortSet(e.Set, e.Title), e.Method, e.QuerySet, c.Name+columnKey{oracle: c.Oracle}.mark()),
				number(&c.Value))
			t.rows = append(t.rows, append(line, changed(c)...))
		}
	}
	if oracle {
		t.notes = append(t.notes, results.OracleNote)
	}
	t.notes = append(t.notes, "Percent, and percent points over the run's own decision at its own threshold.")
	return a.finished(t)
}

// finished is a table with its numbers spelled, and the note on intervals.
func (a *Audit) finished(t table) table {
	if a.Level > 0 {
		t.notes = append(t.notes, fmt.Sprintf("Intervals are %s %% bootstrap intervals over the images, of differences "+
			"over the same draws "+
			"for both.", strconv.FormatFloat(100*a.Level, 'g', 4, 64)))
	}
	t.round(usualDigits)
	return t
}

// threshold spells one.
func threshold(x float64) string { return strconv.FormatFloat(x, 'g', 4, 64) }

func (a *Audit) tables() []table {
	return slices.DeleteFunc([]table{a.gapTable(), a.curveTable(), a.decisionTable()},
		func(t table) bool { return len(t.rows) == 0 })
}

// hints say what an audit could not show.
func (a *Audit) hints() (out []string) {
	if len(a.Gaps) == 0 {
		out = append(out, "No naming gap: no method has maps of one data set by plain class names and by other words. "+
			"A suite measures "+
			"both in one pass: datasets: [voc21, {name: voc21, id: voc21-plain, queries: plain}]")
	}
	if !slices.ContainsFunc(a.Entries, func(e AuditEntry) bool { return e.Curve != nil }) {
		out = append(out, "No threshold curve: a threshold makes background, which these data sets do not have.")
	}
	return out
}

// figures are the naming gap and the threshold curves.
func (a *Audit) figures() []draw.Figure {
	var out []draw.Figure
	colours := map[string]int{}
	for i := range a.Entries {
		if _, ok := colours[a.Entries[i].Method]; !ok {
			colours[a.Entries[i].Method] = len(colours)
		}
	}
	out = append(out, a.gapFigures(maps.Clone(colours))...)
	type curve struct{ set, words string }
	var order []curve
	of := map[curve][]*AuditEntry{}
	for i := range a.Entries {
		e := &a.Entries[i]
		if e.Curve == nil {
			continue
		}
		k := curve{e.Set, e.QuerySet}
		if of[k] == nil {
			order = append(order, k)
		}
		of[k] = append(of[k], e)
	}
	taken := names{}
	for _, k := range order {
		entries := of[k][:min(len(of[k]), maxSeries)]
		l := &draw.LineChart{X: "threshold", Y: "mIoU (%)"}
		note := "Maps decided again at every threshold of the winner's probability."
		for _, e := range entries {
			line := draw.Line{Index: colours[e.Method], Name: e.Method}
			if len(of[k]) != len(colours) {
				line.Name = e.name(a.Entries)
			}
			for _, p := range e.Curve {
				line.XY = append(line.XY, plotter.XY{X: p.Threshold, Y: 100 * p.Value})
			}
			l.Lines = append(l.Lines, line)
		}
		note += fmt.Sprintf(" The protocol's own: %s.", threshold(entries[0].Threshold))
		if n := len(of[k]) - len(entries); n > 0 {
			note += fmt.Sprintf(" %d more are not drawn.", n)
		}
		title := fmt.Sprintf("Threshold curve: %s, words %s%s", of[k][0].Title, k.words, byModels(entries))
		out = append(out, l.Figure(taken.take("threshold-curve-"+slug(k.set)+"-"+slug(k.words)), title, note))
	}
	return out
}

// gapFigures draws the naming gap: a group for each data set and list of words, at the protocol's thresholds and at
// the best.
func (a *Audit) gapFigures(colours map[string]int) []draw.Figure {
	b := &draw.Bars{Label: "gap (points of mIoU)"}
	var of []*AuditEntry
	marks := map[[2]string]*draw.Mark{} // by method and title
	add := func(g *AuditGap, c *AuditChange, where string) {
		if c == nil {
			return
		}
		title := fmt.Sprintf("%s, %s: %s", shortSet(g.Set, g.Title), g.QuerySet, where)
		m := &draw.Mark{Value: c.Difference, Low: c.Difference, High: c.Difference}
		if c.Low != nil {
			m.Low, m.High = *c.Low, *c.High
		}
		name := a.gapName(g)
		marks[[2]string{name, title}] = m
		if !slices.Contains(b.Titles, title) {
			b.Titles = append(b.Titles, title)
		}
		if !slices.Contains(b.Names, name) {
			if _, ok := colours[name]; !ok {
				colours[name] = len(colours)
			}
			b.Names, b.Colors = append(b.Names, name), append(b.Colors, colours[name])
		}
	}
	for i := range a.Gaps {
		of = append(of, &a.Entries[a.Gaps[i].Named])
		add(&a.Gaps[i], &a.Gaps[i].Own, "own thresholds")
		add(&a.Gaps[i], a.Gaps[i].Best, "best thresholds")
	}
	if len(b.Names) == 0 {
		return nil
	}
	for _, name := range b.Names {
		var line []*draw.Mark
		for _, title := range b.Titles {
			line = append(line, marks[[2]string{name, title}])
		}
		b.Marks = append(b.Marks, line)
	}
	note := "What a list of words gains over plain class names, in points of mIoU."
	if a.Level > 0 {
		note += fmt.Sprintf(" Whiskers are %s %% bootstrap intervals.", strconv.FormatFloat(100*a.Level, 'g', 4, 64))
	}
	return b.Figures("naming-gap", "Naming gap"+byModels(of), note)
}

// byModels is ", by" the models of entries, or nothing.
func byModels(entries []*AuditEntry) string {
	var list []string
	for _, e := range entries {
		if model := plain.Line(e.Model); model != "" && !slices.Contains(list, model) {
			list = append(list, model)
		}
	}
	if len(list) == 0 {
		return ""
	}
	return ", by " + strings.Join(list, ", ")
}

// gapName is the method of a gap, told apart from that of other runs.
func (a *Audit) gapName(g *AuditGap) string {
	name := g.Method
	for i := range a.Gaps {
		other, own := a.Entries[a.Gaps[i].Named].Run, a.Entries[g.Named].Run
		if o := &a.Gaps[i]; o.Set != g.Set || o.Method != g.Method || o.QuerySet != g.QuerySet || other == own {
			continue
		}
		if name = g.Method + ", " + filepath.Base(own); filepath.Base(other) == filepath.Base(own) {
			return g.Method + ", " + own
		}
	}
	return name
}

// shortSet is the field's name for a data set, or its title.
func shortSet(set, title string) string { return cmp.Or(shortTitles[set], title, set) }

// document is the audit in reading order.
func (a *Audit) document() *document {
	d := &document{title: "Audit: names, thresholds, decisions", digits: usualDigits, facts: factsTable(a.Runs)}
	d.add(heading{1, "What the choices behind the scores are worth"})
	d.add(paragraph{text: "Pixels are decided again from maps that runs kept, without a network."})
	for _, s := range a.hints() {
		d.add(paragraph{text: s, warn: true})
	}
	figures := a.figures()
	for _, t := range a.tables() {
		d.table(t.title, t)
		for _, f := range figures {
			if strings.HasPrefix(f.Name, map[string]string{"naming-gap": "naming-gap",
				"thresholds": "threshold-curve"}[t.name]) &&
				t.name != "decisions" {
				d.add(figureBlock{figure{Figure: f}})
			}
		}
	}
	return d
}

// Terminal writes the audit for reading, in tables of at most width columns (0: any).
func (a *Audit) Terminal(w io.Writer, width int, color bool) error {
	p := &terminal{out: bufio.NewWriter(w), width: width, color: color}
	if p.width > 0 {
		p.width = max(p.width, minWidth)
	}
	for i, t := range a.tables() {
		if i > 0 {
			p.line("")
		}
		p.line(p.paint("1", t.title))
		p.table(t)
		for _, n := range t.notes {
			p.wrapped("", plain.Line(n))
		}
	}
	for _, s := range a.hints() {
		p.line("")
		p.wrapped("", plain.Line(s))
	}
	return p.out.Flush()
}

// JSON writes the audit in full precision.
func (a *Audit) JSON(w io.Writer) error {
	return indented(w, a)
}

func (a *Audit) markdown(w io.Writer) error {
	m := &markdown{out: bufio.NewWriter(w)}
	m.heading(1, "Audit")
	for _, t := range a.tables() {
		m.table(t)
	}
	for _, s := range a.hints() {
		m.line("%s\n", markdownText(s))
	}
	return m.out.Flush()
}

// csv writes one line for every score, in full precision.
func (a *Audit) csv(w io.Writer) error {
	out := plain.NewCSV(w)
	out.Write([]string{"run", "dataset", "set", "method", "needs", "query_set", "decision", "threshold", "value",
		"low", "high",
		"oracle"})
	for i := range a.Entries {
		e := &a.Entries[i]
		line := func(decision, at string, value, low, high *float64, oracle bool) {
			out.Write([]string{e.Run, e.Dataset, e.Set, e.Method, e.Needs, e.QuerySet, decision, at, full(value), full(low),
				full(high), strconv.FormatBool(oracle)})
		}
		line("own", threshold(e.Own.Threshold), &e.Own.Value, e.Own.Low, e.Own.High, false)
		for j := range e.Curve {
			p := &e.Curve[j]
			line("threshold", threshold(p.Threshold), &p.Value, p.Low, p.High, false)
		}
		for j := range e.Decisions {
			c := &e.Decisions[j]
			line(c.Name, threshold(e.Own.Threshold), &c.Value, nil, nil, c.Oracle)
		}
	}
	out.Flush()
	return out.Error()
}

func (a *Audit) latex(w io.Writer) error {
	var b bytes.Buffer
	b.WriteString(latexPackages)
	for _, t := range a.tables() {
		t.latex(&b, len(t.rows) > latexRows)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// AuditFormats are the formats that [Audit.Write] knows.
func AuditFormats() []string {
	return []string{"md", "json", "csv", "latex", "html", "pdf", "png", "svg", "pdf-figures"}
}

// Write puts the audit into a folder in the formats asked for, and returns the files.
func (a *Audit) Write(dir string, formats []string) (paths []string, err error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	date := dateOf(a.Runs)
	texts := map[string]func(io.Writer) error{
		"md": a.markdown, "json": a.JSON, "csv": a.csv, "latex": a.latex,
		"html": func(w io.Writer) error { return spellHTML(w, a.document(), date.Format("2 January 2006")) },
		"pdf":  func(w io.Writer) error { return spellPDF(w, a.document(), date) },
	}
	drawn := map[string]func(f *draw.Figure) ([]byte, error){
		"png":         (*draw.Figure).PNG,
		"svg":         func(f *draw.Figure) ([]byte, error) { return f.SVG(), nil },
		"pdf-figures": func(f *draw.Figure) ([]byte, error) { return pdf.Figure(f, date) },
	}
	for _, format := range formats {
		var more []string
		if write, ok := texts[format]; ok {
			more, err = textFiles(textFile{"audit." + cmp.Or(map[string]string{"latex": "tex"}[format], format),
				func(w io.Writer, _ *view) error { return write(w) }})(nil, dir)
		} else {
			more, err = writeFigures(a.figures(), dir, cmp.Or(map[string]string{"pdf-figures": ".pdf"}[format], "."+format),
				drawn[format])
		}
		if paths = append(paths, more...); err != nil {
			return paths, err
		}
	}
	return paths, nil
}
