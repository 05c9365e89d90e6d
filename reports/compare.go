package reports

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"ovbench/reports/plain"
	"ovbench/reports/results"
)

// ComparisonSchema names the format of compare.json.
const ComparisonSchema = "ovbench.compare/1"

// Comparison is what two sides scored on the same images, cell by cell. Differences are of B minus A; scores are
// fractions.
type Comparison struct {
	Schema string       `json:"schema"`
	A      ComparedSide `json:"a"`
	B      ComparedSide `json:"b"`
	// Unlike are the fields in which the sides differ: those that a comparison may be about (model, parameters), and
	// those that were let pass.
	Unlike []Unlike       `json:"unlike,omitempty"`
	Cells  []ComparedCell `json:"cells"`
	Level  float64        `json:"level"` // of the intervals
	Seed   uint64         `json:"seed"`  // of resamples and sign patterns
	Digits int            `json:"-"`     // decimals of percentages in tables; 0: two
}

// ComparedSide is one side of a comparison.
type ComparedSide struct {
	Run         string       `json:"run"` // its folder
	Suite       string       `json:"suite,omitempty"`
	Model       string       `json:"model,omitempty"`
	Backbone    string       `json:"backbone,omitempty"`
	Protocol    string       `json:"protocol,omitempty"`
	Fingerprint string       `json:"fingerprint,omitempty"` // of the protocol
	Label       string       `json:"-"`                     // what a reader calls it; empty: its folder
	Results     *results.Run `json:"-"`
}

// Unlike is a field in which two sides differ.
type Unlike struct {
	Field string `json:"field"` // "protocol.size", "voc21.queries"
	A     string `json:"a"`
	B     string `json:"b"`
}

func (u Unlike) String() string { return fmt.Sprintf("%s: %s and %s", u.Field, u.A, u.B) }

// ComparedCell is one score of one data set on both sides.
type ComparedCell struct {
	Dataset    string `json:"dataset"`
	Title      string `json:"title,omitempty"`
	Task       string `json:"task,omitempty"`
	Convention string `json:"convention,omitempty"`
	MethodA    string `json:"method_a"`
	MethodB    string `json:"method_b"`
	Score      string `json:"score"`
	NeedsA     string `json:"needs_a,omitempty"`
	NeedsB     string `json:"needs_b,omitempty"`  // CLIP, CLIP + DINO, …, trained
	OracleA    bool   `json:"oracle_a,omitempty"` // the truth of each picture said which classes competed
	OracleB    bool   `json:"oracle_b,omitempty"`
	Images     int    `json:"images"` // on both sides
	OnlyA      int    `json:"only_a,omitempty"`
	OnlyB      int    `json:"only_b,omitempty"` // images that one side lacks

	A          float64 `json:"value_a"`
	B          float64 `json:"value_b"`
	Difference float64 `json:"difference"`
	// Low and High bound the difference: both sides pooled anew over the same draws of the images. Nil where none is
	// defined.
	Low       *float64 `json:"low,omitempty"`
	High      *float64 `json:"high,omitempty"`
	Resamples int      `json:"resamples,omitempty"`

	Test     string   `json:"test,omitempty"` // sign-flip or McNemar
	Exact    bool     `json:"exact,omitempty"`
	P        *float64 `json:"p,omitempty"`          // nil for scores that single images do not have
	Adjusted *float64 `json:"p_adjusted,omitempty"` // over all cells with a p, after Holm
	// Images with a value on both sides: where B is higher, lower, equal; and the means of those values, which are
	// not the pooled score.
	Wins   int     `json:"wins"`
	Losses int     `json:"losses"`
	Ties   int     `json:"ties"`
	MeanA  float64 `json:"image_mean_a,omitempty"`
	MeanB  float64 `json:"image_mean_b,omitempty"`
	Events *Events `json:"events,omitempty"`

	Moved []MovedImage `json:"moved,omitempty"` // images that moved most, the farthest first
	Each  []MovedImage `json:"-"`               // all images with a value on both sides, in the order of the data set
}

