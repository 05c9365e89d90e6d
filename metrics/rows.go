package metrics

import (
	"bytes"
	"fmt"
	"strconv"
)

// appendRows writes n rows of numbers as JSON.
func appendRows(n int, row func(i int) []int64) []byte {
	out := []byte{'['}
	for i := range n {
		for k, v := range row(i) {
			out = append(out, "[,"[min(k, 1)])
			out = strconv.AppendInt(out, v, 10)
		}
		out = append(out, ']', ',')
	}
	return append(out[:max(1, len(out)-min(n, 1))], ']')
}

// readRows hands out the rows of a JSON array of arrays of width whole numbers, or of null; row is reused.
//
// Note: records have hundreds of such rows; read by reflection they take most of the time of a comparison.
func readRows(b []byte, width int, put func(row []int64) error) error {
	if string(b) == "null" {
		return nil
	}
	r := rowReader{b: b}
	fault := func() error { return fmt.Errorf("%.40q: want rows of %d whole numbers", b[r.at:], width) }
	if !r.take('[') {
		return fault()
	}
	row := make([]int64, width)
	for n := 0; !r.take(']'); n++ {
		if n > 0 && !r.take(',') || !r.take('[') {
			return fault()
		}
		for k := range row {
			var ok bool
			switch {
			case k > 0 && r.next() == ']':
				return fmt.Errorf("a row of %d numbers, want %d", k, width)
			case k > 0 && !r.take(','):
				return fault()
			}
			if row[k], ok = r.whole(); !ok {
				return fault()
			}
		}
		if !r.take(']') {
			return fault()
		}
		if err := put(row); err != nil {
			return err
		}
	}
	if r.next(); r.at < len(b) {
		return fault()
	}
	return nil
}

// rowsIn is how many rows of width numbers a text holds at most.
func rowsIn(b []byte, width int) int {
	return min(bytes.Count(b, []byte{'['}), len(b)/(2*width+1))
}

// rowReader reads tokens of b.
type rowReader struct {
	b  []byte
	at int
}

// next goes over blanks; it is 0 at the end.
func (r *rowReader) next() byte {
	for ; r.at < len(r.b); r.at++ {
		switch c := r.b[r.at]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// take goes over c, if it is next.
func (r *rowReader) take(c byte) bool {
	if r.next() != c {
		return false
	}
	r.at++
	return true
}

// whole reads a whole number of 64 bits; what is none stays.
func (r *rowReader) whole() (v int64, ok bool) {
	negative := r.next() == '-'
	from := r.at
	if negative {
		r.at++
	}
	first := r.at
	for ; r.at < len(r.b) && r.b[r.at]-'0' <= 9; r.at++ {
		v = 10*v + int64(r.b[r.at]-'0')
	}
	digits := r.at - first
	ok = digits == 1 || digits > 1 && r.b[first] != '0'
	if negative {
		v = -v
	}
	if digits > 18 {
		var err error
		v, err = strconv.ParseInt(string(r.b[from:r.at]), 10, 64)
		ok = ok && err == nil
	}
	if after := r.next(); !ok || after != ',' && after != ']' {
		r.at, ok = from, false
	}
	return v, ok
}
