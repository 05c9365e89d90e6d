package reports

import (
	"fmt"
	"math"
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
		caption := s.captionOf(t)
		if i > 0 {
			caption = t.title + ", continued."
		}
		s.room(s.least(part, caption))
		s.y += 4
		s.y += s.caption(pageSide, textWidth, label, caption)
		s.grid(part)
	}
}

func (s *setter) captionOf(t table) string {
	return join([]string{t.title + ".", strings.Join(t.notes, " "), t.marks()}, " ")
}

// Rows of a table that stay together: all of a short one, the first of a long one.
const (
	shortTable = 12
	firstRows  = 4
)

// least is the room that a table wants to begin on a page: caption, head and the rows that stay together.
func (s *setter) least(t table, caption string) float64 {
	s.font(8, "")
	h := 4 + captionHeight(s.wrap("Table 100: "+caption, textWidth, 6))
	widths := s.widths(t)
	h += tableStep*float64(height(s.cells(texts(t.head...), widths, "B"))) + 12
	rows := t.rows
	if len(rows) > shortTable {
		rows = rows[:firstRows]
	}
	for _, r := range rows {
		h += tableStep * float64(height(s.cells(r, widths, "")))
	}
	return min(h, 360)
}

// split is a table in as many parts as it takes to fit its columns on a page, each with the first column. Tables of words
// stay whole: their texts can be wrapped.
func (s *setter) split(t table) []table {
	if t.words || len(t.head) < 2 {
		return []table{t}
	}
	widths := s.natural(t)
	ends := columnEnds(widths, len(widths))
	if even := columnEnds(widths, (len(widths)+len(ends)-2)/len(ends)); len(even) == len(ends) {
		ends = even
	}
	var out []table
	from := 1
	for _, to := range ends {
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

// columnEnds are the ends of the parts of a table, each of as many columns after the first as fit, and no more than most.
func columnEnds(widths []float64, most int) []int {
	var ends []int
	for from := 1; from < len(widths); {
		to, sum := from, widths[0]
		for to < len(widths) && to-from < most && (to == from || sum+tableGap+widths[to] <= textWidth) {
			sum += tableGap + widths[to]
			to++
		}
		ends = append(ends, to)
		from = to
	}
	return ends
}

// marks explains how places are marked.
func (t *table) marks() string {
	if t.ranked() {
		return "Bold: best of a column; underlined: second."
	}
	return ""
}

// natural is the width that each column would have at least: of its longest text, with bounds so that long names are wrapped.
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

// unbroken is the width at which no text in the rows of a column is wrapped, and with head none in its head.
func (s *setter) unbroken(t table, head bool) []float64 {
	out := make([]float64, len(t.head))
	s.font(tableSize, "B") // a number may be bold, too
	for c, h := range t.head {
		if head {
			out[c] = s.width(plain(h)) + 1
		}
		for _, r := range t.rows {
			out[c] = max(out[c], s.width(plain(r[c].text))+1)
		}
	}
	return out
}

// widths are those of the columns on the page. Too wide ones share the room; what is left over goes to those whose rows
// wrap, and then to those whose heads do.
func (s *setter) widths(t table) []float64 {
	room := textWidth - tableGap*float64(len(t.head)-1)
	out := fairWidths(s.natural(t), room)
	for _, head := range []bool{false, true} {
		left, more := room, s.unbroken(t, head)
		for c, w := range out {
			left -= w
			more[c] = max(0, more[c]-w)
		}
		for c, w := range fairWidths(more, max(left, 0)) {
			out[c] += w
		}
	}
	return out
}

// grid draws a table between rules, its head again on every page.
func (s *setter) grid(t table) {
	widths := s.widths(t)
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
	if sum(math.Inf(1)) <= room {
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
