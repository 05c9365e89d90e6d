package reports

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"ovbench/reports/plain"
	"ovbench/reports/results"
)

// Sizes of LaTeX tables, in characters of the size they are set in.
const (
	latexLine  = 102 // of a line of \footnotesize on A4 with 20 mm of margin, less the gaps
	latexSmall = 118 // of \scriptsize
	latexRows  = 40  // what a table on one page may have
	latexHead  = 8   // a heading is broken at this width, if its column is no wider
	latexWords = 46  // what a column of words takes before it is broken into lines
	latexLeast = 16  // what it may be pressed into
)

// latexPreamble is what the tables need, and a page for them.
const latexPreamble = `\documentclass[10pt]{article}
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\usepackage{textcomp}
\usepackage[a4paper,margin=20mm]{geometry}
\usepackage{array,booktabs,longtable}
\setlength{\LTcapwidth}{\textwidth}
\setlength{\tabcolsep}{4pt}
`

// latexPackages heads a table in a file of its own.
const latexPackages = "% \\usepackage[T1]{fontenc} \\usepackage[utf8]{inputenc} " +
	"\\usepackage{textcomp,array,booktabs,longtable}\n"

// writeLaTeX writes runs (at least one) as a document of booktabs tables that includes no other file. It compiles
// with pdflatex (twice, for the widths of long tables) and tectonic; fonts are those every TeX has, so letters beyond
// Latin-1 appear by their numbers.
func writeLaTeX(w io.Writer, v *view) error {
	var b bytes.Buffer
	b.WriteString(latexPreamble)
	fmt.Fprintf(&b, "\\title{%s}\n\\author{ovbench}\n\\date{}\n\\begin{document}\n\\maketitle\n",
		latexText(titleOf(v.runs), false))
	if notices := notices(v.runs); len(notices) > 0 {
		b.WriteString("\\section*{Warnings}\n\\begin{itemize}\n")
		for _, s := range notices {
			fmt.Fprintf(&b, "\\item %s\n", latexText(s, true))
		}
		b.WriteString("\\end{itemize}\n")
	}
	b.WriteString("\\listoftables\n\\clearpage\n")
	for _, t := range tablesOf(v) {
		b.WriteByte('\n')
		t.latex(&b, true)
	}
	b.WriteString("\\end{document}\n")
	_, err := w.Write(b.Bytes())
	return err
}