// Events are hits and misses that both sides judged; an event is one class in one image.
type Events struct {
	Both    int     `json:"both"`
	OnlyA   int     `json:"only_a"`
	OnlyB   int     `json:"only_b"`
	Neither int     `json:"neither"`
	P       float64 `json:"p"` // McNemar's
}

// MovedImage is a score of one image on both sides.
type MovedImage struct {
	ID         string  `json:"id"`
	A          float64 `json:"a"`
	B          float64 `json:"b"`
	Difference float64 `json:"difference"`
}

// stars mark how small an adjusted p is.
func stars(p *float64) string {
	switch {
	case p == nil || *p >= 0.05:
		return ""
	case *p < 0.001:
		return "***"
	case *p < 0.01:
		return "**"
	}
	return "*"
}

// pText spells a p-value with three digits, and says less than where it is smaller than they show.
func pText(p *float64) string {
	switch {
	case p == nil:
		return missing
	case *p < 0.001:
		return "< 0.001"
	}
	return strconv.FormatFloat(*p, 'f', 3, 64)
}

// pWords is a p-value behind the letter.
func pWords(p *float64) string {
	if s := pText(p); s[0] == '<' {
		return s
	}
	return "= " + pText(p)
}

// methods names a cell's method, or both.
func (c *ComparedCell) methods() string {
	if c.MethodA == c.MethodB {
		return c.MethodA
	}
	return c.MethodA + " → " + c.MethodB
}

// title is the data set, marked where a side is an oracle's.
func (c *ComparedCell) title() string {
	return c.Dataset + columnKey{oracle: c.OracleA || c.OracleB}.mark()
}

// score is the name of a cell's score, with its convention where several cells differ in nothing else.
func (c *ComparedCell) score(all []ComparedCell) string {
	for i := range all {
		o := &all[i]
		if o.Dataset == c.Dataset && o.MethodA == c.MethodA && o.MethodB == c.MethodB && o.Score == c.Score &&
			o.Convention != c.Convention {
			return c.Convention + " " + c.Score
		}
	}
	return c.Score
}

// answer says of the first cell which side is higher, by how much, and whether that is told from chance.
func (c *Comparison) answer() string {
	if len(c.Cells) == 0 {
		return ""
	}
	x, digits := &c.Cells[0], cmp.Or(c.Digits, usualDigits)
	a, b, by := cmp.Or(c.A.Label, "A"), cmp.Or(c.B.Label, "B"), ""
	switch {
	case c.A.Run == c.B.Run:
		a, b = x.MethodA, x.MethodB
	case x.MethodA == x.MethodB:
		by = " by " + x.MethodA
	default:
		a, b = x.MethodA+" of "+a, x.MethodB+" of "+b
	}
	points := entry{value: &x.Difference, signed: true}.spelled(digits)
	if x.Low != nil {
		points += " points (" + entry{low: x.Low, high: x.High, signed: true}.spelled(digits) + ")"
	}
	s := fmt.Sprintf("%s on %s%s: %s has %s %%, %s has %s %%, a difference of %s", x.Score,
		cmp.Or(x.Title, x.Dataset), by, b, percentTo(x.B, digits), a, percentTo(x.A, digits), points)
	switch {
	case x.Adjusted == nil:
		return s + "."
	case *x.Adjusted < 0.05:
		return s + ", which the paired test of images tells from chance, p " + pWords(x.Adjusted) + "."
	}
	return s + ", which the paired test of images does not tell from chance, p " + pWords(x.Adjusted) + "."
}

