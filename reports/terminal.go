package reports

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"strings"

	pretty "github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

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
func Terminal(w io.Writer, runs []*results.Run, width int, color bool) error {
	if err := some(runs); err != nil {
		return err
	}
	v := newView(runs)
	p := &terminal{out: bufio.NewWriter(w), width: width, color: color}
	if p.width > 0 {
		p.width = max(p.width, minWidth)
	}
	for _, s := range p.wrap(v.title(), p.width) {
		p.line(p.paint("1", s))
	}
	for i, r := range runs {
		s := fmt.Sprintf("%s · protocol %s", cmp.Or(r.Model.Name, "unnamed model"), cmp.Or(protocolName(r), "unnamed"))
		if len(runs) > 1 {
			s = fmt.Sprintf("run %d: %s · %s", i+1, cmp.Or(r.Suite.Name, "unnamed"), s)
		}
		p.wrapped("", plain(s))
	}
	for _, b := range v.blocks() {
		t := b.summary()
		if len(b.columns) == 1 {
			t = b.withAllScores(t)
		}
		p.line("")
		if b.part != "" {
			p.wrapped("", plain(b.part))
		}
		p.table(t)
		for _, n := range t.notes {
			p.wrapped("", plain(n))
		}
	}
	for _, n := range v.notices() {
		p.wrapped("warning: ", plain(n))
	}
	return p.out.Flush()
}

// withAllScores widens the summary t of a single column by the other scores of its cells.
func (v *view) withAllScores(t table) table {
	c := v.columns[0]
	all := v.scores(c)
	t.head[1] = c.metric
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

// table writes t in as many blocks of columns as the width asks for; each begins with the names of the rows.
func (p *terminal) table(t table) {
	widths := make([]int, len(t.head))
	for c := range t.head {
		widths[c] = text.StringWidth(plain(t.head[c]))
		for _, r := range t.rows {
			widths[c] = max(widths[c], text.StringWidth(plain(r[c].text)))
		}
	}
	const gap = 2
	room := p.width
	if room > 0 {
		widths[0] = min(widths[0], max(maxMethod, room-gap-sum(widths[1:], gap)))
		widths[0] = min(widths[0], room/2)
		for c := range widths[1:] {
			widths[c+1] = min(widths[c+1], room-widths[0]-gap)
		}
	}
	for from := 1; from < len(t.head); {
		to, used := from, widths[0]
		for to < len(t.head) && (to == from || room <= 0 || used+gap+widths[to] <= room) {
			used += gap + widths[to]
			to++
		}
		p.block(t, widths, from, to)
		from = to
	}
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

// block writes the names and the columns [from, to) of t.
func (p *terminal) block(t table, widths []int, from, to int) {
	pick := func(of func(c int) (string, string)) pretty.Row {
		spell := func(c int) string {
			s, style := of(c)
			s = elideMiddle(plain(s), func(s string) bool { return text.StringWidth(s) <= widths[c] })
			if style != "" {
				s = p.paint(style, s)
			}
			return s
		}
		out := pretty.Row{spell(0)}
		for c := from; c < to; c++ {
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
	w.AppendHeader(pick(func(c int) (string, string) { return t.head[c], "1" }))
	for i, r := range t.rows {
		w.AppendRow(pick(func(c int) (string, string) {
			style := styles[r[c].rank]
			if t.paint != nil {
				style = cmp.Or(t.paint(i, c), style)
			}
			return r[c].text, style
		}))
	}
	columns := t.alignment()
	columns = append(columns[:1:1], columns[from:to]...)
	for i := range columns {
		columns[i].Number = i + 1
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
