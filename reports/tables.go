package reports

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"ovbench/reports/results"
)

// table is a grid that every format spells: the model between runs and documents. The first column names the rows.
type table struct {
	name   string // of a file or a label: lower-case ASCII letters, digits and dashes; unique in a report
	title  string
	level  int // of the heading: 2, or 3 for a part of the table before
	head   []string
	rows   [][]entry
	words  bool         // all columns hold words, not numbers
	left   map[int]bool // columns of words among numbers
	turned bool         // lines are ranked, not columns
	keys   int          // columns that together name a row; the first, where it is 0
	notes  []string     // what the reader needs to read it
	// tips say what columns are, where a page can show it to those who ask.
	tips map[int]string
	// paint is the ANSI style of an entry on a terminal with colours; nil or "" for that of its rank.
	paint func(row, column int) string
}

// entry is what stands at one place of a table: words, a number, a number with its interval, or an interval.
type entry struct {
	text      string   // all of it, in plain text; numbers are rounded here
	value     *float64 // behind the text, in full precision: a fraction; nil for words and counts
	low, high *float64 // bounds of the interval, both or none
	rank      rank
	signed    bool   // a difference, whose sign is always written
	star      string // how well it is told from another method's, behind the text
}

// spelled is what a number reads with so many decimals.
func (e entry) spelled(digits int) string {
	one := func(x float64) string {
		s := percentTo(x, digits)
		if e.signed && strings.Trim(s, "0.") != "" && s[0] != '-' {
			s = "+" + s
		}
		return s
	}
	switch {
	case e.value == nil && e.low == nil:
		return e.text
	case e.value == nil:
		return one(*e.low) + " – " + one(*e.high)
	case e.low == nil:
		return one(*e.value)
	}
	return one(*e.value) + " ± " + percentTo((*e.high-*e.low)/2, digits)
}

// round spells all numbers with so many decimals, and stars behind them.
func (t *table) round(digits int) {
	for _, line := range t.rows {
		for c := range line {
			e := &line[c]
			e.text = strings.TrimSpace(e.spelled(digits) + " " + e.star)
		}
	}
}

// rank is an entry's place in its column.
type rank uint8

const (
	unranked rank = iota
	best
	second
)

// missing stands where there is no number.
const missing = "–"

// texts are entries of words.
func texts(list ...string) []entry {
	out := make([]entry, len(list))
	for i, s := range list {
		out[i].text = s
	}
	return out
}

// number is a fraction in percent.
func number(x *float64) entry {
	if x == nil {
		return entry{text: missing}
	}
	e := entry{value: x}
	e.text = e.spelled(usualDigits)
	return e
}

// score is a score in percent, with half of its interval.
func score(s *results.Score) entry {
	if s == nil {
		return entry{text: missing}
	}
	c := number(&s.Value)
	if s.Low != nil && s.High != nil {
		c.low, c.high = s.Low, s.High
		c.text = c.spelled(usualDigits)
	}
	return c
}

// interval is that of a score alone, from its lower to its upper bound.
func interval(s *results.Score) entry {
	if s == nil || s.Low == nil || s.High == nil {
		return entry{text: missing}
	}
	e := entry{low: s.Low, high: s.High}
	e.text = e.spelled(usualDigits)
	return e
}

// tables are all tables of a report in the order of reading, those without rows left out.
func tablesOf(v *view) []table {
	var all []table
	add := func(level int, name, title string, t table) {
		t.level, t.name, t.title = level, name, title
		all = append(all, t)
	}
	blocks := v.blocks()
	for _, b := range blocks {
		add(2, b.file("scores"), b.heading("Scores"), summaryOf(b))
		for _, t := range modelTables(b) {
			add(3, t.name, b.heading(t.title), t)
		}
	}
	all = append(all, publishedTables(v)...)
	for _, b := range blocks {
		for _, c := range b.columns {
			name := b.file(c.key.dataset)
			add(2, name, b.heading(c.title), scoresOf(b, c))
			add(3, name+"-classes", b.heading(c.title+", class by class"), classesOf(b, c))
		}
	}
	add(2, "datasets", "Data sets", datasetsTable(v.runs))
	add(2, "methods", "Methods", methodsTable(v))
	add(2, "protocol", "Protocol", protocolTable(v.runs))
	add(2, "model", "Model", modelTable(v.runs))
	add(2, "failures", "Failures", failuresTable(v.runs))
	add(2, "timing", "Timing", timingTable(v.runs))
	add(2, "provenance", "Provenance", provenanceTable(v.runs))
	all = slices.DeleteFunc(all, func(t table) bool { return len(t.rows) == 0 })
	for i := range all {
		all[i].round(v.digits())
	}
	nameApart(all)
	return all
}

