package reports

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	pretty "github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"ovbench/reports/draw"
	"ovbench/reports/plain"
	"ovbench/reports/results"
)

const (
	minWidth  = 40 // columns of a terminal
	maxMethod = 28 // of these for the name of a method, before the table is broken
)

// Terminal writes what one wants to see at the end of a run: every score if
// there is one data set, else the main score of each. A table wider than width
// columns (0: any; at least 40) continues below itself. With color the best score of a column is bold and
// warnings are yellow.
func Terminal(w io.Writer, runs []*results.Run, l Layout, width int, color bool) error {
	v, err := laidOut(runs, &l)
	if err != nil {
		return err
	}
	p := &terminal{out: bufio.NewWriter(w), width: width, color: color}
	if p.width > 0 {
		p.width = max(p.width, minWidth)
	}
	for _, s := range p.wrap(titleOf(v.runs), p.width) {
		p.line(p.paint("1", s))
	}
	for i, r := range runs {
		s := fmt.Sprintf("%s · protocol %s", cmp.Or(r.Model.Called(), "unnamed model"),
			cmp.Or(protocolName(r), "unnamed"))
		if len(runs) > 1 {
			s = fmt.Sprintf("run %d: %s · %s", i+1, cmp.Or(r.Suite.Name, "unnamed"), s)
		}
		p.wrapped("", plain.Line(s))
	}
	for _, b := range v.blocks() {
		t := summaryOf(b)
		if len(b.columns) == 1 {
			t = withAllScores(b, t)
		}
		p.line("")
		if b.part != "" {
			p.wrapped("", plain.Line(b.part))
		}
		p.noted(t)
		for _, t := range modelTables(b) {
			p.line("")
			p.wrapped("", plain.Line(t.title))
			p.noted(t)
		}
	}
	for _, n := range notices(v.runs) {
		p.wrapped("warning: ", plain.Line(n))
	}
	return p.out.Flush()
}

// noted writes t and its notes.
func (p *terminal) noted(t table) {
	p.table(t)
	for _, n := range t.notes {
		p.wrapped("", plain.Line(n))
	}
}

// withAllScores widens the summary t of a single column by the other scores of its cells.
func withAllScores(v *view, t table) table {
	c := v.columns[0]
	all := scoresOf(v, c)
	t.head[slices.Index(t.head, v.headOf(c))] = c.metric
	for j, name := range all.head {
		if j < 2 || name == c.metric || strings.HasSuffix(name, " interval") {
			continue
		}
		t.head = append(t.head, name)
		for i, r := range v.rows {
			t.rows[i] = append(t.rows[i], plainScore(v.cell(r, c).Score(name)))
		}
	}
	t.notes[0] = c.title + ", percent."
	t.notes = slices.DeleteFunc(t.notes, func(n string) bool { return slices.Contains(shortened(v.columns), n) })
	return t
}

// terminal writes lines of at most width columns, 0 for any.
type terminal struct {
	out   *bufio.Writer
	width int
	color bool
}

func (p *terminal) line(s string) { fmt.Fprintln(p.out, s) }

// paint sets s in an ANSI style.
func (p *terminal) paint(style, s string) string {
	if !p.color || s == "" {
		return s
	}
	return "\x1b[" + style + "m" + s + "\x1b[0m"
}

// wrap breaks s, preferably at spaces, into lines of at most width columns.
func (p *terminal) wrap(s string, width int) []string {
	if p.width > 0 {
		s = text.WrapSoft(s, width)
	}
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return lines
}

// wrapped writes s with label in front of its first line and blanks before the others.
func (p *terminal) wrapped(label, s string) {
	indent := strings.Repeat(" ", len(label))
	for i, line := range p.wrap(s, p.width-len(label)) {
		if i == 0 {
			p.line(p.paint("33", label) + line)
		} else {
			p.line(indent + line)
		}
	}
}

