package metrics

import (
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

// readRows hands out the rows of a JSON array of arrays of width whole numbers. b is valid JSON, as encoding/json gives
// it to UnmarshalJSON; row is reused.
//
// Note: records have hundreds of such rows; read by reflection they take most of the time of a comparison.
func readRows(b []byte, width int, put func(row []int64) error) error {
	if string(b) == "null" {
		return nil
	}
	row := make([]int64, 0, width)
	depth := 0
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '[' && depth < 2:
			depth++
		case c == ']' && depth == 2:
			if len(row) != width {
				return fmt.Errorf("a row of %d numbers, want %d", len(row), width)
			}
			if err := put(row); err != nil {
				return err
			}
			row = row[:0]
			depth--
		case c == ']', c == ',', c == ' ', c == '\t', c == '\n', c == '\r':
		case depth == 2 && (c == '-' || c >= '0' && c <= '9') && len(row) < width:
			first := i
			for i+1 < len(b) && (b[i+1] == '.' || b[i+1]|0x20 == 'e' || b[i+1] == '-' || b[i+1] == '+' || b[i+1] >= '0' &&
				b[i+1] <= '9') {
				i++
			}
			v, err := strconv.ParseInt(string(b[first:i+1]), 10, 64)
			if err != nil {
				return fmt.Errorf("%q is no whole number of a row", b[first:i+1])
			}
			row = append(row, v)
		default:
			return fmt.Errorf("%.40q: want rows of %d whole numbers", b[i:], width)
		}
	}
	return nil
}