// nameApart makes names fit for files and labels, and unique.
func nameApart(all []table) {
	taken := map[string]bool{}
	for i := range all {
		base := strings.Trim(strings.ToLower(strings.NewReplacer(".", "-", "_", "-").Replace(slug(all[i].name))), "-")
		base = cmp.Or(base, "table")
		name := base
		for n := 2; taken[name]; n++ {
			name = fmt.Sprintf("%s-%d", base, n)
		}
		taken[name], all[i].name = true, name
	}
}

// summaryOf is the table of a paper: methods down, data sets across, the main score of each in percent, and the average
// of the line. What a method needs beyond CLIP has a column where rows differ in it.
func summaryOf(v *view) table {
	t := table{head: []string{"Method"}, left: map[int]bool{}}
	needs := v.needs()
	if needs != nil {
		t.head, t.left[1] = append(t.head, "Needs"), true
	}
	for _, c := range v.columns {
		t.head = append(t.head, v.headOf(c))
	}
	averaged, why := averages(v)
	if averaged {
		t.head = append(t.head, "Average")
	}
	values := make([][]*results.Score, len(v.rows))
	holes, tested := false, false
	for i, r := range v.rows {
		line := texts(v.name(r))
		if needs != nil {
			line = append(line, entry{text: needs[r]})
		}
		for _, c := range v.columns {
			s := v.cell(r, c).Score(c.metric)
			values[i] = append(values[i], s)
			e := score(s)
			star, is := v.layout.Tests.star(r.run, v.cell(r, c), c.metric)
			e.star, tested = star, tested || is
			line = append(line, e)
		}
		if averaged {
			mean := average(values[i])
			line = append(line, number(mean))
			holes = holes || mean == nil
		}
		t.rows = append(t.rows, line)
	}
	t.notes = append(marks(v.columns...), fmt.Sprintf("%s in percent.", metricsOf(v.columns)))
	t.notes = append(t.notes, intervals(values, halfInterval)...)
	for _, c := range v.columns {
		if note := thresholdNotes(v, c)[c.metric]; note != "" {
			t.notes = append(t.notes, note)
		}
	}
	if why != "" {
		t.notes = append(t.notes, "No average: "+why+".")
	}
	if holes {
		t.notes = append(t.notes, "A line has an average only where it has all cells.")
	}
	if tested {
		t.notes = append(t.notes, v.layout.Tests.note())
	}
	t.notes = append(t.notes, shortened(v.columns)...)
	t.notes = append(t.notes, v.computed()...)
	if v.comparable() {
		t.markBest(v.digits())
	}
	if t.round(v.digits()); v.layout.Transposed {
		t = t.transposed()
	}
	return t
}

// halfInterval explains the numbers behind ±.
const halfInterval = "± is half of the %s %% bootstrap interval (%d resamples of the images)."

// transposed has data sets down and methods across. Ranks stay with their numbers, so that they are of lines.
func (t table) transposed() table {
	out := table{head: []string{"Data set"}, notes: t.notes, turned: true}
	for _, line := range t.rows {
		out.head = append(out.head, line[0].text)
	}
	for c := 1; c < len(t.head); c++ {
		line := texts(t.head[c])
		for _, r := range t.rows {
			line = append(line, r[c])
		}
		out.rows = append(out.rows, line)
	}
	return out
}

// averages reports whether the columns have one metric, task and convention, so that their mean says something; else
// why not. A single column has no average, and needs no reason.
func averages(v *view) (ok bool, why string) {
	if len(v.columns) < 2 {
		return false, ""
	}
	for _, part := range []struct {
		what string
		of   func(column) string
	}{
		{"metric", func(c column) string { return c.metric }},
		{"task", func(c column) string { return c.key.task }},
		{"convention", func(c column) string { return c.key.convention }},
	} {
		var values []string
		for _, c := range v.columns {
			if s := cmp.Or(part.of(c), "none"); !slices.Contains(values, s) {
				values = append(values, s)
			}
		}
		if len(values) > 1 {
			return false, fmt.Sprintf("the data sets differ in %s (%s)", part.what, strings.Join(values, ", "))
		}
	}
	return true, ""
}

// average is the mean of a line of scores, nil where one is missing.
func average(line []*results.Score) *float64 {
	sum := 0.0
	for _, s := range line {
		if s == nil {
			return nil
		}
		sum += s.Value
	}
	sum /= float64(len(line))
	return &sum
}