// table is the comparison as one table.
func (c *Comparison) table() table {
	t := table{name: "compare", title: "Differences, B minus A", level: 2, keys: 3,
		left: map[int]bool{1: true, 2: true, 6: true},
		head: []string{"Data set", "Method", "Score", "A", "B", "B − A", "", "Interval", "p", "p, Holm", "Won",
			"Lost", "Tied", "Images"}}
	marked, tested, mcnemar := false, 0, false
	for i := range c.Cells {
		x := &c.Cells[i]
		d := entry{value: &x.Difference, signed: true}
		bounds := entry{text: missing}
		if x.Low != nil {
			bounds = entry{low: x.Low, high: x.High, signed: true}
		}
		star := stars(x.Adjusted)
		marked = marked || star != ""
		mcnemar = mcnemar || x.Test == "McNemar"
		won := texts(missing, missing, missing)
		if x.P != nil {
			tested++
			won = texts(strconv.Itoa(x.Wins), strconv.Itoa(x.Losses), strconv.Itoa(x.Ties))
		}
		line := append(texts(x.title(), x.methods(), x.score(c.Cells)), number(&x.A), number(&x.B), d,
			entry{text: star}, bounds)
		line = append(line, texts(pText(x.P), pText(x.Adjusted))...)
		t.rows = append(t.rows, append(append(line, won...), entry{text: strconv.Itoa(x.Images)}))
	}
	t.notes = append(c.reservations(), "Percent, and percent points. "+c.intervalNote())
	if tested > 0 {
		t.notes = append(t.notes, fmt.Sprintf("p is of the paired test of images (sign flips, exact up to 20 "+
			"images): were the sides alike, each image's difference could as well have the other sign. "+
			"Holm's adjustment is over all tests of this table: %d. Won, lost and tied count images where B is "+
			"higher, lower, equal.", tested))
		t.notes = append(t.notes, "A test of images judges the mean over images; the difference judges the "+
			"pooled score. They can disagree.")
	}
	if slices.ContainsFunc(c.Cells, func(x ComparedCell) bool { return lowIsGood(x.Score) }) {
		t.notes = append(t.notes, "Of deletion low is good: a negative difference is a gain, and an image that "+
			"is “won” is one where B is worse.")
	}
	if mcnemar {
		t.notes = append(t.notes, "For hits and misses p is McNemar's exact test; events of one image depend on "+
			"each other, so read it with the interval, which draws images.")
	}
	if marked {
		t.notes = append(t.notes, "* adjusted p < 0.05, ** < 0.01, *** < 0.001.")
	}
	t.round(cmp.Or(c.Digits, usualDigits))
	return t
}

// reservations say what a reader must know of the sides before the numbers: oracles, and what methods need where that
// is more than CLIP.
func (c *Comparison) reservations() []string {
	var needs []string
	oracle, more := "", false
	for i := range c.Cells {
		x := &c.Cells[i]
		for _, s := range [][2]string{{x.MethodA, x.NeedsA}, {x.MethodB, x.NeedsB}} {
			line := s[0] + " " + s[1]
			if s[1] == "" {
				continue
			}
			if more = more || s[1] != results.League(nil); !slices.Contains(needs, line) {
				needs = append(needs, line)
			}
		}
		switch {
		case x.OracleA && x.OracleB:
			oracle = "Both sides: " + results.OracleNote
		case oracle == "" && x.OracleA:
			oracle = "A: " + results.OracleNote
		case oracle == "" && x.OracleB:
			oracle = "B: " + results.OracleNote
		}
	}
	var out []string
	if oracle != "" {
		out = append(out, oracle)
	}
	if more {
		out = append(out, "Needs: "+strings.Join(needs, "; ")+".")
	}
	return out
}

func (c *Comparison) intervalNote() string {
	for _, x := range c.Cells {
		if x.Low != nil {
			return fmt.Sprintf("Intervals are of the difference, %s %%, by paired bootstrap (%d resamples of the "+
				"images, the same for both).",
				strconv.FormatFloat(100*c.Level, 'g', 4, 64), x.Resamples)
		}
	}
	return "No intervals."
}

// movedTable lists the images that moved most.
func (c *Comparison) movedTable() table {
	t := table{name: "moved", title: "Images that moved most", level: 2, keys: 4,
		left: map[int]bool{1: true, 2: true, 3: true},
		head: []string{"Data set", "Method", "Score", "Image", "A", "B", "B − A"}}
	for i := range c.Cells {
		x := &c.Cells[i]
		for j := range x.Moved {
			m := &x.Moved[j]
			t.rows = append(t.rows, append(texts(x.Dataset, x.methods(), x.score(c.Cells), m.ID), number(&m.A),
				number(&m.B), entry{value: &m.Difference, signed: true}))
		}
	}
	t.notes = []string{"Scores of single images, in percent."}
	t.round(cmp.Or(c.Digits, usualDigits))
	return t
}

