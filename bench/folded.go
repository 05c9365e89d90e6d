package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode/utf8"
)

// printFolded prints lines whose columns are parted by tabs, as a table, folded to the width of w.
func printFolded(w io.Writer, lines []string) error {
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, l := range lines {
		fmt.Fprintln(table, l)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, width, _ := terminal(w)
	for l := range strings.Lines(b.String()) {
		fmt.Fprintln(w, folded(strings.TrimRight(l, " \n"), width))
	}
	return nil
}

// folded is a line in lines of at most width columns where words allow it, those after the first below its last column.
func folded(line string, width int) string {
	indent := len(line) - len(strings.TrimLeft(line, " ")) + 2
	if at := strings.LastIndex(line[:min(len(line), width/2)], "  "); at+2 > indent {
		indent = at + 2
	}
	var b strings.Builder
	column := 0
	for i, w := range strings.Split(line, " ") {
		n := utf8.RuneCountInString(w)
		switch {
		case i == 0:
		case column+1+n > width && column > indent:
			b.WriteString("\n" + strings.Repeat(" ", indent))
			column = indent
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(w)
		column += n
	}
	return b.String()
}