// shortTitles are what tables of the field call their data sets.
var shortTitles = map[string]string{
	"voc21": "VOC21", "voc20": "VOC20", "context60": "Context60", "context59": "Context59", "coco_object": "Object",
	"coco_stuff": "Stuff", "cityscapes": "City", "ade20k": "ADE", "imagenet_s50": "ImageNet-S50", "camvid": "CamVid",
	"nuswide": "NUS-WIDE", "shapes": "Shapes", "shapes_pairs": "Coloured shapes",
}

// short is a column's title in a head: the field's name for the data set where that is shorter.
func (c column) short() string {
	title, ok := shortTitles[c.key.dataset]
	if !ok || !strings.HasPrefix(c.title, c.full) || len(title) >= len(c.full) {
		return c.title
	}
	return title + strings.TrimPrefix(c.title, c.full)
}

// shortened says which data sets stand behind short titles.
func shortened(columns []column) []string {
	var parts []string
	for _, c := range columns {
		title := shortTitles[c.key.dataset]
		if part := title + ": " + c.full; c.short() != c.title && !slices.Contains(parts, part) {
			parts = append(parts, part)
		}
	}
	if len(parts) == 0 {
		return nil
	}
	return []string{strings.Join(parts, "; ") + "."}
}

// shortOf is a column's short title without the task, where the heading of its block says it.
func (v *view) shortOf(c column) string {
	if task := " " + taskTitle(c.key.task); v.part != "" && c.key.task != "" {
		return strings.Replace(c.short(), task, "", 1)
	}
	return c.short()
}

// headOf is a column's heading in the table of main scores. It names the metric where columns differ in it.
func (v *view) headOf(c column) string {
	head := v.shortOf(c)
	if slices.ContainsFunc(v.columns, func(o column) bool { return o.metric != c.metric }) {
		head += " " + c.metric
	}
	return head
}

func metricsOf(columns []column) string {
	var names []string
	for _, c := range columns {
		if c.metric != "" && !slices.Contains(names, c.metric) {
			names = append(names, c.metric)
		}
	}
	return cmp.Or(strings.Join(names, ", "), "scores")
}

// intervals fills confidence and resamples into sentence, once for every kind of interval in use.
func intervals(values [][]*results.Score, sentence string) []string {
	var notes []string
	for _, line := range values {
		for _, s := range line {
			if s == nil || s.Low == nil {
				continue
			}
			note := fmt.Sprintf(sentence, strconv.FormatFloat(100*s.Level, 'g', 4, 64), s.Resamples)
			if !slices.Contains(notes, note) {
				notes = append(notes, note)
			}
		}
	}
	return notes
}

// markBest ranks the cells of each column with at least two numbers: best is the highest and what reads the same,
// second what follows, where there are three.
func (t *table) markBest(digits int) {
	percent := func(x float64) string { return percentTo(x, digits) }
	for c := 1; c < len(t.head); c++ {
		var values []float64
		for _, line := range t.rows {
			if x := line[c].value; x != nil {
				values = append(values, *x)
			}
		}
		if len(values) < 2 {
			continue
		}
		slices.SortFunc(values, func(a, b float64) int { return cmp.Compare(b, a) })
		first := percent(values[0])
		next := slices.IndexFunc(values, func(x float64) bool { return percent(x) != first })
		for i := range t.rows {
			x := &t.rows[i][c]
			switch {
			case x.value == nil:
			case percent(*x.value) == first:
				x.rank = best
			case next == 1 && len(values) > 2 && percent(*x.value) == percent(values[next]):
				x.rank = second
			}
		}
	}
}

// ranked reports whether anything is marked.
func (t *table) ranked() bool {
	return slices.ContainsFunc(t.rows, func(line []entry) bool {
		return slices.ContainsFunc(line, func(e entry) bool { return e.rank != unranked })
	})
}

// ranks is what entries are ranked within.
func (t *table) ranks() string {
	if t.turned {
		return "line"
	}
	return "column"
}

// marks explains how ranks are marked.
func (t *table) marks() string {
	if t.ranked() {
		return fmt.Sprintf("Bold: best of a %s; underlined: second.", t.ranks())
	}
	return ""
}

// headed reports whether the head of a table says anything; that of a single run's settings does not.
func (t *table) headed() bool {
	return slices.ContainsFunc(t.head, func(h string) bool { return h != "" && h != "value" })
}

