package reports

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Measures of a table, in points.
const (
	tableSize = 7.5
	tableStep = 9.6
	tableGap  = 9 // between columns
	maxCell   = 14
)

func (s *setter) table(t table) {
	s.tables++
	label := fmt.Sprintf("Table %d", s.tables)
	for i, part := range s.split(t) {
		caption := join([]string{t.title + ".", strings.Join(t.notes, " "), t.marks()}, " ")
		if i > 0 {
			caption = t.title + ", continued."
		}
		s.room(70)
		s.y += 4
		s.y += s.caption(pageSide, textWidth, label, caption)
		s.grid(part)
	}
}

// split is a table in as many parts as it takes to fit its columns on a page, each with the first column. Tables of words
// stay whole: their texts can be wrapped.
func (s *setter) split(t table) []table {
	if t.words {
		return []table{t}
	}
	widths := s.natural(t)
	var out []table
	for from := 1; from < len(widths); {
		to, sum := from, widths[0]
		for to < len(widths) && (to == from || sum+tableGap+widths[to] <= textWidth) {
			sum += tableGap + widths[to]
			to++
		}
		part := table{head: append([]string{t.head[0]}, t.head[from:to]...), left: map[int]bool{}}
		for _, r := range t.rows {
			part.rows = append(part.rows, append([]entry{r[0]}, r[from:to]...))
		}
		for c := from; c < to; c++ {
			part.left[c-from+1] = t.left[c]
		}
		out = append(out, part)
		from = to
	}
	return out
}

// marks explains how places are marked.
func (t *table) marks() string {
	if t.ranked() {
		return "Bold: best of a column; underlined: second."
	}
	return ""
}

// natural is the width that each column would have: of its longest text, with bounds so that long names are wrapped.
func (s *setter) natural(t table) []float64 {
	s.font(tableSize, "B")
	out := make([]float64, len(t.head))
	for c := range t.head {
		most := 160.0
		if t.words {
			most = textWidth
		}
		for _, w := range strings.Fields(t.head[c]) {
			out[c] = max(out[c], min(s.width(w), 72))
		}
		if t.words {
			out[c] = max(out[c], s.width(plain(t.head[c])))
		}
		for _, r := range t.rows {
			out[c] = max(out[c], min(s.width(plain(r[c].text)), most))
		}
		out[c] = min(out[c]+1, most)
	}
	return out
}

// grid draws a table between rules, its head again on every page. Columns too wide together share the room.
func (s *setter) grid(t table) {
	widths := fairWidths(s.natural(t), textWidth-tableGap*float64(len(t.head)-1))
	total := tableGap * float64(len(widths)-1)
	for _, w := range widths {
		total += w
	}
	s.font(tableSize, "B")
	head := s.cells(texts(t.head...), widths, "B")
	headed := t.headed()
	begin := func() {
		s.rule(pageSide, pageSide+total, s.y, 0.9)
		s.y += 2
		if headed {
			s.row(t, head, widths, func(int) rank { return best })
			s.rule(pageSide, pageSide+total, s.y, 0.5)
			s.y += 2
		}
	}
	s.room(float64(height(head)+2)*tableStep + 8)
	begin()
	for _, r := range t.rows {
		lines := s.cells(r, widths, "")
		if n := float64(height(lines)) * tableStep; s.y+n+4 > pageHeight-pageBottom && s.y > pageTop+60 {
			s.rule(pageSide, pageSide+total, s.y, 0.9)
			s.newPage()
			begin()
		}
		s.row(t, lines, widths, func(c int) rank { return r[c].rank })
	}
	s.rule(pageSide, pageSide+total, s.y, 0.9)
	s.y += 12
}

// headed reports whether the head of a table says anything; that of a single run's settings does not.
func (t *table) headed() bool {
	return slices.ContainsFunc(t.head, func(h string) bool { return h != "" && h != "value" })
}

// fairWidths gives every column what it needs, and where that is too much, no column more than those that are too wide share.
func fairWidths(natural []float64, room float64) []float64 {
	out := slices.Clone(natural)
	sum := func(limit float64) (x float64) {
		for _, w := range natural {
			x += min(w, limit)
		}
		return x
	}
	if sum(room) <= room {
		return out
	}
	low, high := 0.0, room
	for range 40 {
		if mid := (low + high) / 2; sum(mid) > room {
			high = mid
		} else {
			low = mid
		}
	}
	for c := range out {
		out[c] = min(out[c], low)
	}
	return out
}

// cells are the lines of each text of a row.
func (s *setter) cells(row []entry, widths []float64, style string) [][]string {
	s.font(tableSize, style)
	out := make([][]string, len(row))
	for c, e := range row {
		out[c] = s.wrap(e.text, widths[c], maxCell)
	}
	return out
}

func height(cells [][]string) int {
	n := 1
	for _, lines := range cells {
		n = max(n, len(lines))
	}
	return n
}

// row writes the lines of a row: words to the left, numbers to the right; the best of a column bold, the second underlined.
func (s *setter) row(t table, cells [][]string, widths []float64, place func(int) rank) {
	s.black()
	x := pageSide
	for c, lines := range cells {
		s.font(tableSize, "")
		if place(c) == best {
			s.font(tableSize, "B")
		}
		for i, line := range lines {
			at := x
			if c > 0 && !t.words && !t.left[c] {
				at = x + widths[c] - s.width(line)
			}
			y := s.y + 7.4 + float64(i)*tableStep
			s.text(at, y, line)
			if place(c) == second {
				s.rule(at, at+s.width(line), y+1.3, 0.4)
			}
		}
		x += widths[c] + tableGap
	}
	s.y += float64(height(cells)) * tableStep
}

// breakText breaks s at spaces into at most limit lines that fit, and longer words where they are full.
func breakText(s string, limit int, fits func(string) bool) []string {
	var words []string
	for _, w := range strings.Fields(plain(s)) {
		words = append(words, breakAnywhere(w, fits)...)
	}
	return fillLines(strings.Join(words, " "), limit, fits)
}

// breakAnywhere cuts s into pieces that fit, after punctuation where there is some in the second half of a piece.
func breakAnywhere(s string, fits func(string) bool) []string {
	runes := []rune(s)
	var out []string
	for len(runes) > 0 && !fits(string(runes)) {
		low, high := 1, len(runes)-1
		for low < high {
			if mid := (low + high + 1) / 2; fits(string(runes[:mid])) {
				low = mid
			} else {
				high = mid - 1
			}
		}
		cut := low
		for k := low; k > (low+1)/2; k-- {
			if r := runes[k-1]; unicode.IsSpace(r) || strings.ContainsRune("/_-.,;:=&", r) {
				cut = k
				break
			}
		}
		out = append(out, string(runes[:cut]))
		runes = runes[cut:]
	}
	return append(out, string(runes))
}

// splitLines are the printable lines of a text.
func splitLines(s string) []string {
	var out []string
	for line := range strings.SplitSeq(strings.TrimRight(s, "\n"), "\n") {
		line = strings.ReplaceAll(strings.TrimRight(line, "\r"), "\t", "    ")
		indent := len(line) - len(strings.TrimLeft(line, " "))
		out = append(out, strings.Repeat(" ", min(indent, 40))+plain(line))
	}
	return out
}
