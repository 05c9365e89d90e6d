package reports

import (
	"bufio"
	"fmt"
	"io"

	pretty "github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"ovbench/reports/results"
)

// Markdown writes runs (at least one) as a GitHub-flavoured document: the table
// of main scores, then every score and class, then the protocol, the model and
// whatever else is behind the numbers. Several runs are set side by side.
func Markdown(w io.Writer, runs []*results.Run) error {
	if err := some(runs); err != nil {
		return err
	}
	v := newView(runs)
	m := &markdown{out: bufio.NewWriter(w)}
	m.heading(1, v.title())
	for _, s := range v.notices() {
		m.line("> **Warning:** %s  ", markdownText(s))
	}
	m.section(2, "Scores", v.summary())
	for _, c := range v.columns {
		m.section(2, c.title, v.scores(c))
		m.section(3, c.title+", class by class", v.classes(c))
	}
	m.section(2, "Data sets", v.datasets())
	m.section(2, "Methods", v.methods())
	m.section(2, "Protocol", v.protocol())
	m.section(2, "Model", v.model())
	m.section(2, "Failures", v.failures())
	m.section(2, "Timing", v.timing())
	m.section(2, "Provenance", v.provenance())
	return m.out.Flush()
}

// some refuses an empty list.
func some(runs []*results.Run) error {
	if len(runs) == 0 {
		return fmt.Errorf("no runs to report; name at least one run folder")
	}
	return nil
}

type markdown struct{ out *bufio.Writer }

func (m *markdown) line(format string, args ...any) { fmt.Fprintf(m.out, format+"\n", args...) }

func (m *markdown) heading(level int, s string) {
	m.line("%.*s %s\n", level, "######", markdownText(s))
}

// section writes a heading, a table and its notes; nothing where the table has no rows.
func (m *markdown) section(level int, title string, t table) {
	if len(t.rows) == 0 {
		return
	}
	m.line("")
	m.heading(level, title)
	w := pretty.NewWriter()
	w.AppendHeader(cells(t.head, func(_ int, s string) string { return markdownText(s) }))
	for i, r := range t.rows {
		w.AppendRow(cells(r, func(c int, s string) string {
			if s = markdownText(s); t.best[[2]int{i, c}] {
				return "**" + s + "**"
			}
			return s
		}))
	}
	w.SetColumnConfigs(t.alignment())
	m.line("%s", w.RenderMarkdown())
	for _, n := range t.notes {
		m.line("\n%s", n)
	}
}

// cells is a row for go-pretty.
func cells(texts []string, spell func(column int, s string) string) pretty.Row {
	row := make(pretty.Row, len(texts))
	for i, s := range texts {
		row[i] = spell(i, s)
	}
	return row
}

// alignment puts numbers to the right.
func (t *table) alignment() []pretty.ColumnConfig {
	var out []pretty.ColumnConfig
	for c := range t.head {
		align := text.AlignRight
		if c == 0 || t.words {
			align = text.AlignLeft
		}
		out = append(out, pretty.ColumnConfig{Number: c + 1, Align: align, AlignHeader: align})
	}
	return out
}