// scores is every score of a column with its bounds.
func scoresOf(v *view, c column) table {
	var names []string
	bounded := map[string]bool{}
	for _, r := range v.rows {
		x := v.cell(r, c)
		if x == nil {
			continue
		}
		for _, s := range x.Scores {
			if !slices.Contains(names, s.Name) {
				names = append(names, s.Name)
			}
			bounded[s.Name] = bounded[s.Name] || s.Low != nil
		}
	}
	t := table{head: []string{"Method", "Images"}, notes: []string{"Percent; intervals from their lower to their " +
		"upper bound."}, tips: map[int]string{}}
	for _, n := range names {
		t.tips[len(t.head)] = v.layout.meaning(c.key.task, n)
		if t.head = append(t.head, n); bounded[n] {
			t.head = append(t.head, n+" interval")
		}
	}
	if !slices.ContainsFunc(names, func(n string) bool { return bounded[n] }) {
		t.notes = []string{"Percent."}
	}
	t.notes = append(marks(c), t.notes...)
	for _, r := range v.rows {
		x := v.cell(r, c)
		if x == nil {
			continue
		}
		line := texts(v.name(r), strconv.Itoa(x.Images))
		for _, n := range names {
			s := x.Score(n)
			if line = append(line, plainScore(s)); bounded[n] {
				line = append(line, interval(s))
			}
		}
		t.rows = append(t.rows, line)
	}
	thresholds := thresholdNotes(v, c)
	for _, n := range names {
		if thresholds[n] != "" {
			t.notes = append(t.notes, thresholds[n])
		}
	}
	return t
}

// plainScore is a score without its interval.
func plainScore(s *results.Score) entry {
	if s == nil {
		return entry{text: missing}
	}
	return number(&s.Value)
}

// measure is a score of a class.
type measure struct {
	name string
	of   func(*results.ClassScore) *float64
}

var measures = []measure{
	{"IoU", func(c *results.ClassScore) *float64 { return c.IoU }},
	{"Acc", func(c *results.ClassScore) *float64 { return c.Acc }},
	{"Precision", func(c *results.ClassScore) *float64 { return c.Precision }},
	{"Dice", func(c *results.ClassScore) *float64 { return c.Dice }},
	{"AP", func(c *results.ClassScore) *float64 { return c.AP }},
}

// classes is a column class by class: all measures of a single method, or the
// first measure there is (IoU, as a rule) of several.
func classesOf(v *view, c column) (t table) {
	var names []string
	var cells []*results.Cell
	for _, r := range v.rows {
		if x := v.cell(r, c); x != nil && len(x.Classes) > 0 {
			names, cells = append(names, v.name(r)), append(cells, x)
		}
	}
	defined := slices.DeleteFunc(slices.Clone(measures), func(m measure) bool {
		for _, x := range cells {
			for i := range x.Classes {
				if m.of(&x.Classes[i]) != nil {
					return false
				}
			}
		}
		return true
	})
	t = table{head: []string{"Class"}}
	defer func() { t.notes = append(marks(c), t.notes...) }()
	switch {
	case len(cells) == 0 || len(defined) == 0:
		return t
	case len(cells) == 1:
		for _, m := range defined {
			t.head = append(t.head, m.name)
		}
		// Behind measures of pixels stand pixels, behind those of rankings images.
		counts := func(s *results.ClassScore) []int64 { return []int64{s.Pixels, s.Predicted} }
		if defined[0].name == "AP" {
			counts = func(s *results.ClassScore) []int64 { return []int64{s.Images} }
			t.head, t.notes = append(t.head, "Images"), []string{"Percent; images that have the class."}
		} else {
			t.head, t.notes = append(t.head, "Pixels", "Predicted"), []string{"Percent; pixels of the truth and " +
				"given to the class."}
		}
		for i := range cells[0].Classes {
			s := &cells[0].Classes[i]
			line := texts(s.Class)
			for _, m := range defined {
				line = append(line, number(m.of(s)))
			}
			for _, n := range counts(s) {
				line = append(line, entry{text: strconv.FormatInt(n, 10)})
			}
			t.rows = append(t.rows, line)
		}
		return t
	}
	t.head = append(t.head, names...)
	t.notes = []string{defined[0].name + " in percent."}
	t.rows = byClass(cells, defined[0])
	return t
}

// byClass sets cells side by side, classes matched by name; the n-th class of a name matches the n-th.
func byClass(cells []*results.Cell, m measure) [][]entry {
	type key struct {
		name string
		nth  int
	}
	at := map[key]int{}
	var rows [][]entry
	for j, x := range cells {
		seen := map[string]int{}
		for i := range x.Classes {
			s := &x.Classes[i]
			seen[s.Class]++
			k := key{s.Class, seen[s.Class]}
			if _, ok := at[k]; !ok {
				at[k] = len(rows)
				rows = append(rows, append(texts(s.Class), slices.Repeat(texts(missing), len(cells))...))
			}
			rows[at[k]][j+1] = number(m.of(s))
		}
	}
	return rows
}

// lowIsGood reports whether a score is an error rather than a merit: the area under the curve of deletion (RISE),
// alone of all.
func lowIsGood(score string) bool { return score == "deletion" }