// latexFiles is the format latex: the document, and each table in a file of its own, for \input in a paper.
func latexFiles(v *view, dir string) ([]string, error) {
	paths, err := textFiles(textFile{"report.tex", writeLaTeX})(v, dir)
	if err != nil {
		return paths, err
	}
	folder := filepath.Join(dir, "tables")
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return paths, err
	}
	for _, t := range tablesOf(v) {
		var b bytes.Buffer
		b.WriteString(latexPackages)
		t.latex(&b, len(t.rows) > latexRows)
		path := filepath.Join(folder, t.name+".tex")
		if err := results.WriteFile(path, b.Bytes()); err != nil {
			return paths, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// latex writes the table: broken over pages where long, else a float. Columns that do not fit side by side continue
// below.
func (t *table) latex(b *bytes.Buffer, long bool) {
	size, parts := "\\footnotesize", t.latexParts(latexLine)
	if small := t.latexParts(latexSmall); len(small) < len(parts) {
		size, parts = "\\scriptsize\\setlength{\\tabcolsep}{2.5pt}", small
	}
	if !long {
		fmt.Fprintf(b, "\\begin{table}[htbp]\n\\centering\n\\caption%s\\label{tab:%s}\n%s\n", t.latexCaption(),
			t.name, size)
	} else {
		fmt.Fprintf(b, "{%s\n", size)
	}
	for i, columns := range parts {
		head := t.latexLine(columns, func(c int) string { return t.latexHead(c) })
		switch {
		case long && i == 0:
			fmt.Fprintf(b, "\\begin{longtable}{%s}\n\\caption%s\\label{tab:%s}\\\\\n", t.latexColumns(columns),
				t.latexCaption(), t.name)
		case long:
			fmt.Fprintf(b, "\\addtocounter{table}{-1}%% every longtable counts\n\\begin{longtable}{%s}\n",
				t.latexColumns(columns))
		default:
			if i > 0 {
				b.WriteString("\n\\medskip\n")
			}
			fmt.Fprintf(b, "\\begin{tabular}{%s}\n", t.latexColumns(columns))
		}
		fmt.Fprintf(b, "\\toprule\n%s\\midrule\n", head)
		if long {
			fmt.Fprintf(b, "\\endfirsthead\n\\toprule\n%s\\midrule\n\\endhead\n\\bottomrule\n\\endfoot\n", head)
		}
		for _, r := range t.rows {
			b.WriteString(t.latexLine(columns, func(c int) string { return r[c].latex(t.words) }))
		}
		if long {
			b.WriteString("\\end{longtable}\n")
		} else {
			b.WriteString("\\bottomrule\n\\end{tabular}\n")
		}
	}
	if long {
		b.WriteString("}\n")
	} else {
		b.WriteString("\\end{table}\n")
	}
}

// latexCaption is the arguments of \caption: the title for the list of tables, and the title with the notes.
func (t *table) latexCaption() string {
	title := latexText(t.title, false)
	parts := []string{title + "."}
	for _, n := range t.notes {
		parts = append(parts, latexText(n, true))
	}
	if t.ranked() {
		parts = append(parts, "\\textbf{Bold}: best of a "+t.ranks()+"; \\underline{underlined}: second.")
	}
	return "[" + title + "]{" + strings.Join(parts, " ") + "}"
}

func (t *table) latexLine(columns []int, spell func(c int) string) string {
	parts := make([]string, len(columns))
	for i, c := range columns {
		parts[i] = spell(c)
	}
	return strings.Join(parts, " & ") + " \\\\\n"
}

// latexHead is the heading of column c, in several lines where it is wider than its column.
func (t *table) latexHead(c int) string {
	lines := wrapWords(plain.Line(t.head[c]), max(latexHead, t.widest(c)))
	if len(lines) < 2 || t.isLeft(c) {
		return latexText(t.head[c], t.words)
	}
	for i, l := range lines {
		lines[i] = latexText(l, false)
	}
	return "\\shortstack[r]{" + strings.Join(lines, "\\\\") + "}"
}

// wrapWords breaks s into lines of about width characters: at spaces, and long words behind underscores, hyphens and
// the like.
func wrapWords(s string, width int) []string {
	var lines []string
	for word := range strings.FieldsSeq(s) {
		for i, part := range wordParts(word, max(width, 14)) {
			n := len(lines)
			switch {
			case n > 0 && i > 0 && latexLen(lines[n-1]+part) <= width:
				lines[n-1] += part
			case n > 0 && i == 0 && latexLen(lines[n-1]+part) < width:
				lines[n-1] += " " + part
			default:
				lines = append(lines, part)
			}
		}
	}
	return lines
}

// wordParts are the pieces of a word of more than width characters; other words are whole.
func wordParts(word string, width int) []string {
	if latexLen(word) <= width {
		return []string{word}
	}
	var parts []string
	n := 0
	part := ""
	for _, r := range word {
		part += string(r)
		if n += latexLen(string(r)); strings.ContainsRune("_-=/.", r) || n >= width {
			parts = append(parts, part)
			part, n = "", 0
		}
	}
	if part != "" {
		parts = append(parts, part)
	}
	return parts
}

// widest is the length of the longest entry of column c.
func (t *table) widest(c int) int {
	n := 1
	for _, r := range t.rows {
		wide := latexLen(plain.Line(r[c].text))
		if r[c].value != nil && r[c].low != nil {
			wide -= 2 // the interval is set smaller
		}
		n = max(n, wide)
	}
	return n
}

// latexWide are the widths of all columns in characters, and the width at which columns of words are broken into
// lines: as wide as lets all columns stand side by side.
func (t *table) latexWide() (wide []int, limit int) {
	for c := range t.head {
		n := t.widest(c)
		if t.isLeft(c) {
			n = max(n, latexLen(plain.Line(t.head[c])))
		} else {
			for _, l := range wrapWords(plain.Line(t.head[c]), max(latexHead, n)) {
				n = max(n, latexLen(l))
			}
		}
		wide = append(wide, n)
	}
	total := func(limit int) (sum int) {
		for c, n := range wide {
			if t.isLeft(c) {
				n = min(n, limit)
			}
			sum += n + 2
		}
		return sum
	}
	for limit = latexWords; limit > latexLeast && total(limit) > latexLine; limit-- {
	}
	if total(limit) > latexLine {
		limit = latexWords
	}
	for c := range wide {
		if t.isLeft(c) {
			wide[c] = min(wide[c], limit)
		}
	}
	return wide, limit
}

// latexParts are the columns that fit side by side into a line of that many characters; each part begins with the
// first.
func (t *table) latexParts(line int) [][]int {
	wide, _ := t.latexWide()
	var parts [][]int
	part, used := []int{0}, wide[0]
	for c := 1; c < len(t.head); c++ {
		if used+wide[c]+2 > line && len(part) > 1 {
			parts = append(parts, part)
			part, used = []int{0}, wide[0]
		}
		part, used = append(part, c), used+wide[c]+2
	}
	return append(parts, part)
}

// latexColumns is the argument of tabular: numbers to the right, words to the left and, where they are long, in lines.
func (t *table) latexColumns(columns []int) string {
	_, limit := t.latexWide()
	var b strings.Builder
	for _, c := range columns {
		switch {
		case !t.isLeft(c):
			b.WriteByte('r')
		case max(t.widest(c), latexLen(t.head[c])) > limit:
			fmt.Fprintf(&b, ">{\\raggedright\\arraybackslash}p{%d mm}", limit*4/3)
		default:
			b.WriteByte('l')
		}
	}
	return b.String()
}

// latex spells an entry; the digits that a rank marks are those of the value.
func (e entry) latex(words bool) string {
	switch {
	case e.value == nil && e.low != nil:
		low, high, _ := strings.Cut(e.text, " – ")
		return fmt.Sprintf("{[}%s, %s{]}", latexNumber(low), latexNumber(high))
	case e.value == nil:
		return latexText(e.text, words)
	}
	value, rest, _ := strings.Cut(strings.TrimSuffix(e.text, " "+e.star), " ± ")
	s := latexNumber(value)
	switch e.rank {
	case best:
		s = "\\textbf{" + s + "}"
	case second:
		s = "\\underline{" + s + "}"
	}
	if e.star != "" {
		s += "$^{" + e.star + "}$"
	}
	if rest != "" {
		s += " {\\scriptsize$\\pm$" + rest + "}"
	}
	return s
}

// latexNumber gives a negative number a minus sign in place of a hyphen.
func latexNumber(s string) string {
	if rest, ok := strings.CutPrefix(s, "-"); ok {
		return "$-$" + rest
	}
	return latexText(s, false)
}

// latexEscapes are the characters that mean something to TeX, or that its text fonts lack. A bracket or star after
// the end of a line would be taken for an argument.
var latexEscapes = map[rune]string{
	'\\': `\textbackslash{}`, '{': `\{`, '}': `\}`, '$': `\$`, '&': `\&`, '#': `\#`, '%': `\%`, '_': `\_`,
	'~': `\textasciitilde{}`, '^': `\textasciicircum{}`, '<': `\textless{}`, '>': `\textgreater{}`, '|': `\textbar{}`,
	'"': `\textquotedbl{}`, '`': `\textasciigrave{}`, '\'': `\textquotesingle{}`, '[': `{[}`, ']': `{]}`, '*': `{*}`,
	'-': `-{}`, ',': `,{}`, '–': `--`, '—': `---`, '±': `$\pm$`, '×': `$\times$`, '÷': `$\div$`, '−': `$-$`, '·': `\textperiodcentered{}`, '…': `\ldots{}`,
	'≥': `$\geq$`, '≤': `$\leq$`, '→': `$\to$`, 'Δ': `$\Delta$`, 'α': `$\alpha$`, 'β': `$\beta$`, 'λ': `$\lambda$`, 'σ': `$\sigma$`, 'τ': `$\tau$`,
	'‘': "`", '’': "'", '“': "``", '”': "''", '†': `\dag{}`, '‡': `\ddag{}`, '°': `\textdegree{}`, 'µ': `\textmu{}`, '§': `\S{}`,
}

// Breaks in long words.
const (
	longWord  = 24 // from this length on a word may be broken,
	shortPart = 8  // into parts no shorter, behind punctuation,
	mostPart  = 32 // or anywhere in parts that have none
)

// latexText makes s stand for itself in LaTeX. With breaks, long words (hashes, commands) may be broken; behind a
// letter that appears by its number, any may.
func latexText(s string, breaks bool) string {
	var b strings.Builder
	for i, word := range strings.Fields(plain.Line(s)) {
		if i > 0 {
			b.WriteByte(' ')
		}
		runes := []rune(word)
		part := 0
		for j, r := range runes {
			b.WriteString(latexRune(r, at(runes, j+1)))
			part++
			rest := len(runes) - j - 1
			long := breaks && len(runes) >= longWord && rest >= shortPart &&
				(part >= shortPart && strings.ContainsRune("/_.,=:-", r) || part == mostPart)
			if rest > 0 && (long || byNumber(r)) {
				b.WriteString("\\allowbreak{}")
				part = 0
			}
		}
	}
	return b.String()
}

func at(runes []rune, i int) rune {
	if i < len(runes) {
		return runes[i]
	}
	return 0
}

// latexRune spells r before next: two hyphens or commas in a row would become another character.
func latexRune(r, next rune) string {
	switch escape, ok := latexEscapes[r]; {
	case (r == '-' || r == ',') && r != next:
		return string(r)
	case ok:
		return escape
	case byNumber(r):
		return fmt.Sprintf("{\\scriptsize U+%04X}", r)
	}
	return string(r)
}

// byNumber reports whether a letter, which the fonts do not have, appears by its number.
func byNumber(r rune) bool {
	return latexEscapes[r] == "" && r >= utf8.RuneSelf && (r < 'À' || r > 'ÿ')
}

// latexLen is the length of s in characters, as wide as they come out: a number takes the room of seven.
func latexLen(s string) int {
	n := 0
	for _, r := range s {
		if n++; byNumber(r) {
			n += 6
		}
	}
	return n
}