// MovedIDs are the images that moved most, each once.
func (c *Comparison) MovedIDs() []string {
	var out []string
	for _, x := range c.Cells {
		for _, m := range x.Moved {
			if !slices.Contains(out, m.ID) {
				out = append(out, m.ID)
			}
		}
	}
	return out
}

// header says what is compared with what, and in what the sides differ.
func (c *Comparison) header() []string {
	side := func(name string, s ComparedSide) string {
		model := s.Model
		if s.Results != nil {
			model = s.Results.Model.Called()
		}
		suite := s.Suite
		if suite != "" {
			suite = "suite " + suite
		}
		return fmt.Sprintf("%s: %s", name, join([]string{cmp.Or(s.Label, s.Run), suite,
			"model " + cmp.Or(model, "unnamed"), s.Backbone, "protocol " + cmp.Or(s.Protocol, "unnamed")}, " · "))
	}
	lines := []string{side("A", c.A), side("B", c.B)}
	if c.A.Run == c.B.Run && len(c.Cells) > 0 {
		lines = []string{side("A and B", c.A)}
		if x := c.Cells[0]; x.MethodA != x.MethodB {
			lines = append(lines, "A: "+x.MethodA, "B: "+x.MethodB)
		}
	}
	for _, u := range c.Unlike {
		lines = append(lines, "unlike "+u.String())
	}
	for i := range c.Cells {
		if x := &c.Cells[i]; x.OnlyA+x.OnlyB > 0 {
			line := fmt.Sprintf("%s: compared on the %d images that both have; %d are in A alone, %d in B alone",
				x.Dataset, x.Images, x.OnlyA, x.OnlyB)
			if !slices.Contains(lines, line) {
				lines = append(lines, line)
			}
		}
	}
	return lines
}

// Terminal writes the comparison for reading, in tables of at most width columns (0: any). With color, differences
// that are told from chance are green or red.
func (c *Comparison) Terminal(w io.Writer, width int, color bool) error {
	p := &terminal{out: bufio.NewWriter(w), width: width, color: color}
	if p.width > 0 {
		p.width = max(p.width, minWidth)
	}
	for _, s := range c.header() {
		p.wrapped("", plain.Line(s))
	}
	p.line("")
	t := c.table()
	t.paint = func(row, column int) string {
		x := &c.Cells[row]
		switch {
		case column != 5 || stars(x.Adjusted) == "":
			return ""
		case x.Difference > 0 != lowIsGood(x.Score):
			return "32"
		}
		return "31"
	}
	p.table(t)
	for _, n := range t.notes {
		p.wrapped("", plain.Line(n))
	}
	if m := c.movedTable(); len(m.rows) > 0 {
		p.line("")
		p.line(p.paint("1", m.title))
		p.table(m)
	}
	return p.out.Flush()
}

// markdown writes the comparison as a document.
func (c *Comparison) markdown(w io.Writer) error {
	m := &markdown{out: bufio.NewWriter(w)}
	m.heading(1, "Comparison")
	for _, s := range c.header() {
		m.line("* %s", markdownText(s))
	}
	m.table(c.table())
	if t := c.movedTable(); len(t.rows) > 0 {
		m.table(t)
	}
	return m.out.Flush()
}

// JSON writes the comparison in full precision.
func (c *Comparison) JSON(w io.Writer) error {
	return indented(w, c)
}

