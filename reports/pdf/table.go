package pdf

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"ovbench/reports/plain"
)

// Measures of a table, in points.
const (
	tableSize = 7.5
	tableStep = 9.6
	tableGap  = 9 // between columns
	maxCell   = 14
)

// Table is a grid of texts. The first column names the rows; the others hold numbers, to the right, or words, to the
// left.
type Table struct {
	Title, Notes string
	Head         []string
	Rows         [][]Cell
	Words        bool         // all columns hold words
	Left         map[int]bool // columns of words among numbers
}

// Cell is what stands at one place of a table.
type Cell struct {
	Text             string
	Bold, Underlined bool
}

func (t *Table) headCells() []Cell {
	out := make([]Cell, len(t.Head))
	for c, h := range t.Head {
		out[c].Text = h
	}
	return out
}

func (w *writer) table(t Table) {
	w.tables++
	label := fmt.Sprintf("Table %d", w.tables)
	for i, part := range w.split(t) {
		caption := captionOf(t)
		if i > 0 {
			caption = t.Title + ", continued."
		}
		w.room(w.least(part, caption))
		w.y += 4
		w.y += w.caption(pageSide, textWidth, label, caption)
		w.grid(part)
	}
}

func captionOf(t Table) string { return strings.TrimSpace(t.Title + ". " + t.Notes) }

// Rows of a table that stay together: all of a short one, the first of a long one.
const (
	shortTable = 12
	firstRows  = 4
)

// least is the room that a table wants to begin on a page: caption, head and the rows that stay together.
func (w *writer) least(t Table, caption string) float64 {
	w.font(8, "")
	h := 4 + captionHeight(w.wrap("Table 100: "+caption, textWidth, 6))
	widths := w.widths(t)
	h += tableStep*float64(height(w.cells(t.headCells(), widths, "B"))) + 12
	rows := t.Rows
	if len(rows) > shortTable {
		rows = rows[:firstRows]
	}
	for _, r := range rows {
		h += tableStep * float64(height(w.cells(r, widths, "")))
	}
	return min(h, 360)
}

// split is a table in as many parts as it takes to fit its columns on a page, each with the first column. Tables of
// words stay whole: their texts can be wrapped.
func (w *writer) split(t Table) []Table {
	if t.Words || len(t.Head) < 2 {
		return []Table{t}
	}
	widths := w.natural(t)
	ends := columnEnds(widths, len(widths))
	if even := columnEnds(widths, (len(widths)+len(ends)-2)/len(ends)); len(even) == len(ends) {
		ends = even
	}
	var out []Table
	from := 1
	for _, to := range ends {
		part := Table{Head: append([]string{t.Head[0]}, t.Head[from:to]...), Left: map[int]bool{}}
		for _, r := range t.Rows {
			part.Rows = append(part.Rows, append([]Cell{r[0]}, r[from:to]...))
		}
		for c := from; c < to; c++ {
			part.Left[c-from+1] = t.Left[c]
		}
		out = append(out, part)
		from = to
	}
	return out
}

// columnEnds are the ends of the parts of a table, each of as many columns after the first as fit, and no more than
// most.
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

// natural is the width that each column would have at least: of its longest text, with bounds so that long names are
// wrapped.
func (w *writer) natural(t Table) []float64 {
	w.font(tableSize, "B")
	out := make([]float64, len(t.Head))
	for c := range t.Head {
		most := 160.0
		if t.Words {
			most = textWidth
		}
		for _, word := range strings.Fields(t.Head[c]) {
			out[c] = max(out[c], min(w.width(word), 72))
		}
		if t.Words {
			out[c] = max(out[c], w.width(plain.Line(t.Head[c])))
		}
		for _, r := range t.Rows {
			out[c] = max(out[c], min(w.width(plain.Line(r[c].Text)), most))
		}
		out[c] = min(out[c]+1, most)
	}
	return out
}

// unbroken is the width at which no text in the rows of a column is wrapped, and with head none in its head.
func (w *writer) unbroken(t Table, head bool) []float64 {
	out := make([]float64, len(t.Head))
	w.font(tableSize, "B") // a number may be bold, too
	for c, h := range t.Head {
		if head {
			out[c] = w.width(plain.Line(h)) + 1
		}
		for _, r := range t.Rows {
			out[c] = max(out[c], w.width(plain.Line(r[c].Text))+1)
		}
	}
	return out
}

// widths are those of the columns on the page. Too wide ones share the room; what is left over goes to those whose rows
// wrap, and then to those whose heads do.
func (w *writer) widths(t Table) []float64 {
	room := textWidth - tableGap*float64(len(t.Head)-1)
	out := fairWidths(w.natural(t), room)
	for _, head := range []bool{false, true} {
		left, more := room, w.unbroken(t, head)
		for c, wide := range out {
			left -= wide
			more[c] = max(0, more[c]-wide)
		}
		for c, more := range fairWidths(more, max(left, 0)) {
			out[c] += more
		}
	}
	return out
}

// grid draws a table between rules, its head again on every page.
func (w *writer) grid(t Table) {
	widths := w.widths(t)
	total := tableGap * float64(len(widths)-1)
	for _, w := range widths {
		total += w
	}
	w.font(tableSize, "B")
	head := w.cells(t.headCells(), widths, "B")
	headed := t.headed()
	begin := func() {
		w.rule(pageSide, pageSide+total, w.y, 0.9)
		w.y += 2
		if headed {
			w.row(t, head, widths, func(int) Cell { return Cell{Bold: true} })
			w.rule(pageSide, pageSide+total, w.y, 0.5)
			w.y += 2
		}
	}
	w.room(float64(height(head)+2)*tableStep + 8)
	begin()
	for _, r := range t.Rows {
		lines := w.cells(r, widths, "")
		if n := float64(height(lines)) * tableStep; w.y+n+4 > pageHeight-pageBottom && w.y > pageTop+60 {
			w.rule(pageSide, pageSide+total, w.y, 0.9)
			w.newPage()
			begin()
		}
		w.row(t, lines, widths, func(c int) Cell { return r[c] })
	}
	w.rule(pageSide, pageSide+total, w.y, 0.9)
	w.y += 12
}

// headed reports whether the head of a table says anything; that of a single run's settings does not.
func (t *Table) headed() bool {
	return slices.ContainsFunc(t.Head, func(h string) bool { return h != "" && h != "value" })
}

// fairWidths gives every column what it needs, and where that is too much, no column more than those that are too
// wide share.
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
func (w *writer) cells(row []Cell, widths []float64, style string) [][]string {
	w.font(tableSize, style)
	out := make([][]string, len(row))
	for c, e := range row {
		out[c] = w.wrap(e.Text, widths[c], maxCell)
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

// row writes the lines of a row: words to the left, numbers to the right; the best of a column bold, the second
// underlined.
func (w *writer) row(t Table, cells [][]string, widths []float64, look func(int) Cell) {
	w.black()
	x := pageSide
	for c, lines := range cells {
		w.font(tableSize, "")
		if look(c).Bold {
			w.font(tableSize, "B")
		}
		for i, line := range lines {
			at := x
			if c > 0 && !t.Words && !t.Left[c] {
				at = x + widths[c] - w.width(line)
			}
			y := w.y + 7.4 + float64(i)*tableStep
			w.text(at, y, line)
			if look(c).Underlined {
				w.rule(at, at+w.width(line), y+1.3, 0.4)
			}
		}
		x += widths[c] + tableGap
	}
	w.y += float64(height(cells)) * tableStep
}
