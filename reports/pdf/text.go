package pdf

import (
	"strings"
	"unicode"

	"ovbench/reports/draw"
	"ovbench/reports/plain"
)

// breakText breaks s at spaces into at most limit lines that fit, and longer words where they are full.
func breakText(s string, limit int, fits func(string) bool) []string {
	var words []string
	for _, w := range strings.Fields(plain.Line(s)) {
		words = append(words, breakAnywhere(w, fits)...)
	}
	return draw.Lines(strings.Join(words, " "), limit, fits)
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