// csv writes one line a cell, in full precision. Missing values are empty.
func (c *Comparison) csv(w io.Writer) error {
	out := plain.NewCSV(w)
	out.Write([]string{"dataset", "task", "convention", "method_a", "method_b", "score", "images", "value_a",
		"value_b", "difference", "low", "high", "level", "resamples",
		"test", "p", "p_adjusted", "wins", "losses", "ties", "needs_a", "needs_b", "oracle_a", "oracle_b"})
	for i := range c.Cells {
		x := &c.Cells[i]
		level, resamples := "", ""
		if x.Low != nil {
			level, resamples = full(&c.Level), strconv.Itoa(x.Resamples)
		}
		out.Write([]string{x.Dataset, x.Task, x.Convention, x.MethodA, x.MethodB, x.Score, strconv.Itoa(x.Images),
			full(&x.A), full(&x.B), full(&x.Difference), full(x.Low), full(x.High), level, resamples,
			x.Test, full(x.P), full(x.Adjusted), strconv.Itoa(x.Wins), strconv.Itoa(x.Losses), strconv.Itoa(x.Ties),
			x.NeedsA, x.NeedsB, strconv.FormatBool(x.OracleA), strconv.FormatBool(x.OracleB)})
	}
	out.Flush()
	return out.Error()
}

// imagesCSV writes one line for each image of each cell, in full precision.
func (c *Comparison) imagesCSV(w io.Writer) error {
	out := plain.NewCSV(w)
	out.Write([]string{"dataset", "convention", "method_a", "method_b", "score", "id", "a", "b", "difference"})
	for i := range c.Cells {
		x := &c.Cells[i]
		for _, m := range x.Each {
			out.Write([]string{x.Dataset, x.Convention, x.MethodA, x.MethodB, x.Score, m.ID, full(&m.A), full(&m.B),
				full(&m.Difference)})
		}
	}
	out.Flush()
	return out.Error()
}

// latex writes the tables for a paper.
func (c *Comparison) latex(w io.Writer) error {
	var b bytes.Buffer
	b.WriteString(latexPackages)
	t := c.table()
	t.latex(&b, len(t.rows) > latexRows)
	_, err := w.Write(b.Bytes())
	return err
}

// comparisonFiles are the files of a comparison, by their formats.
var comparisonFiles = []struct {
	format, name string
	write        func(*Comparison, io.Writer) error
}{
	{"md", "compare.md", (*Comparison).markdown}, {"json", "compare.json", (*Comparison).JSON},
	{"csv", "compare.csv", (*Comparison).csv}, {"csv", "images.csv", (*Comparison).imagesCSV},
	{"latex", "compare.tex", (*Comparison).latex}, {"html", "compare.html", (*Comparison).html},
}

// ComparisonFormats are the formats that [Comparison.Write] knows; png is the panels.
func ComparisonFormats() []string { return []string{"md", "json", "csv", "latex", "html", "png"} }

// Write puts the comparison into a folder, in the formats that are asked for; none: all. Panels are of the images that
// moved most, as far as the runs kept them. It returns the files.
func (c *Comparison) Write(dir string, formats ...string) ([]string, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	wanted := func(format string) bool { return len(formats) == 0 || slices.Contains(formats, format) }
	var paths []string
	for _, f := range comparisonFiles {
		if !wanted(f.format) {
			continue
		}
		var b bytes.Buffer
		if err := f.write(c, &b); err != nil {
			return paths, err
		}
		path := filepath.Join(dir, f.name)
		if err := results.WriteFile(path, b.Bytes()); err != nil {
			return paths, err
		}
		paths = append(paths, path)
	}
	if !wanted("png") {
		return paths, nil
	}
	panels, err := c.panels(dir)
	return append(paths, panels...), err
}

// html writes the comparison as a page, with the samples that moved most side by side for both.
func (c *Comparison) html(w io.Writer) error {
	d := &document{title: "Comparison", digits: cmp.Or(c.Digits, usualDigits), answer: c.answer()}
	d.add(heading{1, "Summary"})
	for _, s := range c.header() {
		d.add(paragraph{text: s})
	}
	t, m := c.table(), c.movedTable()
	d.table(t.title, t)
	d.table(m.title, m)
	var order []string
	samples := map[string][]sampleRef{}
	sides := c.moved()
	for _, r := range sides {
		for i := range r.Panels {
			p := &r.Panels[i]
			if samples[p.Dataset] == nil {
				order = append(order, p.Dataset)
			}
			k := slices.IndexFunc(samples[p.Dataset], func(x sampleRef) bool { return x.id == p.ID })
			if k < 0 {
				k, samples[p.Dataset] = len(samples[p.Dataset]), append(samples[p.Dataset], sampleRef{id: p.ID})
			}
			name := func(method string) string {
				if len(sides) > 1 {
					return method + " · " + r.Label
				}
				return method
			}
			samples[p.Dataset][k].kept = append(samples[p.Dataset][k].kept, keptPanel{r, p, name})
		}
	}
	for i, set := range order {
		if i == 0 {
			d.add(heading{1, "Samples"})
		}
		d.add(heading{2, set}, panelBlock{samples[set]})
	}
	var runs []*results.Run
	for _, s := range []ComparedSide{c.A, c.B} {
		if s.Results != nil {
			runs = append(runs, s.Results)
		}
	}
	return spellHTML(w, d, dateOf(runs).Format("2 January 2006"))
}

