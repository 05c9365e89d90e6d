package draw

import (
	"strings"

	"ovbench/reports/plain"
)

// Elide shortens s in the middle until fits accepts it: names in a list often differ at either end.
func Elide(s string, fits func(string) bool) string {
	if fits(s) {
		return s
	}
	runes := []rune(s)
	low, high := 0, len(runes)-1 // runes kept; none always has to do
	for low < high {
		mid := (low + high + 1) / 2
		if fits(cut(runes, mid)) {
			low = mid
		} else {
			high = mid - 1
		}
	}
	return cut(runes, low)
}

func cut(runes []rune, keep int) string {
	tail := keep / 2
	return string(runes[:keep-tail]) + "…" + string(runes[len(runes)-tail:])
}

// Lines breaks s at spaces into at most limit lines that fit; a word or a last line that does not is elided.
func Lines(s string, limit int, fits func(string) bool) []string {
	var lines []string
	rest := strings.Fields(plain.Line(s))
	for len(rest) > 0 {
		n := 1
		for n < len(rest) && fits(strings.Join(rest[:n+1], " ")) {
			n++
		}
		if len(lines) == limit-1 {
			n = len(rest)
		}
		lines = append(lines, Elide(strings.Join(rest[:n], " "), fits))
		rest = rest[n:]
	}
	return lines
}