// table writes t in as many blocks of columns as the width asks for; each begins with the columns that name the rows.
// Heads take several lines where the table would be too wide.
func (p *terminal) table(t table) {
	const gap = 2
	keys, room := max(1, t.keys), p.width
	widths := p.widths(t, false)
	if room > 0 && sum(widths, gap) > room {
		widths = p.widths(t, true)
		names, most := widths[:keys], room*7/10
		if keys == 1 {
			most = min(room/2, max(maxMethod, room-gap-sum(widths[1:], gap)))
		}
		for sum(names, gap) > most {
			names[slices.Index(names, slices.Max(names))]--
		}
		for c := range widths[keys:] {
			widths[keys+c] = min(widths[keys+c], room-gap-sum(names, gap))
		}
	}
	for from := keys; from < len(t.head); {
		to, used := from, sum(widths[:keys], gap)
		for to < len(t.head) && (to == from || room <= 0 || used+gap+widths[to] <= room) {
			used += gap + widths[to]
			to++
		}
		p.block(t, keys, widths, from, to)
		from = to
	}
}

// widths are those of the longest texts of the columns; of heads, where they are broken, those of their lines.
func (p *terminal) widths(t table, broken bool) []int {
	widths := make([]int, len(t.head))
	for c, h := range t.head {
		h = plain.Line(h)
		for _, r := range t.rows {
			widths[c] = max(widths[c], text.StringWidth(plain.Line(r[c].text)))
		}
		whole := text.StringWidth(h)
		for broken && widths[c] < whole && !fitsHead(h, widths[c]) {
			widths[c]++
		}
		if !broken {
			widths[c] = max(widths[c], whole)
		}
	}
	return widths
}

// headLines is the most lines that a head takes.
const headLines = 4

// fitsHead reports whether a head of that width is broken between words alone, into few lines.
func fitsHead(head string, width int) bool {
	for _, word := range strings.Fields(head) {
		if text.StringWidth(word) > width {
			return false
		}
	}
	return strings.Count(text.WrapSoft(head, width), "\n") < headLines
}

func sum(widths []int, gap int) int {
	n := 0
	for _, w := range widths {
		n += w + gap
	}
	return n - gap
}

// styles of the ranks: bold for the best, underlined for the second.
var styles = map[rank]string{best: "1", second: "4"}

// block writes the columns before keys, which name the rows, and the columns [from, to) of t.
func (p *terminal) block(t table, keys int, widths []int, from, to int) {
	shown := make([]int, 0, keys+to-from)
	for c := range len(t.head) {
		if c < keys || c >= from && c < to {
			shown = append(shown, c)
		}
	}
	pick := func(of func(c int) (string, string)) pretty.Row {
		spell := func(c int) string {
			s, style := of(c)
			s = draw.Elide(plain.Line(s), func(s string) bool { return text.StringWidth(s) <= widths[c] })
			if style != "" {
				s = p.paint(style, s)
			}
			return s
		}
		var out pretty.Row
		for _, c := range shown {
			out = append(out, spell(c))
		}
		return out
	}
	w := pretty.NewWriter()
	style := pretty.StyleLight
	style.Options = pretty.Options{SeparateHeader: true}
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	style.Format.Header = text.FormatDefault
	w.SetStyle(style)
	var head pretty.Row
	for _, c := range shown {
		head = append(head, p.head(plain.Line(t.head[c]), widths[c]))
	}
	w.AppendHeader(head)
	for i, r := range t.rows {
		w.AppendRow(pick(func(c int) (string, string) {
			style := styles[r[c].rank]
			if t.paint != nil {
				style = cmp.Or(t.paint(i, c), style)
			}
			return r[c].text, style
		}))
	}
	all := t.alignment()
	columns := make([]pretty.ColumnConfig, len(shown))
	for i, c := range shown {
		columns[i] = all[c]
		columns[i].Number, columns[i].VAlignHeader = i+1, text.VAlignBottom
	}
	w.SetColumnConfigs(columns)
	for line := range strings.Lines(w.Render()) {
		line = strings.TrimRight(line, " \n")
		if strings.Trim(line, "─") == "" { // it runs under the padding of the last column too
			line = strings.TrimSuffix(line, "──")
		}
		p.line(line)
	}
	p.line("")
}

// head is a head in lines of at most width columns, in bold.
func (p *terminal) head(s string, width int) string {
	lines := []string{draw.Elide(s, func(s string) bool { return text.StringWidth(s) <= width })}
	if fitsHead(s, width) {
		lines = strings.Split(text.WrapSoft(s, width), "\n")
	}
	for i := range lines {
		lines[i] = p.paint("1", strings.TrimSpace(lines[i]))
	}
	return strings.Join(lines, "\n")
}
