package reports

import (
	"bufio"
	"fmt"
	"io"

	pretty "github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// writeMarkdown writes runs as a GitHub-flavoured document: the table
// of main scores, then every score and class, then the protocol, the model and
// whatever else is behind the numbers. Several runs are set side by side.
func writeMarkdown(w io.Writer, v *view) error {
	m := &markdown{out: bufio.NewWriter(w)}
	m.heading(1, titleOf(v.runs))
	for _, s := range notices(v.runs) {
		m.line("> **Warning:** %s  ", markdownText(s))
	}
	for _, t := range tablesOf(v) {
		m.table(t)
	}
	return m.out.Flush()
}

type markdown struct{ out *bufio.Writer }

func (m *markdown) line(format string, args ...any) { fmt.Fprintf(m.out, format+"\n", args...) }

func (m *markdown) heading(level int, s string) {
	m.line("%.*s %s\n", level, "######", markdownText(s))
}

// table writes a heading, a table and its notes: the best of a column bold, the second in italics.
func (m *markdown) table(t table) {
	m.line("")
	m.heading(t.level, t.title)
	w := pretty.NewWriter()
	w.AppendHeader(pretty.Row(anyOf(t.head, markdownText)))
	for _, r := range t.rows {
		w.AppendRow(pretty.Row(anyOf(r, markdownEntry)))
	}
	w.SetColumnConfigs(t.alignment())
	m.line("%s", w.RenderMarkdown())
	for _, n := range t.notes {
		m.line("\n%s", markdownText(n))
	}
	if t.ranked() {
		m.line("\n**Bold**: best of a %s; *italics*: second.", t.ranks())
	}
}

func markdownEntry(c entry) string {
	s := markdownText(c.text)
	switch c.rank {
	case best:
		return "**" + s + "**"
	case second:
		return "*" + s + "*"
	}
	return s
}

// anyOf is a row for go-pretty.
func anyOf[T any](list []T, spell func(T) string) []any {
	out := make([]any, len(list))
	for i, x := range list {
		out[i] = spell(x)
	}
	return out
}

// alignment puts numbers to the right.
func (t *table) alignment() []pretty.ColumnConfig {
	var out []pretty.ColumnConfig
	for c := range t.head {
		align := text.AlignRight
		if t.isLeft(c) {
			align = text.AlignLeft
		}
		out = append(out, pretty.ColumnConfig{Number: c + 1, Align: align, AlignHeader: align})
	}
	return out
}

// isLeft reports whether column c holds words.
func (t *table) isLeft(c int) bool { return c == 0 || t.words || t.left[c] }
