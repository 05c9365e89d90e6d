package plain

import (
	"bytes"
	"encoding/csv"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"
)

// The names of the first lines are those of an attack on a terminal: clear the screen, set the title of the window.
func TestLine(t *testing.T) {
	for in, want := range map[string]string{
		"\x1b[2J":              "\uFFFD[2J",
		"zz\x1b]0;owned\x07":   "zz\uFFFD]0;owned\uFFFD",
		"a\u202eb":             "a\uFFFDb",
		" a\r\nb\tc ":          "a  b c",
		"日本 façade 𝕏":          "日本 façade 𝕏",
		"\xff":                 "\uFFFD",
		"\u009b2J and \u200b.": "\uFFFD2J and \uFFFD.",
	} {
		if got := Line(in); got != want {
			t.Errorf("Line(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestNothingToObey: whatever comes in, what reaches a terminal can be printed, and what can be printed reaches it.
func TestNothingToObey(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "s")
		var b bytes.Buffer
		if n, err := (Writer{&b}).Write([]byte(s)); n != len(s) || err != nil {
			t.Fatalf("wrote %d of %d, %v", n, len(s), err)
		}
		for _, got := range []string{b.String(), Line(s)} {
			if strings.ContainsFunc(got, func(r rune) bool {
				return r != '\n' && r != '\t' && r != '\uFFFD' &&
					!unicode.IsPrint(r)
			}) {
				t.Fatalf("%q of %q", got, s)
			}
		}
		if printable := strings.Trim(s, " \n\t") == s && !strings.ContainsFunc(s,
			func(r rune) bool { return !unicode.IsPrint(r) || r == '\uFFFD' }); printable && Line(s) != s {
			t.Fatalf("Line(%q) = %q", s, Line(s))
		}
	})
}

// By hand: what Excel and LibreOffice compute begins with one of = + - @, or with a tab or a line break before it.
func TestCSVIsNotComputed(t *testing.T) {
	var b bytes.Buffer
	in := []string{"=1+1", "@sum(a1)", "+1-1", "-1e-3", "+0.5", "-", "a=1", "\t=1", "\x1b[2J", "", "–"}
	want := []string{"'=1+1", "'@sum(a1)", "'+1-1", "-1e-3", "+0.5", "'-", "a=1", "'\t=1", "\uFFFD[2J", "", "–"}
	w := NewCSV(&b)
	if err := w.Write(in); err != nil {
		t.Fatal(err)
	}
	w.Flush()
	got, err := csv.NewReader(&b).Read()
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%q became %q, want %q", in[i], got[i], want[i])
		}
	}
}
