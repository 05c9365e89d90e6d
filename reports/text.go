package reports

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"ovbench/reports/plain"
)

// percent spells a fraction in percent with two decimals.
func percent(x float64) string { return percentTo(x, usualDigits) }

const usualDigits = 2

// percentTo spells a fraction in percent. This is where numbers are rounded.
func percentTo(x float64, digits int) string {
	s := strconv.FormatFloat(100*x, 'f', digits, 64)
	if strings.Trim(s, "-0.") == "" {
		return strings.TrimPrefix(s, "-")
	}
	return s
}

// seconds spells a duration for reading.
func seconds(x float64) string { return strconv.FormatFloat(x, 'f', 2, 64) + " s" }

// bytesText spells a size for reading, in powers of 1024.
func bytesText(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	x, unit := float64(n)/1024, 0
	for x >= 1024 && unit < 4 {
		x /= 1024
		unit++
	}
	return strconv.FormatFloat(x, 'f', 1, 64) + " " + string("KMGTP"[unit]) + "iB"
}

// shortHash is enough of a hash to recognise it.
func shortHash(s string) string { return elideEnd(s, 12, "") }

// integer spells a count, nothing for zero.
func integer(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// valueText spells a value of a free-form block on one line.
func valueText(v any) string {
	switch v := v.(type) {
	case string:
		return elideEnd(v, 120, "…")
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1e15 {
			return strconv.FormatFloat(v, 'f', 0, 64)
		}
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("(%v)", err)
	}
	return elideEnd(string(b), 120, "…")
}

// markdownText makes s stand for itself in Markdown, outside of tables too. Pipes are left to the table.
func markdownText(s string) string {
	s = plain.Line(s)
	var b strings.Builder
	runes := []rune(s)
	word := func(i int) bool {
		return i >= 0 && i < len(runes) && (unicode.IsLetter(runes[i]) || unicode.IsDigit(runes[i]))
	}
	for i, r := range runes {
		switch r {
		case '\\', '`', '*', '[', ']', '~', '#', '$': // dollars are formulas on some pages
			b.WriteByte('\\')
		case '_': // inside of a word it is only itself
			if !word(i-1) || !word(i+1) {
				b.WriteByte('\\')
			}
		case '<':
			b.WriteString("&lt;")
			continue
		case '&':
			b.WriteString("&amp;")
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// elideEnd is the first n runes of s, with mark after them if s is longer.
func elideEnd(s string, n int, mark string) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n]) + mark
}

// slug is s as part of a file name: ASCII letters, digits, dots, dashes and underscores.
func slug(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r)) || strings.ContainsRune("._-", r) {
			return r
		}
		return '-'
	}, elideEnd(s, 60, ""))
	return strings.TrimLeft(s, ".-")
}

// trimFloat spells a number with the digits it was written with, one after the point at least.
func trimFloat(x float64) string {
	s := strconv.FormatFloat(x, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}