// moved are the runs of the comparison, one or two, with the methods compared and the images that moved most alone.
func (c *Comparison) moved() []*results.Run {
	moved, methods := map[[2]string]bool{}, [2]map[string]bool{{}, {}}
	for i := range c.Cells {
		x := &c.Cells[i]
		methods[0][x.MethodA], methods[1][x.MethodB] = true, true
		for _, m := range x.Moved {
			moved[[2]string{x.Dataset, m.ID}] = true
		}
	}
	sides := []ComparedSide{c.A, c.B}
	if c.A.Run == c.B.Run {
		sides = sides[:1]
		for m := range methods[1] {
			methods[0][m] = true
		}
	}
	var out []*results.Run
	for i, s := range sides {
		if s.Results == nil {
			continue
		}
		part := *s.Results
		part.Label = cmp.Or(s.Label, "AB"[i:i+1])
		part.Methods = slices.DeleteFunc(slices.Clone(part.Methods),
			func(m results.Method) bool { return !methods[i][m.Name] })
		part.Panels = slices.DeleteFunc(slices.Clone(part.Panels),
			func(p results.Panel) bool { return !moved[[2]string{p.Dataset, p.ID}] })
		out = append(out, &part)
	}
	return out
}

// panels draws the images that moved most, side by side for the methods compared, one sheet a side where the sides
// are two runs.
func (c *Comparison) panels(dir string) ([]string, error) {
	var paths []string
	for i, part := range c.moved() {
		for _, d := range part.Datasets {
			sheets, err := panelsOf(part, d.Name)
			if err != nil {
				return paths, err
			}
			for j, sheet := range sheets {
				path := filepath.Join(dir, fmt.Sprintf("moved-%s-%s-%d.png", slug(d.Name), "ab"[i:i+1], j+1))
				if err := WritePNG(path, sheet); err != nil {
					return paths, err
				}
				paths = append(paths, path)
			}
		}
	}
	return paths, nil
}

// Below are the cells whose difference, or with confident its lower bound, is less than limit (a fraction), as an
// error that names them; nil where there are none. Differences are judged as tables show them, in hundredths of a
// percent point, and those of scores of which low is good the other way round. A cell without an interval has no
// lower bound, and fails.
func (c *Comparison) Below(limit float64, confident bool) error {
	var faults []error
	for i := range c.Cells {
		x := &c.Cells[i]
		at := fmt.Sprintf("%s, %s, %s", x.Dataset, x.methods(), x.score(c.Cells))
		value, bound, what := x.Difference, x.Low, "the difference"
		if lowIsGood(x.Score) {
			value, bound, what = -value, x.High, "the difference, turned round because low is good,"
		}
		if confident {
			what = "the lower bound of " + what
			if bound == nil {
				faults = append(faults, fmt.Errorf("%s: there is no interval, so nothing says that the "+
					"difference is not below %+.4g", at, 100*limit))
				continue
			}
			if value = *bound; lowIsGood(x.Score) {
				value = -value
			}
		}
		if shown := math.Round(1e4*value) / 100; shown < 100*limit-1e-9 {
			faults = append(faults, fmt.Errorf("%s: %s is %+.4g percent points, below %+.4g", at, what, shown,
				100*limit))
		}
	}
	return errors.Join(faults...)
}
