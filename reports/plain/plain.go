// Package plain answers: how does a text of somebody else reach a reader and do nothing there?
//
// Names of methods, classes, images and files come from outside. A terminal would obey escape sequences in them, a
// spreadsheet would compute cells that begin with an equals sign. Everything that is printed goes through here; what
// else a format asks for (HTML, LaTeX, Markdown) is escaped where the format is spelled.
package plain

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line makes one printable line of s: no control characters that a terminal would obey, no directional overrides, no
// line breaks. What it replaces is seen as U+FFFD.
func Line(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		return printable(r)
	}, s))
}

// Lines is Line for a text of several lines, whose breaks, tabs and indents stay.
func Lines(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return r
		}
		return printable(r)
	}, s)
}

// Listing is the printable lines of a text that keeps its indents, without tabs.
func Listing(s string) []string {
	var out []string
	for line := range strings.SplitSeq(strings.TrimRight(s, "\n"), "\n") {
		line = strings.ReplaceAll(strings.TrimRight(line, "\r"), "\t", "    ")
		indent := len(line) - len(strings.TrimLeft(line, " "))
		out = append(out, strings.Repeat(" ", min(indent, 40))+Line(line))
	}
	return out
}

func printable(r rune) rune {
	if r == ' ' || unicode.IsPrint(r) && r != utf8.RuneError {
		return r
	}
	return utf8.RuneError
}

// CSV writes comma-separated values that a spreadsheet does not compute.
type CSV struct{ *csv.Writer }

// NewCSV is a CSV that writes to w.
func NewCSV(w io.Writer) CSV { return CSV{csv.NewWriter(w)} }

// Write writes a line. Texts that would be formulas get an apostrophe in front, which says that they are texts; numbers
// stay as they are.
func (c CSV) Write(line []string) error {
	out := make([]string, len(line))
	for i, s := range line {
		if out[i] = Lines(s); s != "" && strings.ContainsRune("=+-@\t\r\n", rune(s[0])) && !number(s) {
			out[i] = "'" + out[i]
		}
	}
	return c.Writer.Write(out)
}

func number(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil
}

// Writer passes texts on to To, for a terminal: of what a terminal would obey, line breaks and tabs alone come
// through. A write must not end inside of a letter.
type Writer struct{ To io.Writer }

// Write writes p in one piece. It counts p, not what became of it.
func (w Writer) Write(p []byte) (int, error) {
	if _, err := io.WriteString(w.To, Lines(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}
